"""What the paper varies on emotion, and what it does not: calibration, budget, and how many members there are."""

from __future__ import annotations

from harness.suites.ablation import Ablation
from harness.suites.emotion.labels import IN_DOMAIN
from harness.suites.setting import Setting

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)

F = Ablation("F", ("simple_evolver",), ("evolver.F",), SHARES, beside=("simple",))  # Figure 5
CR = Ablation("Cr", ("simple_evolver",), ("evolver.Cr",), SHARES, beside=("simple",))  # Figure 5
ALPHA = Ablation("alpha", ("regmean", "regmean_evolver"), ("regmean.alpha",), (0, *SHARES))  # Figure 6
COEFFICIENTS = Ablation(  # Table 5
    "coefficients",
    tuple(
        f"{base}{way}" for base in ("simple", "fisher", "regmean") for way in ("", "_grid", "_evolver", "_evolver_grid")
    ),
    fixed=("search.budget=12",),  # that of `--tuned`, whose rows these are
)
DEV_ROWS = Ablation(  # Table 6
    "dev_rows",
    ("simple_evolver", "regmean_evolver", "simple_grid", "simple_calibrated"),
    ("dev_fraction",),
    (0.1, 0.25, 0.5, 1),
    fixed=("search.budget=12",),
    beside=("simple", "regmean"),
)
CALIBRATION = Ablation("calibration", ("simple", "simple_calibrated", "simple_evolver", "simple_evolver_calibrated"))
BUDGET = Ablation(
    "budget",
    ("simple_evolver", "simple_random", "simple_cma"),
    ("evolver.budget", "search.budget"),
    (4, 8, 16, 32),
    beside=("simple", "simple_calibrated"),
)
MEMBERS = Ablation("members", ("best", "simple", "ties", "regmean", "simple_evolver"))

ONE_BY_ONE = Setting(
    "emotion",
    "one_by_one",
    IN_DOMAIN,
    "first",
    examined=IN_DOMAIN,
    heads=("same",),
    chosen=IN_DOMAIN,
    title="members one by one",
    caption="The first two models, the first three and so on are merged into one model, which is tested on the test "
    "splits of all corpora, also of those that no member was fine-tuned on; the score is macro-F1, averaged over "
    "corpora.",
    role="ablation",
)
ABLATIONS = (F, CR, ALPHA, COEFFICIENTS, DEV_ROWS, CALIBRATION, BUDGET, MEMBERS)
