"""The emotion suite: ten corpora, sixteen labels; models of five are merged and asked about all, pairs, the unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.data.corpus import Corpus
from harness.data.world import World
from harness.protocol.own import Exam, Own
from harness.suites.base import Lesson, Suite, Where
from harness.suites.emotion import corpora, world
from harness.suites.emotion.ablations import ONE_BY_ONE
from harness.suites.emotion.labels import BASIC, IN_DOMAIN, OUT_OF_DOMAIN, TASK
from harness.suites.registry import register
from harness.suites.setting import Setting


@dataclass(frozen=True)
class EmotionKnobs(Own):
    """What is asked about corpora that no member has seen."""

    ood_labels: Literal["basic", "annotated"] = "basic"  # D11
    ood_rows: Literal["all", "test_if_diff"] = "all"  # D12

    def unseen(self, heads: str) -> Exam:
        """All rows, about the six basic emotions, unless the released code's choices are asked for."""
        only_test = self.ood_rows == "test_if_diff" and heads == "diff"
        return Exam("test" if only_test else "all", BASIC if self.ood_labels == "basic" else None)


ALL_TOGETHER = Setting(
    "emotion",
    "in_domain",
    IN_DOMAIN,
    "all",
    title="in-domain",
    caption="Models fine-tuned on one corpus each are merged into one model, which is tested on the test splits of "
    "all these corpora; the score is macro-F1, averaged over corpora.",
)
PAIRWISE = Setting(
    "emotion",
    "pairwise",
    IN_DOMAIN,
    "pairs",
    heads=("same",),
    title="pairwise",
    caption="Every pair of the single-corpus models is merged and tested on the pair's two test splits; the score is "
    "macro-F1, averaged over the two corpora and then over pairs.",
)
UNSEEN = Setting(
    "emotion",
    "out_of_domain",
    IN_DOMAIN,
    "all",
    examined=OUT_OF_DOMAIN,
    title="out-of-domain",
    caption="The same merged models as in-domain, tested on corpora that no member was fine-tuned on; the score is "
    "macro-F1, averaged over corpora.",
)


@register("emotion")
class Emotion(Suite):
    """Emotion classification, the paper's Tables 2 to 4."""

    title = "emotion"
    origin = corpora.ORIGIN
    data = str(corpora.FILE)
    paper = Path(__file__).with_name("paper.json")
    in_world = True
    tasks = (TASK,)
    settings = (ALL_TOGETHER, PAIRWISE, UNSEEN, ONE_BY_ONE)
    knobs = EmotionKnobs
    tailored = (("official_code", "", {"ood_labels": "annotated", "ood_rows": "test_if_diff"}),)

    def find(self, where: Where, knobs: EmotionKnobs, seed: int) -> Mapping[str, Corpus]:
        """The made-up corpora, or those of the file that the unify-emotion-datasets scripts write."""
        if where.world is not None:
            return world.load(where.world, seed)
        if where.folder is None or not self.lies_in(where.folder):
            return {}
        return corpora.load(where.folder, seed)

    def lesson(self, world_: World) -> Lesson:
        """All corpora together."""
        return world.lesson(world_)
