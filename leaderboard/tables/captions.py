"""What each setting asks, in the words that stand under its table."""

from __future__ import annotations

TITLES = {
    "in_domain": "in-domain",
    "pairwise": "pairwise",
    "out_of_domain": "out-of-domain",
    "non_iid": "non-i.i.d.",
    "cross_task": "cross-task",
}

CAPTIONS = {
    "in_domain": (
        "Models fine-tuned on one corpus each are merged into one model, which is examined on the test splits of all "
        "these corpora; the score is macro-F1, averaged over corpora."
    ),
    "pairwise": (
        "Every pair of the single-corpus models is merged and examined on the pair's two test splits; the score is "
        "macro-F1, averaged over the two corpora and then over pairs."
    ),
    "out_of_domain": (
        "The same merged models as in-domain, examined on corpora that no member was fine-tuned on; the score is "
        "macro-F1, averaged over corpora."
    ),
    "non_iid": (
        "Two models of one task, fine-tuned on partitions with different label shares, are merged and examined on the "
        "task's validation set; the score is the task's metric (Matthews for cola, Pearson for stsb, else accuracy), "
        "averaged over tasks."
    ),
    "cross_task": (
        "Two models of different tasks are merged, heads excepted, and examined on both tasks, each with its own head; "
        "the score is the tasks' metric (Matthews for cola, Pearson for stsb, else accuracy), averaged over the two "
        "tasks and then over pairs."
    ),
}

GENERIC = "The score is the mean over all data sets that this setting examines."


def title(setting: str) -> str:
    """The column title of a setting, also of one that is not known here."""
    return TITLES.get(setting, setting.replace("_", " "))


def caption(setting: str) -> str:
    """One sentence on what the setting asks."""
    return CAPTIONS.get(setting, GENERIC)
