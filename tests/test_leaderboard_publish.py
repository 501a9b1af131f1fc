"""From a local store to a published page and back to the records: nothing damaged gets through, nothing stale stays."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.bits import pack, pack_floats, pack_numbers
from harness.records.record import RunRecord, Store
from leaderboard import audit
from leaderboard.__main__ import main
from leaderboard.generated import DOCS, LIST, hash_of
from leaderboard.publish import BEGIN, END, LOCAL, PAGE, PUBLISHED
from leaderboard.tables.answers import gold_of
from leaderboard.verdict.headline import NOTHING
from tests.test_leaderboard_table import record

GOLD = [[1, -100, 0], [1, -100, 1], [0, -100, 1], [0, -100, -100]]
SAID = [[1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 1, 1]]
# output 1: 1 hit, 1 miss, 1 false alarm: 2 / (2 + 2) = .5; output 2 is not annotated; output 3: 1 hit, 1 miss, 1 false
# alarm, the last row not annotated: .5; macro-F1 = .5


def answered(store: Store, **fields: object) -> RunRecord:
    """A record in the store whose predictions give its score of .5 again."""
    kept = {"gold": store.put_gold(GOLD), "rows": 4, "outputs": ["joy", "fear", "anger"], "bits": pack(SAID)}
    made = replace(record(score=0.5, scores={"isear": 0.5}), predictions={"isear": kept}, **fields)  # type: ignore[arg-type]
    store.put(made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a README and a local store of two records."""
    (tmp_path / "README.md").write_text(f"# Hello\n\n{BEGIN}\nbefore all\n{END}\n\nBye\n", encoding="utf-8")
    local = Store(tmp_path / LOCAL)
    answered(local)
    local.put(record("avg", score=0.3, scores={"isear": 0.3}))
    return tmp_path


def run(root: Path, *words: str) -> int:
    """The exit code of a command in this checkout."""
    return main(["--root", str(root), *words])


@pytest.mark.parametrize(
    ("metric", "kept", "gold", "score"),
    [
        ("accuracy", {"classes": "0112"}, [[0], [1], [2], [2]], 0.75),
        (
            "accuracy",
            {"numbers": pack_numbers([10, 0, 10, 11, 3, 65_535])},
            [[10], [0], [1], [11], [3], [65_535]],
            5 / 6,
        ),
        ("accuracy", {"classes": [10, 0, 1]}, [[10], [0], [10]], 2 / 3),
        ("matthews", {"classes": "011"}, [[0], [1], [0]], 0.5),
        ("pearson", {"values": "1.0 1.0000002 1.0000001"}, [[0.0], [2.5], [5.0]], 0.5),
        ("pearson", {"floats": pack_floats([1.0, 1.0000002, 1.0000001])}, [[0.0], [2.5], [5.0]], 0.5),
        ("pearson", {"values": "1.0 nan 2.0"}, [[0.0], [2.5], [5.0]], 0.0),
    ],
    ids=[
        "accuracy",
        "more than ten classes",
        "a list",
        "matthews",
        "scores that are almost equal",
        "packed scores",
        "scores that are none",
    ],
)
def test_classes_and_scores_give_their_records_score_again(
    metric: str, kept: dict[str, str], gold: list[list[int]], score: float, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    asked = {"gold": store.put_gold(gold), "rows": len(gold), "outputs": ["a"], "metric": metric, **kept}
    made = record(score=score, scores={"task": score}, metric=metric, predictions={"task": asked})
    store.put(made)
    assert list(audit.faults(store)) == []
    (problem,) = audit.reproduce(replace(made, score=0.6, scores={"task": 0.6}), gold_of(store))
    assert f"predictions on task give {score:.6f}, the record says 0.6" in problem
    (problem,) = audit.reproduce(replace(made, predictions={"task": {**asked, "metric": "luck"}}), gold_of(store))
    assert "cannot be read (KeyError" in problem
    nothing = {**asked, "gold": store.put_gold([]), "rows": 0, "classes": "", "values": ""}
    (problem,) = audit.reproduce(replace(made, predictions={"task": nothing}), gold_of(store))
    assert "gold labels are not 0 rows" in problem


def test_whatever_a_record_keeps_of_answers_is_published_with_its_gold_and_checked(root: Path) -> None:
    local, other = Store(root / LOCAL), [[1], [0], [1], [1]]
    dev = {"gold": local.put_gold(other), "rows": 4, "outputs": ["joy"], "bits": pack([[1], [0], [0], [0]])}
    told = {"gold": local.put_gold(GOLD), "rows": 4, "outputs": ["joy", "fear", "anger"], "bits": pack(SAID)}
    ties = record(
        "ties", score=0.5, scores={"isear": 0.5}, predictions={"isear": told}, dev={"predictions": {"tec": dev}}
    )
    details = {"members": {"m": {"isear": 0.5}}, "answers": {"m": {"test": {"isear": told}, "dev": {"tec": dev}}}}
    local.put(ties)
    local.put(record("avg", score=0.5, scores={"isear": 0.5}, details=details))
    assert run(root, "publish") == run(root, "check") == 0
    assert Store(root / PUBLISHED).gold(dev["gold"]) == other
    gold = gold_of(local)
    lie = replace(record("avg"), details={**details, "members": {"m": {"isear": 0.6}}})
    (problem,) = audit.reproduce(lie, gold)
    assert problem.endswith("predictions of member m on test rows of isear give 0.500000, the record says 0.6")
    (problem,) = audit.reproduce(replace(ties, dev={"predictions": {"tec": {**dev, "rows": 5}}}), gold)
    assert "predictions on development rows of tec cannot be read" in problem


def test_publish_then_check_is_fine(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "publish") == 0
    assert run(root, "check") == 0
    assert "| [simple](methods/simple.md) | **50.00 (n=1)** |" in (root / PAGE).read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# Hello\n\n{BEGIN}\n- {NOTHING}\n\n|") and readme.endswith(f"{END}\n\nBye\n")
    assert "before all" not in readme
    capsys.readouterr()
    assert run(root, "publish") == 0
    assert capsys.readouterr().out == "0 of 2 records copied to leaderboard/results\n"


def test_the_home_of_the_site_has_the_advice_and_is_checked_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = root / DOCS / "README.md"
    home.parent.mkdir()
    home.write_text(f"# Home\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    assert run(root, "publish") == 0 and run(root, "check") == 0
    assert home.read_text(encoding="utf-8") == f"# Home\n\n{BEGIN}\n- {NOTHING}\n{END}\n"
    home.write_text(f"# Home\n\n{BEGIN}\nmine\n{END}\n", encoding="utf-8")
    capsys.readouterr()
    assert run(root, "check") == 1
    assert capsys.readouterr().err.startswith("leaderboard: docs/README.md: not what")
    home.write_text(BEGIN, encoding="utf-8")
    assert run(root, "check") == 1
    assert "docs/README.md: wanted one" in capsys.readouterr().err


def strangers(root: Path) -> dict[Path, str]:
    """Files in the generated folders that somebody else put there."""
    mine = {root / DOCS / "leaderboard" / name: "my notes" for name in ("notes.md", "figures/mine.svg", "a/b.txt")}
    for path, text in mine.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return mine


def test_what_publish_did_not_write_is_named_and_stays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    mine = strangers(root)
    assert run(root, "publish") == 0
    capsys.readouterr()
    assert run(root, "check") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(mine) and all("publish did not write it; move it elsewhere" in line for line in said)
    assert {path: path.read_text(encoding="utf-8") for path in mine} == mine


@pytest.mark.parametrize("written", [True, False], ids=["edited since", "never written by publish"])
def test_a_page_that_is_somebodys_own_is_not_overwritten(
    root: Path, written: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if written:
        run(root, "publish")
    for name in ("leaderboard.md", "leaderboard/tiny-encoder.md"):
        (root / DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (root / DOCS / name).write_text("mine", encoding="utf-8")
    for _ in range(2):  # nor by the next one, which finds its own list
        capsys.readouterr()
        assert run(root, "publish") == 1
        said = capsys.readouterr().err.splitlines()
        assert [line.split(": ")[1] for line in said] == ["docs/leaderboard.md", "docs/leaderboard/tiny-encoder.md"]
        assert all("move it elsewhere and publish again" in line for line in said)
        assert (root / PAGE).read_text(encoding="utf-8") == "mine"
    (root / PAGE).unlink()
    (root / DOCS / "leaderboard" / "tiny-encoder.md").unlink()
    assert run(root, "publish") == 0 and run(root, "check") == 0


def test_pages_from_before_there_was_a_list_are_known_by_what_they_say_of_themselves(root: Path) -> None:
    run(root, "publish")
    (root / DOCS / LIST).unlink()
    (root / PAGE).write_text((root / PAGE).read_text(encoding="utf-8").replace("50.00", "49.00"), encoding="utf-8")
    assert run(root, "publish") == 0 and run(root, "check") == 0


@pytest.mark.parametrize("edited", [False, True])
def test_pages_of_a_model_that_is_gone_are_removed_unless_somebody_edited_them(
    root: Path, edited: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    page = root / DOCS / "leaderboard" / "tiny-encoder.md"
    figures = [path for path in (root / DOCS / "leaderboard" / "figures").iterdir() if "tiny-encoder" in path.name]
    if edited:
        page.write_text(page.read_text(encoding="utf-8") + "my remark\n", encoding="utf-8")
    for path in Store(root / PUBLISHED).paths():
        path.unlink()
    capsys.readouterr()
    assert run(root, "publish", "--results", str(PUBLISHED)) == edited
    out, err = capsys.readouterr()
    assert page.exists() == edited and not any(path.exists() for path in figures)
    assert "files removed that no record needs any more" in out
    assert ("docs/leaderboard/tiny-encoder.md: edited since it was written, so it stays" in err) == edited


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', "[" * 100_000, '"half \\ud800"'])
def test_a_list_of_written_files_that_is_none_is_one_line(
    root: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    (root / DOCS / LIST).write_text(text, encoding="utf-8")
    capsys.readouterr()
    for command in ("check", "publish"):
        assert run(root, command) == (0 if (text, command) == ('{"a": 1}', "publish") else 1)
        assert capsys.readouterr().err.count("generated.json") == (
            0 if (text, command) == ('{"a": 1}', "publish") else 1
        )


def test_a_list_that_names_files_elsewhere_removes_none_of_them(root: Path) -> None:
    run(root, "publish")
    for name in ("LOG.md", "leaderboard/../LOG.md", "../secret", str(root / "secret")):
        path = root / DOCS / name
        path.write_text("mine", encoding="utf-8")
        (root / DOCS / LIST).write_text(json.dumps({name: hash_of("mine")}), encoding="utf-8")
        assert run(root, "publish") == 0
        assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", [PAGE, Path("README.md")])
def test_check_sees_one_changed_byte(root: Path, name: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    (root / name).write_bytes((root / name).read_bytes().replace(b"50.00", b"50.01"))
    capsys.readouterr()
    assert run(root, "check") == 1
    assert capsys.readouterr().err.startswith(f"leaderboard: {name}: not what")


def test_a_score_that_predictions_do_not_give_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = Store(root / LOCAL)
    answered(local, score=0.6, scores={"isear": 0.6})
    assert run(root, "publish") == 1
    assert "predictions on isear give 0.500000, the record says 0.6" in capsys.readouterr().err
    assert len(Store(root / PUBLISHED).paths()) == 1


def test_check_reproduces_published_scores(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    answered(Store(root / PUBLISHED), score=0.6, scores={"isear": 0.6})
    assert run(root, "check") == 1
    assert "give 0.500000" in capsys.readouterr().err


def test_check_misses_gold_labels(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    for path in (root / PUBLISHED / "gold").glob("*.json"):
        path.unlink()
    assert run(root, "check") == 1
    assert "gold labels named by a record cannot be read" in capsys.readouterr().err


def damage(path: Path, **changes: object) -> None:
    """Overwrite fields of a stored record."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {}}, "does not hash to key"),
        ({"schema": 0}, "not of schema 1 or 2"),
        ({"score": "0.5"}, "score is '0.5'"),
        ({"score": float("nan")}, "NaN is no number"),
        ({"score": 0.9}, "not the mean"),
        ({"members": 7}, "members is 7"),
        ({"seed": 2}, "belongs to"),
        ({"predictions": {"isear": {"gold": "../../../secret"}}}, "name no gold labels"),
        ({"surprise": 1}, "unknown fields"),
    ],
)
def test_a_damaged_record_is_one_line_and_never_shown(
    root: Path, changes: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    (path,) = (p for p in Store(root / PUBLISHED).paths() if p.name.startswith("simple"))
    damage(path, **changes)
    capsys.readouterr()
    assert run(root, "check") == 1
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[0]
    assert "emotion/in_domain/tiny-encoder/simple-s1-" in lines[0]
    stale = "not what the published records say; run python -m leaderboard publish"
    assert f"leaderboard: docs/leaderboard.md: {stale}" in lines and f"leaderboard: README.md: {stale}" in lines
    assert all(re.search("docs/(leaderboard|methods)|README.md", line) for line in lines[1:])


def test_a_thousand_damaged_records_hide_neither_the_rest_nor_the_count(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(p.parent for p in Store(root / LOCAL).paths() if p.name.startswith("avg"))
    for seed in range(1000):
        (folder / f"ties-s9-{seed:016x}.json").write_text("{", encoding="utf-8")
    assert run(root, "publish") == 1
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 201 and "and 800 more lines like these" in told.err
    assert "leaderboard.md" in told.out and "tiny-encoder" in (root / PAGE).read_text(encoding="utf-8")


def test_what_is_no_file_is_no_record_and_a_folder_that_is_no_checkout_stays_as_it_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = (p for p in Store(root / LOCAL).paths() if p.name.startswith("avg"))
    os.mkfifo(path.with_name("ties-s9-0123456789abcdef.json"))  # who opened it would wait for ever
    assert run(root, "publish") == 0
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()
    assert run(elsewhere, "publish", f"--results={root / LOCAL}") == 2
    assert "no README.md in" in capsys.readouterr().err and not list(elsewhere.iterdir())


def test_half_a_file_is_reported_by_show(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = (p for p in Store(root / LOCAL).paths() if p.name.startswith("avg"))
    path.write_text(path.read_text(encoding="utf-8")[:50], encoding="utf-8")
    assert run(root, "show") == 1
    out, err = capsys.readouterr()
    assert "simple" in out and "avg" not in out
    assert err.count("\n") == 1 and "not a whole JSON record" in err


def test_one_marker_alone_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "README.md").write_text(BEGIN, encoding="utf-8")
    assert run(root, "publish") == 1
    assert "README.md: wanted one" in capsys.readouterr().err


def test_a_missing_store_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "show") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_nothing_here_imports_torch(root: Path) -> None:
    program = (
        "import sys, leaderboard.tables.table, leaderboard.pages.pages, leaderboard.plugin\n"
        "from leaderboard.__main__ import main\n"
        "assert 'torch' not in sys.modules\n"
        f"assert main(['--root', {str(root)!r}, 'show']) == 0\n"
        "heavy = {'torch', 'transformers', 'datasets', 'huggingface_hub', 'methods.base'} & set(sys.modules)\n"
        "above = ('storage', 'families', 'members', 'cells', 'session', 'export')\n"  # the suites
        "ours = {n for n in sys.modules if n.startswith(tuple(f'harness.{room}' for room in above))}\n"
        "judging = {n for n in sys.modules if n.startswith('harness.judging.')}\n"
        "ours |= {n for n in judging if not n.startswith('harness.judging.rowwise')}\n"
        "assert not heavy and not ours, (heavy, ours)\n"
    )
    checkout = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": {"merge_seconds": 10**400}},
        {"cost": {"merge_seconds": 1e308}},
        {"dev": {"history": [1e308, -1e308]}},
        {"dev": {"history": [10**400, 1]}},
        {"coverage": "9" * 5000 + " of 5"},
        {"heads": "\ud800"},
        {"environment": {"command": "\ud800", "commit": "0"}},
        {"population": "p" * 254},
        {"details": {"deep": json.loads("[" * 60 + "]" * 60)}},
    ],
    ids=["cost", "seconds", "history", "calls", "coverage", "heads", "command", "population", "details"],
)
def test_what_no_record_can_hold_is_one_line_and_the_others_are_published(
    root: Path, changes: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    made = record("ties", score=0.4, scores={"isear": 0.4})
    path = Store(root / PUBLISHED).put(made)
    damage(path, **changes)
    capsys.readouterr()
    for command in ("check", "publish", "show"):
        assert run(root, command, *(() if command == "check" else ("--results", str(PUBLISHED)))) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "/ties-s1-" in said, (command, said)


@pytest.mark.parametrize(
    "kept",
    [
        {"classes": [10**400, 1]},
        {"classes": [[0], [1]]},
        {"classes": "01", "metric": "none"},
        {"bits": "eJwDAAAAAAE="},
        {"numbers": "AAA="},
    ],
    ids=["huge", "nested", "metric", "bits", "numbers"],
)
def test_predictions_that_are_none_are_one_line(
    root: Path, kept: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(root / PUBLISHED)
    told = {"gold": store.put_gold([[0], [1]]), "rows": 2, "outputs": ["a"], "metric": "accuracy", **kept}
    damage(store.put(record("ties", score=0.5, scores={"isear": 0.5})), predictions={"isear": told})
    run(root, "publish", "--results", str(PUBLISHED))
    capsys.readouterr()
    assert run(root, "check") == 1
    assert any("ties-s1-" in line for line in capsys.readouterr().err.splitlines())


def test_predictions_that_swell_are_refused_before_they_do(root: Path) -> None:
    whole, store = zlib.compressobj(9), Store(root / LOCAL)
    bomb = b"".join(whole.compress(bytes(1 << 20)) for _ in range(64)) + whole.flush()
    for kept, gold in (("bits", GOLD), ("numbers", [[1]] * 4)):
        told = {"rows": 4, "outputs": ["a"] * len(gold[0]), "metric": "accuracy", "gold": store.put_gold(gold)}
        made = record(predictions={"isear": {**told, kept: base64.b64encode(bomb).decode()}})
        tracemalloc.start()
        (problem,) = audit.reproduce(made, gold_of(store))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
        assert "these bytes of predictions cannot be what their rows and outputs ask for" in problem


def test_an_edited_record_is_seen_by_its_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    (path,) = (p for p in Store(root / PUBLISHED).paths() if p.name.startswith("avg"))
    damage(path, score=0.4, scores={"isear": 0.4})
    run(root, "publish")
    capsys.readouterr()
    assert run(root, "check") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "its name does not hold the hash of its content" in line


def test_a_copied_record_is_given_its_published_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    Store(root / PUBLISHED).put(record("avg", seed=2, score=0.4, scores={"isear": 0.4}))
    Store(root / PUBLISHED).put(record("avg", score=0.31, scores={"isear": 0.31}))  # again, of a cell that is there
    assert run(root, "check") == 1
    capsys.readouterr()
    assert run(root, "publish") == 0 and run(root, "check") == 0, capsys.readouterr().err


def test_files_that_nothing_names_are_reported(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    for name in ("gold/ffffffffffffffff.json", "emotion/lost.json", "emotion/in_domain/tiny-encoder/sub/r.json"):
        path = root / PUBLISHED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]", encoding="utf-8")
    capsys.readouterr()
    assert run(root, "check") == 1
    assert [line.count("nothing names it") for line in capsys.readouterr().err.splitlines()] == [1, 1, 1]


def test_what_moves_a_cursor_is_not_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = Store(root / LOCAL)
    local.put(record("ties", score=0.4, scores={"isear": 0.4}, cost={"x\nleaderboard: fake\x1b[31m": -1}))
    assert run(root, "publish") == 1
    said = capsys.readouterr().err
    assert "\x1b" not in said and not any(line.startswith("leaderboard: fake") for line in said.splitlines())


def test_a_faulty_record_does_not_hide_a_healthy_one_of_its_cell(root: Path) -> None:
    local = Store(root / LOCAL)
    made = answered(local)
    path = local.put(replace(made, environment={}))
    path.rename(path.with_name(f"{path.stem}-00000000.json"))
    answered(local)
    assert run(root, "publish") == 1
    assert any(p.name.startswith("simple") for p in Store(root / PUBLISHED).paths())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "ties"}, "its recipe is one of 'simple', the record says 'ties'"),
        ({"model": "gpt2"}, "its recipe's model.name is 'tiny-encoder', the record says 'gpt2'"),
        ({"heads": "diff"}, "its recipe's population.heads is 'same', the record says 'diff'"),
        ({"environment": {"command": "pytest suites/"}}, "its environment names no commit"),
        ({"cost": {"merge_seconds": -1.0}}, "merge_seconds is -1.0"),
        ({"dev": {"calls": "many"}}, "dev calls is 'many'"),
        ({"predictions": {}}, "no predictions, so its score cannot be checked"),
    ],
)
def test_a_submission_that_cannot_be_true_is_one_line_and_not_published(
    root: Path, changes: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    local = Store(root / LOCAL)
    made = answered(local)
    (local.root / made.path).unlink()
    false = replace(made, **changes)  # type: ignore[arg-type]
    local.put(false)
    assert run(root, "publish") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    Store(root / PUBLISHED).put(false)
    Store(root / PUBLISHED).put_gold(GOLD)
    assert run(root, "check") == 1
    assert said in capsys.readouterr().err


def test_two_peoples_records_of_one_cell_are_two_files_and_one_row(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "publish")
    (mine,) = (p for p in Store(root / PUBLISHED).paths() if p.name.startswith("simple"))
    theirs = root / "theirs"
    answered(Store(theirs / LOCAL), environment={"command": "pytest suites/ -n 2", "commit": "fedcba9876543210"})
    (theirs / "README.md").touch()
    run(theirs, "publish")
    (other,) = Store(theirs / PUBLISHED).paths()
    assert other.parent.name == mine.parent.name and other.name != mine.name
    other.rename(mine.with_name(other.name))  # a submission is a copied file
    capsys.readouterr()
    assert run(root, "publish") == 0 and run(root, "check") == 0, capsys.readouterr().err
    page = (root / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert page.count("| [simple](methods/simple.md) |") == 1
    assert len(audit.load(Store(root / PUBLISHED)).repeats) == 1


def test_two_runs_of_one_recipe_far_apart_are_reported(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "publish")
    Store(root / PUBLISHED).put(record("avg", score=0.6, scores={"isear": 0.6}))
    capsys.readouterr()
    assert run(root, "check") == 1
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "of the same recipe" in line)
    assert "0.3" in line and "0.6" in line


def test_check_says_what_it_does_and_that_all_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "publish") == 0
    capsys.readouterr()
    assert run(root, "check") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("checking every published record") and last.startswith("2 records are sound")
