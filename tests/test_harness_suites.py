"""Suites by name: registered, announced by packages, refused; their knobs, their words on the command line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.bounds import Bound
from harness.data.corpus import Corpus
from harness.data.task import Task
from harness.protocol.own import Own
from harness.protocol.protocols import named
from harness.suites import SUITES, Setting, Suite, Where, near, owner_of, register, resolve
from harness.suites.registry import BUILT_IN
from harness.suites.tailoring import protocol_of
from methods.errors import MergeboardError, UnknownName
from methods.naming import registry

ROOT = Path(__file__).parents[1]
TASK = Task("mood", "multi_label", ("up", "down"), "macro_f1", ("up.", "down."), ("up?", "down?"))
PAIR = Setting("moods", "pairwise", ("a", "b"), "pairs")


@dataclass(frozen=True)
class MoodKnobs(Own):
    limits: ClassVar[Mapping[str, Bound]] = {"mood_noise": Bound(0, 1)}

    mood_noise: float = 0.1


class Moods(Suite):
    tasks, settings, knobs = (TASK,), (PAIR,), MoodKnobs
    tailored = (("quick", "decoder", {"mood_noise": 0.5, "epochs": 2}),)

    def find(self, where: Where, knobs: MoodKnobs, seed: int) -> Mapping[str, Corpus]:
        return {}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A registry of the built-in suites alone, whatever other tests brought: it forgets what is registered meanwhile,
    and has no packages to ask."""
    near()
    built_in = {name: entry for name, entry in SUITES.entries.items() if name in BUILT_IN}
    monkeypatch.setattr(SUITES, "entries", built_in)
    monkeypatch.setattr(SUITES, "broken", [])
    monkeypatch.setattr(SUITES, "plugins_loaded", False)
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    yield monkeypatch


def made(**changes: Any) -> type[Suite]:
    """The suite with something else in its class."""
    return type("Moods", (Moods,), {"name": "", **changes})


def test_a_registered_suite_is_found_by_its_name(fresh: pytest.MonkeyPatch) -> None:
    assert register("moods")(made()) is not None
    suite = resolve("moods")
    assert suite.name == suite.called == "moods" and suite.known() == suite.trained() == ("a", "b")
    assert [s.name for s in near()] == [*BUILT_IN, "moods"]


def test_one_class_may_make_several_suites(fresh: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Made(Moods):
        name: str = ""
        knobs: type[Own] = Own
        tailored: tuple[Any, ...] = ()

        @property
        def settings(self) -> tuple[Setting, ...]:  # type: ignore[override]
            return (Setting(self.name, "pairwise", ("a", "b"), "pairs"),)

    for name in ("first", "second"):
        register(name)(Made(name))
    assert resolve("first") == Made("first") and resolve("second").settings[0].suite == "second"


def test_a_wrong_suite_gets_a_hint() -> None:
    with pytest.raises(UnknownName, match=r"no suite named 'emotio'. Did you mean 'emotion'"):
        resolve("emotio")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, "has the name 'other'; it cannot be registered as 'moods'"),
        ({"tasks": ()}, "suite moods: it needs tasks and settings"),
        ({"settings": (PAIR, PAIR)}, "suite moods: two settings are called pairwise; rename one"),
        ({"settings": (Setting("mods", "x", ("a", "b"), "all"),)}, "its setting x is of the suite 'mods'"),
        ({"knobs": int}, "its options must be a frozen dataclass that inherits from Own"),
        ({"tailored": (("papr", "", {}),)}, "no protocol named 'papr'. Did you mean 'paper'?"),
        ({"tailored": (("paper", "", {"mood_nose": 1}),)}, "tailored names an option that is not there"),
        ({"tailored": (("paper", "", {"mood_noise": 2}),)}, "mood_noise is 2; it must be from 0 to 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_a_suite_is_one_line(changes: dict[str, Any], said: str, fresh: pytest.MonkeyPatch) -> None:
    with pytest.raises(MergeboardError) as error:
        register("moods")(made(**changes))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("knob", "whose"), [("epochs", "every protocol"), ("own", "every protocol"), ("glue_dev", "the suite glue")]
)
def test_a_knob_has_one_owner(knob: str, whose: str, fresh: pytest.MonkeyPatch) -> None:
    knobs = dataclass(frozen=True)(type("Knobs", (Own,), {"__annotations__": {knob: int}, knob: 3}))
    with pytest.raises(MergeboardError, match=f"its option {knob} is one of {whose}; give it another name"):
        register("moods")(made(knobs=knobs, tailored=()))


def test_every_knob_needs_a_default(fresh: pytest.MonkeyPatch) -> None:
    knobs = dataclass(frozen=True)(type("Knobs", (Own,), {"__annotations__": {"loud": int}}))
    with pytest.raises(MergeboardError, match="every option needs a default"):
        register("moods")(made(knobs=knobs, tailored=()))


def test_two_suites_do_not_share_a_name(fresh: pytest.MonkeyPatch) -> None:
    with pytest.raises(MergeboardError, match=r"'emotion' is already registered by harness\.suites\.emotion\."):
        register("emotion")(made(settings=(Setting("emotion", "x", ("a", "b"), "all"),)))
    with pytest.raises(MergeboardError, match="'Moods' cannot name a suite; use lower-case letters"):
        register("Moods")


def test_a_package_announces_its_suite(fresh: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "moods", "moods_package"

        def load(self) -> None:
            register("moods")(made())

    groups: list[str] = []
    fresh.setattr(registry, "entry_points", lambda group: groups.append(group) or [Point()])
    assert resolve("glue") and not groups, "for what is built in nobody is asked"
    assert resolve("moods").known() == ("a", "b") and groups == ["mergeboard.suites"]
    owner = owner_of("mood_noise")
    assert owner is not None and owner.name == "moods"


# -- knobs -------------------------------------------------------------------------------------------------------------


def test_a_suite_has_its_own_knobs_and_values_beside_those_of_the_protocol(fresh: pytest.MonkeyPatch) -> None:
    register("moods")(made())
    suite, quick = resolve("moods"), named("quick")
    assert protocol_of(quick, suite, {"encoder"}).own == MoodKnobs(0.1)
    tailored = protocol_of(quick, suite, {"decoder"})
    assert (tailored.own, tailored.epochs) == (MoodKnobs(0.5), 2)
    assert protocol_of(quick, suite, {"decoder"}, ["mood_noise=0.25"]).own == MoodKnobs(0.25)
    assert protocol_of(quick, resolve("glue"), {"decoder"}).epochs == quick.epochs, "other suites have none of it"


def test_a_knob_of_another_suite_is_checked_and_changes_nothing(fresh: pytest.MonkeyPatch) -> None:
    register("moods")(made())
    plain = protocol_of(named("paper"), resolve("emotion"), ())
    assert protocol_of(named("paper"), resolve("emotion"), (), ["mood_noise=0.5"]) == plain
    for suite in (None, resolve("emotion"), resolve("moods")):
        for setting, said in (("mood_noise=much", "mood_noise is a number, from 0 to 1"), ("mood_noise=2", "it must")):
            with pytest.raises(MergeboardError, match=said):
                protocol_of(named("paper"), suite, (), [setting])
    with pytest.raises(UnknownName, match=r"no protocol option named 'mood_nois'. Did you mean 'mood_noise'\?"):
        protocol_of(named("paper"), None, (), ["mood_nois=1"])


# -- nobody else knows them --------------------------------------------------------------------------------------------


def test_no_other_file_names_a_built_in_suite() -> None:
    own = *(f"harness/suites/{name}/" for name in BUILT_IN), "harness/suites/papers/"  # what is claimed of them: data
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "harness", "methods", "leaderboard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("the files that belong to the project are known to git alone")
    data = ("leaderboard/results/", "leaderboard/findings/")  # and what hand-written sentences say of records
    files = [name for name in listed.stdout.splitlines() if not name.startswith((*own, *data))]
    said = [name for name in files if re.search("emotion|glue", (ROOT / name).read_text(encoding="utf-8"))]
    assert len(files) > 100 and said == []


def test_built_in_suites_are_registered_by_the_files_that_the_registry_names() -> None:
    assert {name: type(resolve(name)).__module__ for name in BUILT_IN} == BUILT_IN
    assert list(BUILT_IN) == ["emotion", "glue", "recipes"], "the tiny models are taught in this order"


def test_suites_are_known_without_torch() -> None:
    code = (
        "import sys; from harness.suites import near; names = [s.name for s in near()]\n"
        "heavy = {'torch', 'transformers', 'datasets', 'huggingface_hub'} & set(sys.modules)\n"
        "assert names and not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-300:]
