"""The weather suite: models of three stations are merged and asked about all, in pairs, or about a fourth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.bounds import Bound
from harness.data.corpus import Corpus
from harness.protocol.own import Own
from harness.suites import Setting, Suite, Where, register
from mergeboard_weather.corpora import SEEN, TASK, UNSEEN, corpus


@dataclass(frozen=True)
class WeatherKnobs(Own):
    """`--set weather_fog=0.3` makes the reports harder to learn from."""

    limits: ClassVar[Mapping[str, Bound]] = {"weather_fog": Bound(0, 1)}

    weather_fog: float = 0.1  # share of reports with the wrong weather


TOGETHER = Setting(
    "weather",
    "together",
    SEEN,
    "all",
    heads=("same",),
    title="all stations",
    caption="Models of one station each become one, which is asked about all of them; the score is accuracy.",
)
PAIRS = Setting(
    "weather",
    "pairs",
    SEEN,
    "pairs",
    heads=("same",),
    title="two stations",
    caption="Every two models become one, which is asked about both stations; the score is accuracy.",
)
ABROAD = Setting(
    "weather",
    "abroad",
    SEEN,
    "all",
    examined=UNSEEN,
    heads=("same",),
    title="a station nobody knows",
    caption="The model merged of all stations is asked about one that no member has seen; the score is accuracy.",
)


@register("weather")
class Weather(Suite):
    """What mergeboard needs to know."""

    title = "weather"
    origin = "they are made up, so nothing can be missing"
    in_world = True
    tasks = (TASK,)
    settings = (TOGETHER, PAIRS, ABROAD)
    knobs = WeatherKnobs
    tailored = (("quick", "tiny", {"epochs": 8}),)

    def find(self, where: Where, knobs: WeatherKnobs, seed: int) -> Mapping[str, Corpus]:
        """The same made-up reports, wherever other suites look for theirs."""
        return {station: corpus(station, knobs.weather_fog, seed) for station in self.known()}
