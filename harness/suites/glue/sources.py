"""Where GLUE's rows lie, in the original download and on the hub, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ORIGIN = (
    "download the tasks from gluebenchmark.com/tasks (CoLA/train.tsv, CoLA/dev.tsv, ...), or the folders of "
    "huggingface.co/datasets/nyu-mll/glue (cola/train-*.parquet, cola/validation-*.parquet, ...)"
)


@dataclass(frozen=True)
class Source:
    """Where the rows of a task lie and what their columns are called."""

    folder: str  # of the original download
    texts: tuple[str, ...]  # columns of the TSV files
    label: str
    words: tuple[str, ...] = ("0", "1")  # what the label column says, class by class
    hub_texts: tuple[str, ...] = ("sentence1", "sentence2")
    header: tuple[str, ...] = ()  # if the file has none
    dev: str = "dev"
    validation: str = "validation"
    cut_short: bool = False  # whether rows with too few fields are known and skipped

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.texts, self.label)


_ENTAILMENT = ("entailment", "not_entailment")
SOURCES: Mapping[str, Source] = {
    "cola": Source(
        "CoLA", ("sentence",), "label", hub_texts=("sentence",), header=("source", "label", "mark", "sentence")
    ),
    "sst2": Source("SST-2", ("sentence",), "label", hub_texts=("sentence",)),
    "mrpc": Source("MRPC", ("#1 String", "#2 String"), "Quality"),
    "stsb": Source("STS-B", ("sentence1", "sentence2"), "score", words=()),
    "mnli": Source(
        "MNLI",
        ("sentence1", "sentence2"),
        "gold_label",
        words=("entailment", "neutral", "contradiction"),
        hub_texts=("premise", "hypothesis"),
        dev="dev_matched",
        validation="validation_matched",
    ),
    "qnli": Source("QNLI", ("question", "sentence"), "label", _ENTAILMENT, hub_texts=("question", "sentence")),
    "qqp": Source(
        "QQP", ("question1", "question2"), "is_duplicate", hub_texts=("question1", "question2"), cut_short=True
    ),
    "rte": Source("RTE", ("sentence1", "sentence2"), "label", _ENTAILMENT),
}
