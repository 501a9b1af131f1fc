"""What grows renames nothing: a knob more in a protocol or a method, settings that a cell does not use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.cells.identity import Identity
from harness.cells.recipe import recipe_of
from harness.data.task import Task
from harness.protocol.told import PLAIN, Told
from harness.records import schema1
from harness.records.method_recipe import method_recipe
from harness.records.recipe import default_of, recipe_key
from harness.records.record import RunRecord
from methods import resolve
from methods.catalogue import BUILT_IN, METHODS, register
from methods.evolver import Evolver
from methods.knobs import knob_of
from methods.optimisers import OPTIMISERS
from methods.ties import Ties
from tests.emotion_cells import cell
from tests.small_world import SMALL, Project, make_lab
from tests.test_harness_recipe import PARTS

DARE = {"density": 0.5, "weights": None, "rescale": "inverse", "normalize": False, "lambda": 1.0, "mask_seed": 0}
DELLA = {**DARE, "density": 0.7, "epsilon": 0.07, "lambda": 1.1, "scope": "row"}
BREADCRUMBS = {
    **{"density": 0.15, "gamma": 0.006, "weights": None, "rescale": "none", "normalize": False, "lambda": 0.2},
    "scope": "tensor",
}
ROUTED = {"preset": "pair", "budget": 100, "best": 5, "apart": 0.25}
PINNED: dict[tuple[str, int], dict[str, Any]] = {  # (class, version) -> its defaults; a line may be added, none changed
    ("Training", 1): {
        **{"epochs": 30, "steps": None, "check_every": None, "learning_rate": 1e-5, "head_rate": 1.0},
        **{"batch_size": 16, "train_batches": "shuffled", "warmup": 0.06, "max_length": 128},
        **{"checkpoint": "best_dev", "train_dtype": "fp32"},
    },
    ("Wording", 1): {"examples": "one_question", "negatives": "sqrt"},
    ("Choosing", 1): {
        **{"threshold": 0.5, "fitness": "per_dataset_mean", "fitness_digits": None, "dtype": "fp32"},
        "batch_tokens": None,
    },
    ("Scoring", 1): {"threshold": 0.5, "dtype": "fp32", "max_length": 128, "batch_tokens": None},
    ("Search", 1): {
        **{"dev_fraction": 1.0, "fitness": "per_dataset_mean", "fitness_digits": None, "search_by": "marks"},
    },
    ("Heads", 1): {"head_merge": "label_aware"},
    ("FisherSettings", 1): {
        **{"fisher_labels": "expected", "fisher_per_example": True, "fisher_rows": 1000, "max_length": 128},
        "batch_tokens": None,
    },
    ("GramSettings", 1): {"gram_rows": 16000, "gram_padding": "masked", "max_length": 128, "batch_tokens": None},
    ("Task", 1): {
        **{"pair": False, "span": (0.0, 1.0), "also": (), "version": 1},
        **{"prompt": "", "tokens": 0, "stop": (), "graders": (), "asked_by": ""},
    },
    **{(name, 1): dict(BREADCRUMBS) for name in ("breadcrumbs", "breadcrumbs_ties")},
    ("dare_linear", 1): DARE,
    ("dare_ties", 1): {**DARE, "trim": None},
    ("della", 1): {**DELLA, "normalize": True},
    ("della_linear", 1): DELLA,
    ("task_arithmetic", 1): {"lambda": 0.3, "weights": None},
    ("linear", 1): {"weights": None, "normalize": True},
    ("consensus", 1): {"lambda": None, "alpha": 0.3, "k": 2, "masks": "unscaled"},
    ("magmax", 1): {"lambda": 0.5},
    ("sce", 1): {"tau": 0.1, "select": "weights"},
    ("pcb", 1): {"rho": 0.1, "lambda": 1.2, "clamp": 0.0001},
    ("localize_and_stitch", 1): {"share": 0.05, "localised": "all", "strict": False},
    ("lines", 1): {"alpha": None, "beta": 0.5, "of": "task_arithmetic"},
    ("slerp", 1): {"t": 0.5},
    ("multislerp", 1): {"weights": None},
    ("karcher", 1): {"weights": None, "steps": 10, "tolerance": 1e-05},
    ("base", 1): {},
    ("calibrated", 2): {"inner": None},
    ("random_convex", 1): {},
    ("model_stock", 1): {"filter_wise": False, "clamp": True},
    ("cart", 1): {"lambda": 1.0, "share": 0.08, "embeddings": "svd"},
    ("star", 1): {"eta": 40.0, "combine": "mean", "lambda": 1.0, "embeddings": "svd"},
    ("subspace_boost", 1): {"lambda": 0.3, "beta": 0.01, "embeddings": "svd"},
    ("tsv_m", 1): {"alpha": 1.0, "embeddings": "svd"},
    ("iso_c", 1): {"alpha": 1.0, "embeddings": "svd"},
    ("iso_cts", 1): {"alpha": 1.0, "embeddings": "svd", "common": 0.8},
    ("adamerging", 1): {
        **{"layers": "layer_wise", "start": 0.3, "learning_rate": 1e-3, "steps": 500, "rows": 16, "batches": 2},
        **{"clamp": True, "trim": None},
    },
    ("emr", 1): {"size": "per_tensor_mean"},
    ("regmean_plus_plus", 1): {"alpha": 0.95, "ridge": 0.0, "coefficients": None},
    ("wudi", 1): {
        **{"solver": "closed", "steps": 300, "rate": 1e-05, "tensors": "matrices", "others": "mean", "lambda": 1.0},
    },
    ("layer_swap", 1): {"bottom": None, "top": None, "transition": None, "outer": 1, "inner": 2},
    ("source", 1): {"number": 1},
    ("route", 1): {
        **{"preset": "pair", "passes": None, "layout": "concat", "scale": "update", "keep_ends": True},
        **{"max_hops": None, "sources": None, "first": 1, "prior": None, "reach": 2.0},
    },
    ("dfs", 1): {**ROUTED, "inner": None, "optimiser": None},
    ("ps_dfs", 1): {
        **{**ROUTED, "ps": "dare_ties_cma", "partner": 1, "share": 0.5},
        **{"first_stage": None, "inner": None, "optimiser": None},
    },
    **{(name, 1): dict(knobs) for name, knobs in schema1.METHODS.items()},
    ("evolver", 1): {**schema1.METHODS["evolver"], "budget": None, "statistics": "original", "adapt": "none"},
    ("search", 1): {
        **{"inner": None, "optimiser": None, "budget": 100, "over": None, "bounds": None, "start": "default"},
        **{"layers": "all", "granularity": 1, "split": False, "best": 5, "apart": 0.25},
    },
    ("random", 1): {},
    ("grid", 1): {"low": 0.1, "high": 0.9, "step": 0.05, "together": True},
    ("coordinate", 1): {"step": 0.25, "least": 0.001},
    ("catcma", 1): {"sigma": 1 / 6, "population": None, "mean": "start"},
    ("cma", 1): {"sigma": 1 / 6, "population": None, "mean": "start", "separable": "auto", "lr_adapt": False},
}
CHANGED = "a default changed: raise the version of its class, and write the new defaults down here under it"
NEW = "a new field: write its default down here, so that it cannot change unseen"


# -- defaults --------------------------------------------------------------------------------------------------------


def unlike(pinned: dict[str, Any], defaults: dict[str, Any]) -> str:
    """What of these defaults is not as it is written down."""
    if any(defaults.get(name, dataclasses.MISSING) != value for name, value in pinned.items()):
        return CHANGED
    return NEW if set(defaults) - set(pinned) else ""


def defaults_of(cls: type) -> dict[str, Any]:
    found = {knob_of(f.name): default_of(f) for f in dataclasses.fields(cls)}
    return {name: value for name, value in found.items() if value is not dataclasses.MISSING}


@pytest.mark.parametrize("name", PARTS)
def test_no_default_of_a_protocol_changes_without_a_version(name: str) -> None:
    part = getattr(PLAIN, name)
    assert unlike(PINNED[type(part).__name__, type(part).version], dataclasses.asdict(part)) == ""


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_default_of_a_method_changes_without_a_version(name: str) -> None:
    cls: Any = METHODS.resolve(name).cls
    assert unlike(PINNED[name, cls.version], defaults_of(cls)) == ""


@pytest.mark.parametrize("name", OPTIMISERS.built_in)
def test_no_default_of_an_optimiser_changes_without_a_version(name: str) -> None:
    cls: Any = OPTIMISERS.resolve(name).cls
    assert unlike(PINNED[name, cls.version], defaults_of(cls)) == ""


def test_no_default_of_a_task_changes() -> None:
    assert unlike(PINNED["Task", 1], defaults_of(Task)) == ""


def test_a_changed_default_and_a_new_one_are_seen() -> None:
    pinned = PINNED["Heads", 1]
    assert unlike(pinned, {"head_merge": "plain"}) == unlike(pinned, {}) == CHANGED
    assert unlike(pinned, {**pinned, "novelty": 1}) == NEW and unlike(pinned, dict(pinned)) == ""


# -- a knob more -----------------------------------------------------------------------------------------------------


def test_a_new_knob_of_the_protocol_renames_no_cell_and_no_member(small_zoo: Path) -> None:
    lab, methods = make_lab(small_zoo), ("avg", "ties", "fisher_evolver", "mtl")

    def keys() -> list[str]:
        recipes = [recipe_of(cell(m), lab) for m in methods]
        return [recipe_key(r) for r in (*recipes, *(lab.identity.member(s) for s in cell("avg").key.sources))]

    before = keys()
    grown = make_dataclass("Grown", [("novelty", int, field(default=3))], bases=(type(lab.protocol),), frozen=True)
    values = {f.name: getattr(lab.protocol, f.name) for f in dataclasses.fields(lab.protocol)}
    lab.protocol = grown(**values)
    lab.told = Told(lab.protocol, lab.subject.generative)
    lab.identity = Identity(lab.subject, lab.rows, lab.told, {})
    assert keys() == before


def grow(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a method's class one knob more, at the end, as an author would."""
    (more,) = (f for f in dataclasses.fields(make_dataclass("More", [("novelty", int, field(default=3))])))
    monkeypatch.setattr(cls, "__dataclass_fields__", {**cls.__dataclass_fields__, "novelty": more})
    monkeypatch.setattr(cls, "novelty", 3, raising=False)


@dataclass(frozen=True)
class PlugIn:
    version: ClassVar[int] = 1

    share: float = 0.5

    def merge(self, population: Any, score: Any, rng: Any) -> Any: ...


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    monkeypatch.setattr(METHODS, "entries", dict(METHODS.entries))
    yield register("plug_in", paper="none")(PlugIn)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        *(("ties", Ties), ("ties_evolver", Ties), ("ties_evolver", Evolver)),
        *(("plug_in", PlugIn), ("plug_in_evolver", PlugIn)),
    ],
)
def test_a_new_knob_of_a_method_renames_no_cell(
    name: str, cls: type, plug_in: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = method_recipe(resolve(name))
    assert ("plug_in" in name) == ("code" in before or "code" in before["knobs"].get("inner", {}))
    grow(cls, monkeypatch)
    assert method_recipe(resolve(name)) == before
    monkeypatch.setattr(cls, "novelty", 4)
    assert method_recipe(resolve(name)) != before, "set to another value it decides"


# -- in a session ----------------------------------------------------------------------------------------------------


def knobs_of(records: list[RunRecord]) -> dict[str, dict[str, Any]]:
    """Method -> what its in-domain record says that it was given besides."""
    return {r.method: r.knobs for r in records if r.setting == "in_domain"}


def test_settings_that_a_cell_does_not_use_leave_it_cached(answered: Project) -> None:
    before = set(answered.store().paths())
    sets = ("fisher_rows=15", "gram_rows=31", "partition_skew=0.7", "batch_tokens=64", "glue_dev_share=0.1")
    others = tuple(s for s in SMALL if not s.startswith(("fisher_rows", "gram_rows")))
    methods = [f"--method={m}" for m in ("avg", "simple", "ties", "simple_evolver", "fisher", "regmean_evolver")]
    result = answered.run("--heads=same", "-k", "in_domain", *methods, small=(*others, *sets))
    result.stdout.fnmatch_lines(["*2 passed*4 cached*"])
    made = [r for r in answered.all_records() if answered.path / "results" / r.path not in before]
    search = {"generations": 2}  # the small world's own settings are settings too
    assert knobs_of(made) == {"fisher": {"fisher_rows": 15}, "regmean_evolver": {"gram_rows": 31, **search}}


def test_a_row_says_what_its_method_was_given_besides(answered: Project) -> None:
    before = set(answered.store().paths())
    sets = ("ties.k=0.4", "evolver.F=0.3", "dev_fraction=0.5")
    methods = ("--method=ties", "--method=ties_evolver")
    answered.run("--heads=same", "-k", "in_domain", *methods, *(f"--set={s}" for s in sets))
    made = [r for r in answered.all_records() if answered.path / "results" / r.path not in before]
    search = {"F": 0.3, "generations": 2, "dev_fraction": 0.5}
    assert knobs_of(made) == {"ties": {"k": 0.4}, "ties_evolver": {"k": 0.4, **search}}
    ties = [r for r in answered.all_records() if r.setting == "in_domain" and r.method == "ties"]
    assert len(ties) == 2 and len({r.exam_key for r in ties}) == 1 and ties[0].knobs != ties[1].knobs


MINE = """
from dataclasses import dataclass
from methods import register, resolve

@register("mine", paper="none")
@dataclass(frozen=True)
class Mine:
    def merge(self, population, score, rng):
        return {n: t * SHARE for n, t in resolve("simple").merge(population, score, rng).items()}
"""


def test_an_edited_plug_in_is_run_again_and_the_session_says_so_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(share: str) -> pytest.RunResult:
        (project.path / "mine.py").write_text(MINE.replace("SHARE", share), encoding="utf-8")
        methods = ("-p", "mine", "--method=mine", "--method=mine_evolver", "--method=simple")
        return project.run(*methods, "--heads=same", "-k", "in_domain or (pairwise and tec+isear)")

    monkeypatch.syspath_prepend(project.path)
    run("1.0").stdout.fnmatch_lines(["*6 passed*"])
    edited = run("0.5")
    edited.stdout.fnmatch_lines(["*4 passed*2 cached*"])
    said = [line for line in edited.outlines if "its code changed since" in line]
    assert [line.split(":")[0].strip() for line in said] == ["mine", "mine_evolver"]
    run("1.0").stdout.fnmatch_lines(["*6 cached*"])
    codes = {r.recipe["method"].get("code") for r in project.all_records() if r.method == "mine"}
    assert len(codes) == 2 and None not in codes
