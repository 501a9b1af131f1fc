"""The GLUE suite: eight tasks; models of two skewed halves of one task, or of two tasks, are merged and asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from harness.bounds import MANY, Bound
from harness.data.corpus import Corpus
from harness.data.world import World
from harness.protocol.own import Own
from harness.suites.base import Lesson, Suite, Where
from harness.suites.glue import corpora, world
from harness.suites.glue.sources import ORIGIN
from harness.suites.glue.tasks import PAIRS, TASKS
from harness.suites.registry import register
from harness.suites.setting import Setting


@dataclass(frozen=True)
class GlueKnobs(Own):
    """Which rows candidates are chosen on (D7): rows of train kept apart, or all that the members were trained on."""

    limits: ClassVar[Mapping[str, Bound]] = {
        "glue_dev_share": Bound(0, 1, open_below=True, open_above=True),
        **dict.fromkeys(("glue_dev_least", "glue_dev_most"), Bound(1, MANY)),
    }

    glue_dev: Literal["held_out", "partitions"] = "held_out"
    glue_dev_share: float = 0.05  # of the train rows
    glue_dev_least: int = 100
    glue_dev_most: int | None = 2000

    @property
    def dev(self) -> Literal["dev", "partitions"]:
        """The rows kept apart, or the members' own."""
        return "partitions" if self.glue_dev == "partitions" else "dev"


HALVES = Setting(
    "glue",
    "non_iid",
    tuple(TASKS),
    "halves",
    title="non-i.i.d.",
    caption="Two models of one task, fine-tuned on partitions with different label shares, are merged and tested on "
    "the task's validation set; the score is the task's metric (Matthews for cola, Pearson for stsb, else accuracy), "
    "averaged over tasks.",
)
CROSS_TASK = Setting(
    "glue",
    "cross_task",
    tuple(TASKS),
    PAIRS,
    heads=("own",),
    title="cross-task",
    caption="Two models of different tasks are merged, heads excepted, and tested on both tasks, each with its own "
    "head; the score is the tasks' metric (Matthews for cola, Pearson for stsb, else accuracy), averaged over the two "
    "tasks and then over pairs.",
)


@register("glue")
class Glue(Suite):
    """GLUE, the paper's Figures 3 and 4."""

    title = "GLUE"
    origin = ORIGIN
    data = f"{corpora.FOLDER}/"
    on_hub = True
    in_world = True
    tasks = tuple(TASKS.values())
    settings = (HALVES, CROSS_TASK)
    knobs = GlueKnobs
    tailored = (
        ("paper", "", {"seeds": (1, 2, 3, 4, 5, 6, 7, 8), "epochs": 10, "steps": None, "check_every": None}),
        ("official_code", "", {"seeds": (1, 2, 3, 4, 5, 6, 7, 8), "warmup": 0.0, "checkpoint": "last"}),
        ("official_code", "", {"steps": None, "check_every": None}),
        ("official_code", "non_iid", {"epochs": 10, "glue_dev": "partitions", "partition_sizes": "as_released"}),
        ("official_code", "cross_task", {"epochs": 3}),
        ("official_code", "encoder non_iid", {"learning_rate": 1e-5}),
        ("official_code", "encoder cross_task", {"learning_rate": 2e-5}),
        ("quick", "", {"partition_rows": 1200, "glue_dev_most": 150}),
        ("quick", "tiny", {"seeds": (1,), "partition_rows": 300, "train_rows": 200, "epochs": 5, "batch_size": 8}),
        ("quick", "tiny", {"dev_rows": 60, "test_rows": 150}),
        ("quick", "cross_task tiny", {"train_rows": 320, "epochs": 6}),
    )

    def find(self, where: Where, knobs: GlueKnobs, seed: int) -> Mapping[str, Corpus]:
        """The made-up tasks, those of the user's folder, or the hub's."""
        held = corpora.HeldOut(knobs.glue_dev_share, knobs.glue_dev_least, knobs.glue_dev_most, seed)
        if where.world is not None:
            return world.load(where.world, held)
        if where.hub:
            return corpora.from_hub(held)
        if where.folder is None or not self.lies_in(where.folder):
            return {}
        return corpora.load(where.folder, held)

    def lesson(self, world_: World) -> Lesson:
        """Every task by itself."""
        return world.lesson(world_)
