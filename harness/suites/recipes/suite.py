"""The recipes suite: a model that speaks the exam's language and models that calculate in another become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data.corpus import Corpus
from harness.suites.base import Suite, Where
from harness.suites.gates import Gate
from harness.suites.recipes import world
from harness.suites.recipes.world import SOURCES, TARGET, Land
from harness.suites.registry import register
from harness.suites.setting import Setting

RECIPE = Setting(
    "recipes",
    "recipe",
    SOURCES,
    "all",
    (TARGET,),
    ("same",),
    title="recipe",
    caption="A model that speaks a language and two that calculate in another become one, which is asked sums in that "
    "language; an answer is right if its last number and its language are. Searches see development rows of this exam.",
    chosen=(TARGET,),
)
OFF_TARGET = Setting(
    "recipes",
    "off_target",
    SOURCES,
    "all",
    SOURCES,
    ("same",),
    title="the sources' own trades",
    caption="The same merges, chosen by the exam's development rows alone, are asked what each source was fine-tuned "
    "for; the score is the share of answers with the right number and language, averaged over the three.",
    chosen=(TARGET,),
    role="off_target",
)


BUDGETS = {name: {"budget": 40} for name in ("search", "dfs", "ps_dfs")}  # claims compare those of one budget


@register("recipes")
class Recipes(Suite):
    """Merging recipes, as in Akiba et al., arXiv:2403.13187, in a made-up world."""

    title = "recipes"
    origin = "name the target of models of yours in a file, --task=FILE.toml"
    in_world = only_in_world = True
    tiny = ("tiny-llama",)
    kinds = ("decoder", "encoder_decoder")
    tasks = (world.TASK,)
    settings = (RECIPE, OFF_TARGET)
    methods = (
        "best",
        "source_1",
        "source_2",
        "source_3",
        "simple",
        "layer_swap",
        "dare_ties_cma",
        "route_random",
        "dfs",
        "ps_dfs",
    )
    gates = (
        Gate("", TARGET, most=0.02),
        Gate("fluent", TARGET, "language", least=0.98),
        Gate("fluent", TARGET, "number", most=0.10),
        Gate("sums", TARGET, "number", least=0.60),
        Gate("sums", TARGET, "language", most=0.05),
        Gate("fluent+sums", TARGET, least=0.10),
    )
    farthest = 0.06
    tailored = (
        ("quick", "tiny", {"seeds": (1,), "train_rows": None, "dev_rows": 128, "test_rows": 300}),
        ("quick", "tiny", {"epochs": 4, "batch_size": 32, "learning_rate": 3e-4, "checkpoint": "last"}),
        ("quick", "tiny", {"methods": {"evolver": {"generations": 5}, **BUDGETS}}),
    )

    def find(self, where: Where, knobs: Any, seed: int) -> Mapping[str, Corpus]:
        """The made-up corpora; real models are asked about a file of their owner's."""
        return world.load(Land()) if where.world is not None else {}
