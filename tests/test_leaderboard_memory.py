"""Records are many: what reads them all holds only what tables show."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.records.bits import pack, pack_marks
from harness.records.record import Store
from harness.records.uncollected import uncollected
from leaderboard import audit
from leaderboard.audit.once import Once
from leaderboard.manual import page as manual
from leaderboard.pages import pages, readme
from leaderboard.stats.chance import exchanged
from leaderboard.tables import group
from leaderboard.tables.answers import decoded, drawn_for
from suites.workbench_records import multiply
from tests.test_leaderboard_table import record

ROOT = Path(__file__).parent.parent
CHECK = """
import sys
from pathlib import Path
from leaderboard.__main__ import main

code = main(["check"])
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")))
sys.exit(code)
"""


def test_what_no_table_shows_is_not_held_in_memory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(20):
        store.put(record(seed=seed, trace={"steps": list(range(10_000))}))
    tracemalloc.start()
    loaded = audit.load(store)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(loaded.records) == 20 and held < 200_000 and most < 2_000_000  # all of them: 7.2 million


def test_the_answers_of_a_table_are_drawn_for_once_however_many_pages_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one table at a time: all of them would not fit in memory, and to draw again takes as long as all else."""
    asked, found, real = [], some_groups(), group.sheets_of
    monkeypatch.setattr(group, "sheets_of", lambda *told: asked.append(1) or real(*told))
    pages.pages(found)
    manual.pages(found), readme.block(found), readme.home(found)
    assert len(found) > 1 and len(asked) == len(found)


def test_the_answers_of_no_table_stay_in_memory_when_its_pages_are_made() -> None:
    """What comes after them, the manual and the downloads, would stand on top of the largest table's answers."""
    pages.pages(some_groups())
    assert not group._LAST and exchanged.cache_info().currsize == 0


def test_equal_parts_of_records_are_held_once_however_deep_they_lie() -> None:
    """Read from files of their own, as texts, lists and words of the same letters are other objects there."""
    kept = {"gold": "0" * 16, "outputs": ["anger", "joy"], "classes": "01" * 500}
    told = {"predictions": {"one": kept, "two": {**kept, "rows": 4}}, "dev": {"predictions": {"one": kept}}}
    once, read = Once(), [record(**json.loads(json.dumps(told))) for _ in range(2)]
    one, other = map(once.shared, read)
    assert one == other == read[0]
    answers = [a for r in (one, other) for a in (*r.predictions.values(), *r.dev["predictions"].values())]
    assert len(answers) == 6 and len({id(a["outputs"]) for a in answers}) == 1
    assert one.predictions is other.predictions and one.dev["predictions"]["one"] is one.predictions["one"]


def test_what_is_equal_and_not_the_same_stays_apart() -> None:
    once = Once()
    values = [{"at": [one]} for one in (1, 1.0, True, "1")]
    found = [once.shared(record(details=value)).details for value in values]
    assert [type(one["at"][0]) for one in found] == [int, float, bool, str]


def test_methods_that_answer_alike_share_a_sheet_and_others_do_not() -> None:
    (one, _) = some_groups()
    told = {r.path: r.predictions["task"] for r in one.records}
    (odd, *_) = told
    told[odd] = {**told[odd], "classes": "0111"}
    sheets = drawn_for(told.items(), one.gold or (lambda name: np.empty((0, 1))))
    assert list(sheets[odd].redrawn) != list(next(s for path, s in sheets.items() if path != odd).redrawn)
    assert len(sheets) == len(told) > 2 and len(set(map(id, sheets.values()))) == 2


@pytest.mark.parametrize("before", [True, False])
def test_a_collector_that_was_put_away_comes_back_even_after_an_error(before: bool) -> None:
    usual = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(KeyError), uncollected():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == before
    finally:
        (gc.enable if usual else gc.disable)()


def test_copies_of_records_that_speed_is_measured_on_answer_otherwise_and_can_be_read(tmp_path: Path) -> None:
    """Of copies that answer alike one would be drawn for, and the others cost nothing."""
    source, target = tmp_path / "few", tmp_path / "many"
    store, name = Store(source), "0" * 16
    gold = {"gold": name, "rows": 4, "outputs": ["no", "yes"]}
    kinds = {
        "accuracy": {**gold, "metric": "accuracy", "classes": "0110"},
        "pearson": {**gold, "outputs": ["score"], "metric": "pearson", "values": "0.1 0.25 3.5 -1"},
        "macro_f1": {**gold, "metric": "macro_f1", "bits": pack([[0, 1], [1, 1], [0, 0], [1, 0]])},
        "mean_mark": {**gold, "outputs": ["mark"], "metric": "mean_mark", "marks": pack_marks([1, 0, 0.5, 1])},
    }
    for metric, kept in kinds.items():
        store.put(record(metric, 1, 1.0, scores={"task": 1.0}, metric=metric, predictions={"task": kept}))
    assert multiply(source, target, 2 * len(kinds)) == 2 * len(kinds)
    loaded = audit.load(Store(target))
    assert loaded.damaged == [] and len(loaded.records) == 2 * len(kinds)
    for copy in (r for r in loaded.records if r.seed > 1):
        said, before = (decoded(kept) for kept in (copy.predictions["task"], kinds[copy.method]))
        assert np.array_equal(said, np.roll(before, 1, axis=0)) and not np.array_equal(said, before)


def some_groups() -> list[group.Group]:
    """Two models with a merge, the members and a search, whose answers are kept."""
    gold = {"0" * 16: np.array([[0.0], [1.0], [1.0], [0.0]])}
    kept = {"gold": "0" * 16, "rows": 4, "outputs": ["no", "yes"], "metric": "accuracy", "classes": "0110"}
    made = [
        record(method, seed, 1.0, scores={"task": 1.0}, model=model, metric="accuracy", predictions={"task": kept})
        for model in ("one", "two")
        for method in ("avg", "best", "simple", "ties", "ties_evolver")
        for seed in (1, 2)
    ]
    seen = {"seen": {"task": {"rows": 1, "of": 4, "score_unseen": 1.0}}}
    return group.groups([replace(one, details=seen) for one in made], lambda name: gold[name])


@pytest.mark.published
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_the_published_records_are_checked_within_400_mib() -> None:
    """In a process of its own: its peak is nobody else's, as what `getrusage` says after a fork would be."""
    done = subprocess.run([sys.executable, "-c", CHECK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-2]) <= 400 * 1024, done.stdout
