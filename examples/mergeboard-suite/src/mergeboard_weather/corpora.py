"""Reports that four stations write, all made up: a few words for each weather, some of which every station has anew."""

from itertools import islice

import numpy as np

from harness.data.corpus import Corpus, Split, cut
from harness.data.task import Task
from harness.data.world import syllables, word_rng

SEEN, UNSEEN = ("north", "south", "coast"), ("hills",)
WEATHER = ("dry", "rain", "snow")
TASK = Task(
    name="weather",
    kind="classification",
    outputs=WEATHER,
    metric="accuracy",
    statements=tuple(f"The sentence reports {weather}." for weather in WEATHER),
    questions=tuple(f"does the sentence report {weather}?" for weather in WEATHER),
)
ROWS = 400


def corpus(station: str, fog: float, seed: int) -> Corpus:
    """The reports of one station, cut 70/10/20; in the share `fog` of them the weather was taken for another."""
    rng = word_rng(0, "weather", station)
    fillers, common, own = np.split(np.array(list(islice(syllables(), 120))), [60, 90])  # words the tiny models know
    cues = np.concatenate([common, rng.permutation(own)]).reshape(-1, len(WEATHER))  # a column for each weather
    weather = rng.integers(len(WEATHER), size=ROWS)
    texts = [" ".join([*rng.choice(fillers, 5), *rng.choice(cues[:, now], 2)]) for now in weather]
    told = np.where(rng.random(ROWS) < fog, rng.integers(len(WEATHER), size=ROWS), weather)
    return cut(Split(tuple(texts), told[:, None]), station, TASK, (True,) * len(WEATHER), seed)
