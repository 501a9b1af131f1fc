"""What emotion models answer, and the corpora that annotate it: five to train on, five to be asked about unseen."""

from __future__ import annotations

from harness.data.task import Task

LABELS = (
    *("joy", "anger", "sadness", "disgust", "fear", "surprise", "trust", "love"),
    *("noemo", "confusion", "anticipation", "shame", "guilt", "valence", "arousal", "dominance"),
)
BASIC = ("anger", "disgust", "fear", "joy", "sadness", "surprise")  # what out-of-domain rows are scored on (D11)
IN_DOMAIN = ("dailydialog", "crowdflower", "tec", "tales-emotion", "isear")
OUT_OF_DOMAIN = ("emoint", "ssec", "electoraltweets", "grounded_emotions", "affectivetext")
TASK = Task(
    name="emotion",
    kind="multi_label",
    outputs=LABELS,
    metric="macro_f1",
    statements=tuple(f"The sentence expresses {label}." for label in LABELS),
    questions=tuple(f"does the sentence express {label}?" for label in LABELS),
)
