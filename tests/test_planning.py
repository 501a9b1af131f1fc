"""What a session will take: learned from what was measured, with a doubt that holds, and said before anything runs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cells.lab import Lab
from harness.cells.recipe import method_of
from harness.cells.room import require_room
from harness.cells.run import merged_by
from harness.planning import memory, observed, page, sizes
from harness.planning.costs import Asked, Costs, Made, Spent
from harness.planning.estimate import Estimate, said_bytes, told
from harness.planning.holdings import PROCESS, Holding, holding, misfit
from harness.planning.jobs import Job, Need, expected
from harness.planning.shifts import elapsed
from harness.records.record import Store
from harness.storage.zoo import save_weights
from methods.errors import MergeboardError
from tests.emotion_cells import cell as in_domain
from tests.small_world import Project
from tests.test_harness_options import refused
from tests.test_leaderboard_table import record

METHODS = {"simple": 0.2, "ties": 1.0, "dare_ties": 2.0, "evolver": 0.5}
MODELS = {"small": 10_000_000, "large": 100_000_000}


def asked(method: str = "ties", model: str = "small", members: int = 3, setting: str = "one", calls: int = 0) -> Asked:
    calls = calls or (10 if method == "evolver" else 0)
    return Asked("suite", setting, model, method, "search" if calls else "merge", members, calls, MODELS.get(model))


def world(rng: np.random.Generator, error: float = 0.3) -> list[Spent]:
    """Cells whose seconds grow with parameters and work, and err by a factor around e^error."""
    found = []
    for model, size in MODELS.items():
        for setting, exam in (("one", 1.0), ("two", 4.0)):
            for method, unit in METHODS.items():
                for _ in range(6):
                    a = asked(method, model, setting=setting)
                    noise = np.exp(error * rng.standard_normal(2))
                    merge = unit * (a.calls or a.members) * size / 1e7 * noise[0]
                    found.append(Spent(a, merge, exam * size / 1e7 * noise[1], peak_bytes=size * 40))
    return found


# -- costs -----------------------------------------------------------------------------------------------------------


def test_costs_foretell_cells_that_were_held_out_within_the_doubt_that_they_state() -> None:
    cells = world(np.random.default_rng(3))
    inside, ratios = 0, []
    for k, cell in enumerate(cells):
        said = Costs(cells[:k] + cells[k + 1 :]).cell(cell.asked) if k % 3 == 0 else None
        if said is not None:
            took = cell.merge + cell.rest
            inside += said.low <= took <= said.high
            ratios.append(math.log(took / said.seconds))
    assert len(ratios) == len(cells) / 3
    assert inside >= 0.8 * len(ratios)
    assert abs(float(np.median(ratios))) < 0.15


def test_a_model_that_was_never_run_is_foretold_by_its_parameters_within_the_doubt() -> None:
    cells = world(np.random.default_rng(4), error=0.1)
    known = Costs(c for c in cells if c.asked.model == "small")
    others = [c for c in cells if c.asked.model == "large"]
    said = [known.cell(c.asked) for c in others]
    assert all(e is not None and e.low <= c.merge + c.rest <= e.high for c, e in zip(others, said, strict=True))
    near = Costs(cells).cell(others[0].asked)
    assert near and said[0] and near.high / near.low < said[0].high / said[0].low, "closer kin leaves less doubt"


def test_of_what_nothing_is_known_nothing_is_said_until_it_was_measured() -> None:
    costs = Costs()
    assert costs.cell(asked()) is None and costs.made(Made("members", "m", "", ("tec",), 7)) is None
    costs.learn(Spent(asked(), 2.0, 1.0))
    found = costs.cell(asked())
    assert found is not None and found.seconds == pytest.approx(3.0) and found.low < 3.0 < found.high
    costs.learn_made(Made("members", "m", "", ("tec",), 7, 9.0))
    other = costs.made(Made("members", "m", "", ("isear",), 7))
    assert other is not None and other.seconds == pytest.approx(9.0)


def test_a_search_with_twice_the_evaluations_takes_twice_as_long() -> None:
    costs = Costs([Spent(asked("evolver", calls=10), 20.0, 1.0)])
    found = costs.cell(asked("evolver", calls=20))
    assert found is not None and found.seconds == pytest.approx(41.0)


def test_a_machine_that_is_slower_than_that_of_the_records_is_noticed_while_cells_run() -> None:
    costs = Costs(world(np.random.default_rng(5), error=0.05))
    before = costs.cell(asked("simple", "large"))
    for _ in range(3):
        costs.learn(Spent(asked("ties"), 3.0 * 3, 1.0 * 3))
    after = costs.cell(asked("simple", "large"))
    assert before and after and after.seconds == pytest.approx(3 * before.seconds, rel=0.25)


# -- sizes and memory ------------------------------------------------------------------------------------------------


def test_a_models_size_is_read_from_the_headers_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = {"in": torch.zeros(5, 3), "norm": torch.zeros(7, dtype=torch.bfloat16), "words": torch.zeros(90, 2)}
    save_weights(weights, tmp_path / "model.safetensors")
    assert sizes.of_folder(tmp_path) == sizes.Size(15 + 7 + 180, 4 * 15 + 2 * 7 + 4 * 180, 9)


def test_a_file_without_a_header_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 40)
    assert sizes.of_file(tmp_path / "model.safetensors") is None
    assert sizes.of_folder(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("group", "files", "limit"),
    [
        ("0::/user/one\n", {"sys/fs/cgroup/user/memory.max": "3000000"}, 3_000_000),
        ("0::/user/one\n", {"sys/fs/cgroup/user/one/memory.max": "max"}, 8_000_000 * 1024),
        ("5:memory:/box\n4:cpu:/box\n", {"sys/fs/cgroup/memory/box/memory.limit_in_bytes": "5000"}, 5000),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "7000"}, 7000),
        ("", {}, 8_000_000 * 1024),
    ],
)
def test_a_containers_limit_counts_before_the_machines(
    group: str, files: dict[str, str], limit: int, tmp_path: Path
) -> None:
    files = {"proc/meminfo": "MemTotal:  8000000 kB\n", "proc/self/cgroup": group, **files}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.limit(tmp_path) == limit


def test_an_evolution_holds_a_child_of_every_member_besides() -> None:
    plain = holding("ties", "merge", 5, 1000, statistics=False, score_bytes=4)
    evolved = holding("ties_evolver", "search", 5, 1000, statistics=False, score_bytes=4)
    assert plain.models == 5 + 3 and evolved.models == plain.models + 1 + 5


def test_what_cannot_fit_is_said_in_one_line_with_what_would_make_it_fit() -> None:
    large = Holding(5, 9, 7_000_000_000)
    said = misfit("ties_evolver with seven", large, 24 << 30)
    assert "\n" not in said and "14 models of 7,000 million parameters" in said and "may take 24.0 GiB" in said
    assert "merge fewer members" in said and "python -m harness merge" in said
    assert "dtype" not in said, "half precision would not help here"
    assert "--set dtype=bf16" in misfit("ties", Holding(5, 3, 1_000_000_000), int(11.5 * 2**30))
    assert misfit("ties", large, None) == "" == misfit("ties", Holding(2, 3, 1000), 24 << 30)


def test_a_cell_without_room_is_refused_before_anything_is_trained(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, said = in_domain("ties_evolver"), list[str]()
    monkeypatch.setattr(lab, "say", said.append)
    method = method_of(asked, lab)
    require_room(asked, lab, method)
    assert not said, "tiny models are no notable share of anything"
    size = sizes.of_folder(lab.subject.folder)
    assert size is not None
    monkeypatch.setattr(memory, "limit", lambda: PROCESS + 30 * 4 * size.parameters)
    require_room(asked, lab, method)
    require_room(asked, lab, method)
    assert len(said) == 1 and said[0].startswith("ties_evolver with tiny-encoder holds up to 14 models of")
    monkeypatch.setattr(memory, "limit", lambda: PROCESS + 5 * 4 * size.parameters)
    with pytest.raises(MergeboardError, match=r"ties_evolver would hold 14 models .* merge fewer members"):
        merged_by(asked, lab, Store(Path("nowhere")))
    require_room(in_domain("ties"), lab, method_of(in_domain("ties"), lab))  # which holds no children


# -- plans -----------------------------------------------------------------------------------------------------------


def job(place: int, scope: str = "a", method: str = "ties", needs: tuple[Need, ...] = (), done: bool = False) -> Job:
    column, there = ("small", "suite", "one"), record("ties") if done else None
    return Job(place, asked(method), column, 1, "all", scope, needs, there, holding=Holding(3, 3, 10**7))


def need(name: str) -> Need:
    return Need(("members", name), Made("members", "small", "", (name,), 10**7), 40_000_000)


def known_costs() -> Costs:
    made = [Made("members", "small", "", ("tec",), 10**7, 10.0)]
    return Costs([Spent(asked(m), 1.0, 1.0) for m in METHODS for _ in range(3)], made)


def test_a_member_that_several_cells_need_is_trained_and_counted_once() -> None:
    costs, shared = known_costs(), need("tec")
    jobs = [
        job(0, needs=(shared,)),
        job(1, needs=(need("tec"),)),
        job(2, needs=(need("isear"),)),
        job(3, done=True),
    ]
    time, unknown = expected(jobs, costs)
    assert unknown == 0 and time.seconds == pytest.approx(3 * 2.0 + 2 * 10.0, rel=0.01)


def test_workers_wait_for_a_member_that_another_one_trains() -> None:
    costs, shared = known_costs(), need("tec")
    jobs = [job(0, "a", needs=(shared,)), job(1, "b", needs=(shared,)), job(2, "c")]
    assert elapsed(jobs, costs, 1).seconds == pytest.approx(16.0, rel=0.01)
    assert elapsed(jobs, costs, 2).seconds == pytest.approx(14.0, rel=0.01)  # the third population comes behind
    assert elapsed(jobs, costs, 3).seconds == pytest.approx(12.0, rel=0.01)


def test_what_is_answered_costs_nothing_and_what_is_unknown_is_said() -> None:
    lines = list(page.lines([job(0, done=True)], Costs(), 0, 24 << 30, None, exports=False))
    assert "time: nothing one after another" in lines and any(
        "cache nothing new, results nothing new" in x for x in lines
    )
    lines = list(page.lines([job(0)], Costs(), 4, 24 << 30, None, exports=True))
    assert any(x.startswith("time: unknown, for all 1") for x in lines)
    assert any("results unknown, export up to 40 MB" in x for x in lines)


def test_the_time_of_a_part_is_not_told_as_that_of_all() -> None:
    shared = need("tec")
    jobs = [job(0, "a", method="ties"), job(1, "b", method="ties", needs=(need("isear"), shared))]
    costs = Costs([Spent(asked("ties"), 1.0, 1.0) for _ in range(3)])  # nothing is known of members
    lines = list(page.lines(jobs, costs, 0, 24 << 30, None, exports=False))
    (line,) = [x for x in lines if x.startswith("time: ")]
    assert line.startswith("time: of the 2 of 4 that are known about ") and any("2 of 4 tests" in x for x in lines)
    known = list(page.lines(jobs[:1], costs, 0, 24 << 30, None, exports=False))
    assert any(x.startswith("time: about ") for x in known)


def test_a_plan_says_what_would_not_fit_and_how_many_workers_would() -> None:
    costs = Costs([Spent(asked(), 1.0, 1.0, peak_bytes=9 << 30)])
    lines = list(page.lines([job(0)], costs, 4, 24 << 30, 8000.0, exports=False))
    assert "would not fit: 4 workers at once; take 2" in lines
    lines = list(page.lines([job(0)], costs, 1, 1 << 29, 8000.0, exports=False))
    assert any(x.startswith("would not fit: ties with small holds 6 models of 10 million parameters") for x in lines)


def test_times_and_sizes_are_said_as_people_say_them() -> None:
    assert [told(x) for x in (0.24, 7, 80, 400, 7200, 90_000, 10**6)] == [
        *("0.2 s", "7 s", "80 s", "6.7 min", "2.0 h", "25 h", "12 d")
    ]
    assert [said_bytes(x) for x in (3e6, 700 * 2**20)] == ["3 MB", "0.7 GiB"]
    assert str(Estimate(60, 30, 120)) == "about 60 s (30 s to 2.0 min)"


# -- sessions --------------------------------------------------------------------------------------------------------


def test_a_plan_runs_and_writes_nothing_and_counts_what_is_there(answered: Project) -> None:
    before = answered.contents(), sorted(answered.zoo.rglob("*"))
    result = answered.run("--heads=same", "-k", "in_domain", "--plan=3", "-n2", "--seeds=1,2")
    assert result.ret == pytest.ExitCode.OK
    text = result.stdout.str()
    row = next(line for line in text.splitlines() if line.startswith("tiny-encoder, emotion"))
    cells, there, members, statistics = row.split()[2:6]
    assert (cells, there, members, statistics) == ("30", "15", "6", "10")  # of seed 2, and its mtl
    assert "time with 3 workers: about" in text and "memory: up to" in text
    assert "passed" not in text and "leaderboard.md" not in text
    assert (answered.contents(), sorted(answered.zoo.rglob("*"))) == before


def test_a_plan_counts_as_members_only_what_the_row_waits_for(answered: Project) -> None:
    """One model for all members' rows needs none of the members; a merge needs them all."""
    for methods, wanted in ((["mtl"], "1"), (["simple"], "5"), (["mtl", "simple"], "6")):
        asked = (f"--method={method}" for method in methods)
        result = answered.run("--heads=same", "-k", "in_domain", "--plan", "--seeds=2", *asked)
        row = next(line for line in result.stdout.str().splitlines() if line.startswith("tiny-encoder, emotion"))
        assert row.split()[4] == wanted


def test_what_cells_and_members_took_is_kept_where_a_plan_finds_it(answered: Project) -> None:
    answered.run("--heads=same", "-k", "in_domain", "--method=fisher", "--method=regmean", "--rerun")  # another zoo
    for made_ in answered.all_records():
        assert made_.cost["other_seconds"] >= 0, made_.path
    known: dict[str, int] = {}
    made = list(observed.made(answered.zoo, known))
    assert {m.kind for m in made} == {"members", "fisher", "gram"} and all(m.seconds > 0 for m in made)
    assert all(m.parameters == known[m.model] for m in made)
    told = observed.records(answered.path / "results", ["tiny-encoder"])
    spent = [cell for said in told if (cell := observed.of_record(said, known)) is not None]
    assert len(spent) == len(answered.all_records()) and {s.asked.kind for s in spent} >= {"search", "merge", "avg"}
    assert all(s.asked.parameters == known[made[0].model] for s in spent)


def test_records_that_cannot_be_read_teach_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "suite" / "setting" / "model"
    folder.mkdir(parents=True)
    for name, text in (("a", "{"), ("b", "[]"), ("c", json.dumps({"cost": {"exam_seconds": -1}}))):
        (folder / f"{name}.json").write_text(text)
    assert [observed.of_record(told, {}) for told in observed.records(tmp_path, [])] == [None] * 3


@pytest.mark.parametrize("word", ["--plan=0", "--plan=many", "--plan=-1"])
def test_a_wrong_number_of_workers_is_refused(word: str, project: Project) -> None:
    assert "write nothing behind it, or a whole number" in refused(project.run(word))
