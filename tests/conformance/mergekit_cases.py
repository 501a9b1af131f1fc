"""Which method of ours corresponds to which of mergekit's, at which knobs, and why they differ where they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.conformance.shared import FLAT, KERNELS, SHORT, USUAL, Shapes


@dataclass(frozen=True)
class Case:
    """One pair."""

    ours: str
    knobs: Mapping[str, object]
    theirs: str
    parameters: Mapping[str, object]
    cause: str = ""
    members: int = 3
    size: float = 0.05  # of changes, beside weights of 1
    shapes: Shapes = field(default_factory=lambda: USUAL)
    base: str | None = "ancestor"  # which model is mergekit's base: the ancestor, the first member, or none


W = (1.0, 2.0, 3.0)
ONES = (1.0, 1.0, 1.0)
PER_TENSOR = {"scope": "per_tensor", "zero_vote": "plus"}
OF_RANK = {"density": 0.5, "epsilon": 0.15, "rescale": "l1", "lambda": 1.0}
THEIR_RANK = {"density": 0.5, "epsilon": 0.15}
BAND = {"density": 0.5, "gamma": 0.1, "lambda": 1.0}
THEIR_BAND = {"density": 0.5, "gamma": 0.1}

WHOLE = "mergekit trims each tensor for itself, the paper the whole model; its zero votes count as plus"
LEAST = "mergekit keeps one change of a tensor at least, where ours keeps floor(k n)"
L1 = "mergekit scales what is kept to each tensor's sum of magnitudes, the paper by 1 / density"
SECOND = "of a kernel, mergekit ranks along the second dimension, ours all that belongs to one output"
BAND_OF_ALL = "defaults: mergekit drops nothing unless told a density, and multiplies by 1"
CLAMP = "ours takes no step past the members or away from them; clamp=false does"
FLOOR = "mergekit takes a product of norms below 1e-6 for 1e-6, so that small changes have no cosine"
ROWS = "of a kernel, mergekit's filters are rows of its last dimension, ours are outputs"
UNIFORM = "where mean squares sum to less than 1e-6 mergekit weighs all members alike; a fine-tuned model's often do"
SELECT = "mergekit merges what is selected alone, the authors' code everything"
DENSE = "ram is the mean of changes above 1e-5; where one lies below it, the mean is of the others"
LINE = "slerp takes arcs of less than 1.8 degrees for lines, nuslerp does not"

CASES = (
    Case("linear", {"weights": W}, "linear", {"weight": W}, base=None),
    Case("linear", {"weights": W, "normalize": False}, "linear", {"weight": W, "normalize": False}, base=None),
    Case("simple", {}, "linear", {"weight": 1.0}, members=5, base=None),
    Case("task_arithmetic", {"lambda": 0.3}, "task_arithmetic", {"lambda": 0.3, "weight": 1.0}, members=5),
    Case("task_arithmetic", {"weights": W, "lambda": 0.5}, "task_arithmetic", {"lambda": 0.5, "weight": W}),
    Case("ties", {"k": 0.3, **PER_TENSOR}, "ties", {"density": 0.3, "weight": 1.0}, members=5),
    Case("ties", {"k": 0.3, "weights": W, **PER_TENSOR}, "ties", {"density": 0.3, "weight": W}),
    Case("ties", {"k": 0.3, **PER_TENSOR}, "ties", {"density": 0.3, "weight": 1.0}, LEAST, shapes=SHORT),
    Case("ties", {"k": 0.2}, "ties", {"density": 0.2, "weight": 1.0}, WHOLE, members=5),
    Case(
        "dare_linear",
        {"density": 0.5, "weights": W, "rescale": "l1"},
        "dare_linear",
        {"density": 0.5, "weight": W},
    ),
    Case(
        "dare_linear",
        {"density": 0.5, "weights": W, "rescale": "none"},
        "dare_linear",
        {"density": 0.5, "weight": W, "rescale": False},
    ),
    Case("dare_linear", {"density": 0.5, "weights": W}, "dare_linear", {"density": 0.5, "weight": W}, L1),
    Case(
        "dare_ties",
        {"density": 0.5, "weights": W, "rescale": "l1"},
        "dare_ties",
        {"density": 0.5, "weight": W},
    ),
    Case(
        "dare_ties",
        {"density": 0.5, "weights": W, "rescale": "l1", "normalize": True},
        "dare_ties",
        {"density": 0.5, "weight": W, "normalize": True},
    ),
    Case("della", {**OF_RANK, "weights": W}, "della", {**THEIR_RANK, "weight": W}, shapes=FLAT),
    Case("della_linear", {**OF_RANK, "weights": W}, "della_linear", {**THEIR_RANK, "weight": W}, shapes=FLAT),
    Case(
        "della_linear",
        {**OF_RANK, "weights": ONES},
        "della_linear",
        {**THEIR_RANK, "weight": 1.0},
        SECOND,
        shapes=KERNELS,
    ),
    Case("della", {**OF_RANK, "rescale": "inverse"}, "della", {**THEIR_RANK, "weight": 1.0}, L1, shapes=FLAT),
    Case("breadcrumbs", BAND, "breadcrumbs", {**THEIR_BAND, "weight": 1.0}, members=5),
    Case("breadcrumbs_ties", {**BAND, "weights": W}, "breadcrumbs_ties", {**THEIR_BAND, "weight": W}),
    Case("breadcrumbs", {}, "breadcrumbs", {"weight": 1.0}, BAND_OF_ALL),
    Case("slerp", {"t": 0.25}, "slerp", {"t": 0.25}, members=2, size=1.0, base="first"),
    Case("slerp", {"t": 0.25}, "slerp", {"t": 0.25}, members=2, size=0.001, base="first"),
    Case("slerp", {"t": 0.25}, "nuslerp", {"weight": (3.0, 1.0)}, members=2, size=1.0, base=None),
    Case("slerp", {"t": 0.25}, "nuslerp", {"weight": (3.0, 1.0)}, LINE, members=2, size=0.01, base=None),
    Case("multislerp", {"weights": W}, "multislerp", {"weight": W}, size=1.0, base=None),
    Case("multislerp", {"weights": W}, "multislerp", {"weight": W}, size=0.001, base=None),
    Case("karcher", {}, "karcher", {}, size=1.0, base=None),
    Case("karcher", {}, "karcher", {}, size=0.001, base=None),
    Case("model_stock", {"clamp": False}, "model_stock", {}, members=5),
    Case("model_stock", {"clamp": False, "filter_wise": True}, "model_stock", {"filter_wise": True}, shapes=FLAT),
    Case(
        "model_stock", {"clamp": False, "filter_wise": True}, "model_stock", {"filter_wise": True}, ROWS, shapes=KERNELS
    ),
    Case("model_stock", {}, "model_stock", {}, CLAMP),
    Case("model_stock", {"clamp": False}, "model_stock", {}, FLOOR, size=1e-5),
    Case("sce", {"select": "deltas", "tau": 1.0}, "sce", {}, members=5),
    Case("sce", {"select": "deltas", "tau": 0.5}, "sce", {"select_topk": 0.5}),
    Case("sce", {"select": "deltas", "tau": 1.0}, "sce", {}, UNIFORM, size=1e-4),
    Case("sce", {"tau": 0.1}, "sce", {"select_topk": 0.1}, SELECT),
    Case("simple", {}, "ram", {}, DENSE, members=5),
)
