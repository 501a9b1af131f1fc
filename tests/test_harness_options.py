"""The command line: every wrong word ends in one line and exit code 4, before anything is collected or trained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import harness.plugin
from harness import parsing
from harness.checkpoints.names import ModelName, parse
from harness.errors import BadModel
from harness.protocol import protocols
from harness.protocol.changed import with_setting
from harness.protocol.protocols import PROTOCOLS, named, tailored
from harness.session import options, selection
from harness.session.command import command_of
from harness.storage.zoo import save_weights
from harness.suites import resolve as suite_of
from harness.suites.tailoring import protocol_of
from methods import resolve
from methods.errors import UnknownName
from tests.hub_server import Hub
from tests.small_world import Project, make_lab
from tests.test_harness_data import GOOD, write

WRONG_NUMBERS = ("0", "-1", "1.5", "1e3", "100000", "nan", "", "many", "9" * 5000)
PLAIN = ("model", "method", "data", "protocol", "seeds", "heads", "set", "member", "results", "cache", "grid")
PLAIN += ("export", "threads", "trust-remote-code", "checkpoint-minutes")


def refused(result: pytest.RunResult) -> str:
    """The one line that a session with a wrong word ends with."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.stderr.lines if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("ERROR: "), lines
    result.stdout.no_fnmatch_line("collected*")
    return lines[0]


# -- wrong words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model=robreta-base"], "no model named 'robreta-base'. Did you mean 'roberta-base'?"),
        (["--model=tiny-encodr"], "no model named 'tiny-encodr'. Did you mean 'tiny-encoder'?"),
        (["--model=./nowhere"], "--model ./nowhere: there is no folder nowhere"),
        (["--model=mine=./nowhere"], "--model mine=./nowhere: there is no folder nowhere"),
        (["--model=suites/"], "suites has no config.json; name a folder in transformers' layout"),
        (["--method=tise"], "no merging method named 'tise'. Did you mean 'ties'?"),
        (["--method=evolvr"], "no merging method named 'evolvr'. Did you mean 'evolver'?"),
        (["--method=fischer_evolver"], "no merging method named 'fischer_evolver'. Did you mean 'fisher_evolver'?"),
        (["--method=domain_specifc"], "no merging method named 'domain_specifc'. Did you mean 'domain_specific'?"),
        (["--method=evolver_evolver"], "'evolver_evolver' would evolve an evolution"),
        (["--method=simple", "--method=tise"], "no merging method named 'tise'"),
        (["--protocol=papr"], "no protocol named 'papr'. Did you mean 'paper'?"),
        (["--set=epoch=3"], "no protocol option named 'epoch'. Did you mean 'epochs'?"),
        (["--set=ties.kk=3"], "no option of ties named 'kk'. Did you mean 'k'?"),
        (["--set=tise.k=3"], "no merging method named 'tise'. Did you mean 'ties'?"),
        (["--method=simple", "--set=ties.kk=3"], "no option of ties named 'kk'"),
        (["--method=avg", "--set=tise.k=3"], "no merging method named 'tise'"),
        (["--set=name=paper"], "no protocol option named 'name'"),
        (["--set=seeds=1"], "no protocol option named 'seeds'"),
        (["--set=epochs"], "--set epochs: write NAME=VALUE"),
        (["--set=epochs=three"], "--set epochs=three: epochs is a"),
        (["--set=epochs=2.5"], "--set epochs=2.5: epochs is a"),
        (["--set=epochs=0"], "epochs is 0; it must be"),
        (["--set=epochs=none"], "--set epochs=none: epochs is a"),
        (["--set=train_rows=-1"], "train_rows is -1; it must be"),
        (["--set=learning_rate=nan"], "learning_rate"),
        (["--set=learning_rate=inf"], "learning_rate"),
        (["--set=threshold=nan"], "threshold"),
        (["--set=dev_fraction=0"], "dev_fraction is 0"),
        (["--set=fisher_per_example=maybe"], "fisher_per_example is true or false"),
        (["--set=checkpoint=best"], "no value for checkpoint named 'best'. Did you mean 'best_dev'?"),
        (["--set=ties.k=much"], "ties.k is 'much'; it must be a finite number"),
        (["--set=ties.k=nan"], "ties.k is 'nan'; it must be a finite number"),
        (["--set=evolver.Cr=2"], "evolver.Cr is 2.0; it must lie in 0..1"),
        (["--method=ties_cmaa"], "no merging method named 'ties_cmaa'. Did you mean 'ties_cma'?"),
        (["--method=search"], "'search' searches the options of a method; name it with one, as <method>_<optimiser>"),
        (["--method=cma"], "'cma' searches the options of a method; name it with one, as <method>_cma"),
        (["--method=ties_cma_random"], "'ties_cma_random' would search a search"),
        (["--method=ties_cma_evolver"], "'ties_cma_evolver' would evolve a search"),
        (["--method=simple", "--set=searhc.budget=3"], "no merging method named 'searhc'. Did you mean 'search'?"),
        (["--method=simple", "--set=cmaa.sigma=1"], "no merging method named 'cmaa'. Did you mean 'cma'?"),
        (["--method=simple", "--set=search.budgett=3"], "no option of search named 'budgett'. Did you mean 'budget'?"),
        (["--method=simple", "--set=cma.sigm=1"], "no option of cma named 'sigm'. Did you mean 'sigma'?"),
        (["--set=search.budget=0"], "search.budget is 0; it must lie in 1..1000000"),
        (["--set=search.layers=block"], "no value of search.layers named 'block'. Did you mean 'blocks'?"),
        (
            ["--method=ties_cma", "--set=search.over=lamda"],
            "for search.over named 'lamda'. Did you mean 'lambda'?",
        ),
        (["--method=ties_cma", "--set=search.bounds=k:1:0"], "search.bounds has 'k:1:0', which ends before it begins"),
        *(
            ([f"--budget-evaluations={n}"], f"--budget-evaluations {n}: write a whole number from 1 to 1,000,000")
            for n in ("1000001", *WRONG_NUMBERS)
            if n != "100000"
        ),
        *(
            (
                ["--budget-evaluations=5", f"--set={name}=5"],
                f"--budget-evaluations=5 sets {name}, and so does --set {name}=5; leave one out",
            )
            for name in options.BUDGETS
        ),
        (["--tuned=gird"], "no optimiser for --tuned named 'gird'. Did you mean 'grid'?"),
        (["--tuned=ties"], "no optimiser for --tuned named 'ties'. Known: catcma, cma, coordinate, grid, random"),
        (["--tuned=grid", "--tuned=cma"], "--tuned is given twice, grid and cma; leave one out"),
        (["--method=task_arithmetic", "--tuned", "--set=task_arithmetic.lambda=5"], "lambda is 5, outside of 0 to 3"),
        (["--seeds=0"], "--seeds 0: write whole numbers from 1 up"),
        (["--seeds=one"], "--seeds one: write whole numbers"),
        (["--seeds="], "--seeds : write whole numbers"),
        (["--seeds=3-1"], "--seeds 3-1: write whole numbers"),
        (["--seeds=1,,2"], "--seeds 1,,2: write whole numbers"),
        (["--seeds=-1"], "--seeds -1: write whole numbers"),
        (["--seeds=1-3000000"], "--seeds 1-3000000: a seed is a whole number from 1 to 1,000,000"),
        (["--seeds=1-1001"], "--seeds 1-1001: a session has at most 1,000 seeds"),
        (["--seeds=1-600,601-1200"], "a session has at most 1,000 seeds"),
        (["--seeds=" + "9" * 5000], "a seed is a whole number from 1 to 1,000,000"),
        *(([f"--threads={n}"], f"--threads {n}: write a whole number from 1 to ") for n in WRONG_NUMBERS),
        *(
            ([f"--grid={n}"], f"--grid {n}: write 0, or a whole number from 2 to 201")
            for n in ("1", *WRONG_NUMBERS[1:])
        ),
        (["--heads=other"], "no value of --heads named 'other'. Known: diff, same"),
        (["--speed-shape=roberta-bse"], "no value of --speed-shape named 'roberta-bse'. Did you mean 'roberta-base'?"),
        (["--set=epochs=3", "--set=epochs=4"], "--set epochs is given twice, 3 and 4; leave one out"),
        (["--set=ties.k=.3", "--set=ties.k=.4"], "--set ties.k is given twice, .3 and .4; leave one out"),
        *(
            ([f"--{n}=a", f"--{n}", "b"], f"--{n} is given twice, a and b; leave one out")
            for n in ("data", "protocol", "seeds", "heads", "results", "cache", "export", "threads", "grid")
        ),
        (["--model="], "no model named ''"),
        *(([f"--model={word}"], f"--model {word}: write NAME=FOLDER") for word in ("=suites", "x=", "=", " =suites")),
        (["--model=./lr=1e-5"], "--model ./lr=1e-5: there is no folder ./lr=1e-5"),
        (["--model=mine=tiny"], "--model mine=tiny: tiny is built in place and keeps its name; write --model=tiny"),
        (["--model=" + "x" * 121 + "=a/b"], "a name has at most 120 characters"),
        (["--model=" + "x" * 5000], "no model named 'xx"),
        (["--model=tiny-encoder=a/b"], "tiny-encoder names an embedded model; give it another name"),
        (["--model=x=~nobody-of-this-name/b"], "there is no folder ~nobody-of-this-name/b"),
        *(
            ([f"{option}=~nobody-of-this-name/b", *more], "~nobody-of-this-name/b: there is no home of nobody-of-this")
            for option, *more in (
                *(["--results"], ["--cache"], ["--export", "--model=tiny-encoder"], ["--leaderboard"], ["--task"]),
                *(["--trust-remote-code"], ["--data", "--model=roberta-base"]),
            )
        ),
        *(([f"--{name}=a\nb"], f"--{name} 'a\\nb': it holds the character '\\n'") for name in PLAIN),
        (["--method=\0"], "--method '\\x00': it holds the character '\\x00'"),
        (["--model=\udcff"], "--model '\\udcff': it holds the character '\\udcff'"),
        (["--results=x", "--cache=./x"], "--results and --cache are both "),
        (["--cache=a", "--zoo=b"], "--cache is given twice, a and b; leave one out"),
        (["--zoo="], "--cache : write --cache=FOLDER"),
        (["--results="], "--results : write --results=FOLDER"),
        (["--model=tiny-encoder", "--export="], "--export: write --export=FOLDER"),
        (["--model=tiny-encoder", "--export=suites"], "suites: it is not empty (test_emotion.py is in it)"),
        (["--model=tiny-encoder", "--export=pyproject.toml"], "pyproject.toml: it is no folder; name a folder"),
        (
            ["--model=tiny-encoder", "--export=x", "--zoo=./x"],
            "x: it is the folder of --cache; name another folder",
        ),
        (["--export=out"], "--export writes one winner, and there are tiny-encoder, tiny-decoder, "),
        (["--member=isear="], "--member isear=: write NAME=FOLDER"),
        (["--member=isear=" + "x" * 5000], "has no config.json"),
        (["--member=isear"], "--member isear: write NAME=FOLDER"),
        (["--member=iser=."], "no corpus that members are trained on named 'iser'. Did you mean 'isear'?"),
        (["--member=ssec=."], "no corpus that members are trained on named 'ssec'"),
        (["--member=isear=./nowhere"], "--member isear=./nowhere: ./nowhere has no config.json"),
        (
            ["--model=roberta-base", "--data=suites"],
            "--data suites: there is neither emotion/unified-dataset.jsonl",
        ),
        (["--model=roberta-base", "--data=nowhere"], "--data nowhere: there is neither emotion/unified-dataset.jsonl"),
        (["--model=tiny-encoder", "--data=hub"], "--model tiny-encoder knows only the words of its made-up world"),
        (["--model=x=roberta-base", "--model=x=distilbert-base-uncased", "--data=data"], "two models are called x"),
        (
            ["--model=a b=roberta-base", "--model=a_b=distilbert-base-uncased", "--data=data"],
            "two models are called a_b",
        ),
        (["--model=tiny-encoder", "--data=data"], "--model tiny-encoder knows only the words of its made-up world"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_word_is_one_line(words: list[str], said: str, project: Project) -> None:
    write(project.path / "data", *GOOD)
    config = project.pytester.parseconfig("suites/", *words)
    with pytest.raises(pytest.UsageError) as error:
        options.read(config)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("quiet", [(), ("-q", "--collect-only")], ids=["aloud", "quietly"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method=tise"], "no merging method named 'tise'. Did you mean 'ties'?"),
        (
            ["--model=roberta-base", "--data=broken"],
            "unified-dataset.jsonl, line 3: not a row of a unified emotion file",
        ),
    ],
    ids=["name", "data"],
)
def test_a_wrong_word_ends_the_session(words: list[str], said: str, quiet: tuple[str, ...], project: Project) -> None:
    write(project.path / "broken", *GOOD[:2], "{", *GOOD)
    for arguments in (["suites/"], ["."], ["suites/test_emotion.py::test_in_domain"]):
        result = project.pytester.runpytest_inprocess(*arguments, *words, *quiet, "-p", "no:cacheprovider")
        assert said in refused(result)


def test_a_model_with_code_of_its_own_ends_the_session_unless_trusted(project: Project) -> None:
    write(project.path / "data", *GOOD)
    (project.path / "mini").mkdir()
    config = {"model_type": "minicpm", "auto_map": {"AutoModelForCausalLM": "modeling.Mini"}}
    (project.path / "mini" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    words = ["suites/test_emotion.py", "--model=./mini", "--data=data", "--collect-only", "-p", "no:cacheprovider"]
    assert "mini runs code of its own (modeling.Mini): add --trust-remote-code" in refused(
        project.pytester.runpytest_inprocess(*words)
    )
    assert project.pytester.runpytest_inprocess(*words, "--trust-remote-code").ret != pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("data", [(), ("--data=hub",)], ids=["unsaid", "said"])
@pytest.mark.parametrize("model", ["roberta-base", "mine"])
def test_a_hub_that_cannot_be_reached_ends_the_session(
    model: str, data: tuple[str, ...], glue_project: Project, hub: Hub, small_zoo: Path
) -> None:
    hub.down, project = ("/",), glue_project
    shutil.copytree(make_lab(small_zoo).subject.folder, project.path / "mine")
    words = ["suites/", f"--model={model}", *data, "-p", "no:cacheprovider"]
    said = refused(project.pytester.runpytest_inprocess(*words))
    what = {"roberta-base": "model FacebookAI/roberta-base", "mine": "nyu-mll/glue"}[model]
    assert f"{what}: not in the local cache, and {hub.endpoint} answers with error 500" in said


@pytest.mark.parametrize("data", [(), ("--data=hub",)], ids=["unsaid", "said"])
def test_emotion_alone_needs_a_folder(data: tuple[str, ...], project: Project, small_zoo: Path) -> None:
    shutil.copytree(make_lab(small_zoo).subject.folder, project.path / "mine")
    words = ["suites/test_emotion.py", "--model=mine", *data, "-p", "no:cacheprovider"]
    said = refused(project.pytester.runpytest_inprocess(*words))
    assert "--model mine: the hub has no emotion corpora: give --data=FOLDER with emotion/unified-" in said
    assert "run the scripts of github.com/sarnthil/unify-emotion-datasets" in said


def test_a_wrong_word_ends_the_session_from_inside_the_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path / "suites")
    assert "Did you mean 'ties'?" in refused(project.pytester.runpytest_inprocess("--method=tise"))


def test_where_no_suite_is_asked_the_options_are_not_looked_at(project: Project) -> None:
    path = project.pytester.makepyfile("def test_it(): pass")
    project.pytester.runpytest_inprocess(path.name, "--method=nonsense").assert_outcomes(passed=1)


# -- right words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1", (1,)), ("1,3,2", (1, 3, 2)), ("2-4", (2, 3, 4)), ("1-2, 5,2", (1, 2, 5)), ("7-7", (7,)), (None, None)],
)
def test_seeds_are_lists_and_ranges(text: str | None, seeds: tuple[int, ...] | None) -> None:
    assert parsing.seeds_of(text) == seeds


def test_the_papers_cells_are_listed_without_data_and_network(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("a list needs no network")

    monkeypatch.setattr("socket.socket.connect", unreachable)
    words = ["suites/", "-q", "--collect-only", "--model=roberta-base", "--model=microsoft/deberta-v3-large"]
    result = project.pytester.runpytest_inprocess(*words, "-p", "no:cacheprovider")
    listed = [line for line in result.outlines if "::" in line]
    rows = len(options.DEFAULT_METHODS)
    # Two models, five seeds: same and different heads, ten pairs with the same head, out of domain as in domain.
    assert len(listed) == len(set(listed)) == 2 * 5 * rows * (2 + 10 + 2) and result.ret == 0
    assert "suites/test_emotion.py::test_in_domain[roberta-base-s1-ties_evolver]" in listed
    assert "suites/test_emotion.py::test_in_domain[microsoft--deberta-v3-large-s5-diff-avg]" in listed
    assert "suites/test_emotion.py::test_pairwise[roberta-base-s3-dailydialog+isear-evolver]" in listed
    assert not (project.path / "results").exists() and not (project.path / ".mergeboard").exists()


class Listed:
    """One of hundreds of thousands of cells, which nobody can afford to compare with all others."""

    def __init__(self, path: Path, marks: tuple[str, ...], fixtures: tuple[str, ...] = ()) -> None:
        self.path, self.marks, self.fixturenames, self.asked = path, marks, fixtures, 0

    def get_closest_marker(self, name: str) -> Any:
        self.asked += 1
        return SimpleNamespace(args=[SimpleNamespace(examined=None)]) if name in self.marks else None

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a list of cells is gone through, not searched")

    __hash__ = None  # type: ignore[assignment]


def test_cells_are_sorted_out_in_one_pass(project: Project) -> None:
    suites = project.path / "suites"
    items = [Listed(suites / "test_glue.py", ("setting",)) for _ in range(9)]
    items += [Listed(suites / "test_speed.py", ()) for _ in range(9)]
    items += [Listed(suites / "test_landscape.py", ("setting",), ("landscape",)) for _ in range(9)]
    items += [Listed(suites / "test_speed.py", ("measures",)) for _ in range(9)]
    config = project.pytester.parseconfig("suites/", "--model=tiny")
    kept: list[Any] = list(items)
    harness.plugin.pytest_collection_modifyitems(config, kept)
    assert list(map(id, kept)) == list(map(id, items[:9]))
    for item in kept:
        item.config, item.asked = config, 0
    selection.require_cells(kept, 0)
    assert [item.asked > 0 for item in kept] == [True] + [False] * 8, "the first that can run is enough"


@pytest.mark.parametrize(
    ("words", "kept"),
    [((), False), (("--speed-shape=roberta-base",), True), (("suites/test_speed.py",), True)],
)
def test_a_folder_of_suites_measures_where_a_shape_or_the_file_is_named(
    words: tuple[str, ...], kept: bool, project: Project
) -> None:
    suites = project.path / "suites"
    items: list[Any] = [Listed(suites / "test_glue.py", ("setting",)), Listed(suites / "test_speed.py", ("measures",))]
    config = project.pytester.parseconfig("suites/", *words)
    harness.plugin.pytest_collection_modifyitems(config, items)
    assert len(items) == 1 + kept


def test_a_model_or_method_named_twice_is_run_once(project: Project) -> None:
    words = [
        "--model=tiny-encoder",
        "--model=tiny",
        "--model=tiny-encoder",
        "--method=simple",
        "--method=simple",
        "--seeds=1,1",
        "--heads=same",
    ]
    result = project.run(*words, "-q", "--collect-only", "-k", "in_domain")
    assert [line for line in result.outlines if "::" in line] == [
        f"suites/test_emotion.py::test_in_domain[tiny-{kind}-s1-simple]"
        for kind in ("encoder", "decoder", "encoder-decoder")
    ]


def test_without_a_model_the_three_tiny_ones_are_run(project: Project) -> None:
    words = ["suites/", "-q", "--collect-only", "--method=simple", "--seeds=1", "--heads=same", "-k", "in_domain"]
    result = project.pytester.runpytest_inprocess(*words, "-p", "no:cacheprovider")
    listed = [line.partition("[")[2] for line in result.outlines if "::" in line]
    assert listed == [f"tiny-{kind}-s1-simple]" for kind in ("encoder", "decoder", "encoder-decoder")]
    kinds = ("encoder", "decoder", "encoder-decoder", "llama")  # the last lives in the world of merging recipes alone
    assert parse("tiny") == [ModelName(f"tiny-{k}", f"tiny-{k}") for k in kinds]


def test_a_model_is_an_alias_a_hub_name_a_folder_or_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert parse("roberta-base") == [ModelName("roberta-base", "FacebookAI/roberta-base")]
    assert parse("org/name") == [ModelName("org/name", "org/name")]
    assert parse("short=org/name") == [ModelName("short", "org/name")]
    assert parse("./my-model") == parse("my-model") == parse(str(folder)) == [ModelName("my-model", str(folder))]
    assert parse("mine=./my-model") == [ModelName("mine", str(folder))]
    assert parse("tiny-encoder") == [ModelName("tiny-encoder", "tiny-encoder")]
    assert all(model.tiny for model in parse("tiny")) and not parse("roberta-base")[0].tiny
    with pytest.raises(BadModel, match="there is no folder"):
        parse("/nowhere/at/all")
    with pytest.raises(UnknownName, match="Did you mean 'deberta-v3-large'"):
        parse("deberta-v3-lage")


@pytest.mark.parametrize("name", ["lr=1e-5", "x=y=z", "=", "a=", "=b"])
def test_a_folder_is_found_whatever_signs_its_name_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / name / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    folder = str(tmp_path / "runs" / name)
    assert parse(f"./runs/{name}") == parse(f"runs/{name}/") == parse(folder) == [ModelName(name, folder)]
    assert parse(f"mine=./runs/{name}") == [ModelName("mine", folder)]
    monkeypatch.chdir(tmp_path / "runs")
    assert parse(name) == [ModelName(name, folder)]


def test_members_are_folders_with_any_name_and_each_corpus_has_one(project: Project) -> None:
    for name in ("lr=1e-5", "other"):
        (project.path / name).mkdir()
        (project.path / name / "config.json").write_text("{}")
        save_weights({"a": torch.ones(1)}, project.path / name / "model.safetensors")
    given = ["--member=tec=./lr=1e-5", "--member=isear=other", f"--member=tec={project.path}/lr=1e-5"]
    found = options.read(project.pytester.parseconfig("suites/", *given))
    assert found.given == {("tec", None): str(project.path / "lr=1e-5"), ("isear", None): str(project.path / "other")}
    with pytest.raises(pytest.UsageError, match="--member tec is given twice"):
        options.read(project.pytester.parseconfig("suites/", *given, "--member=tec=other"))


def test_a_word_given_twice_alike_is_harmless(project: Project) -> None:
    words = ["--set=epochs=3", "--set=ties.k=0.3", "--set=epochs=3", "--model=tiny-encoder", "--model=tiny-encoder"]
    words += ["--seeds=2", "--seeds", "2"]
    found = options.read(project.pytester.parseconfig("suites/", *words))
    assert found.settings == ("epochs=3", "ties.k=0.3") and len(found.models) == 1


def test_the_cache_keeps_its_name_of_before_and_its_folder_of_before(project: Project) -> None:
    read = lambda *words: options.read(project.pytester.parseconfig("suites/", *words)).zoo  # noqa: E731
    kept = project.path / ".mergeboard"
    assert read() == kept / "cache" and read("--zoo=x") == read("--cache", "x") == project.path / "x"
    (kept / "zoo").mkdir(parents=True)
    assert read() == kept / "zoo"
    (kept / "cache").mkdir()
    assert read() == kept / "cache"


def test_what_a_project_always_asks_for_is_replaced_by_what_is_typed(project: Project) -> None:
    project.pytester.makepyprojecttoml('[tool.pytest]\naddopts = ["--seeds=1-3", "--model=tiny-encoder"]\n')
    assert options.read(project.pytester.parseconfig("suites/", "--seeds=2")).seeds == (2,)


def test_names_that_differ_only_by_signs_that_files_cannot_hold_are_refused(project: Project) -> None:
    (project.path / "base").mkdir()
    (project.path / "base" / "config.json").write_text("{}")
    (project.path / "link").symlink_to("base")
    write(project.path / "data", *GOOD)
    words = ["--model=模型=base", "--data=data"]
    options.read(project.pytester.parseconfig("suites/", *words, "--model=模型二=link"))
    (project.path / "other").mkdir()
    (project.path / "other" / "config.json").write_text("{}")
    with pytest.raises(pytest.UsageError, match="two models are called __ in names of files; name one of them"):
        options.read(project.pytester.parseconfig("suites/", *words, "--model=类型=other"))


def test_the_command_is_kept_without_anybodys_folders(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    config = project.pytester.parseconfig()
    home, node = str(project.path.parent / "home"), f"{project.path}/suites/test_emotion.py::test_in_domain"
    monkeypatch.setenv("HOME", home)
    words = ("suites/", "-k", "in_domain and ties", f"--data={home}", "--zoo", home, f"--model=mine={home}/model")
    words += ("--member", f"isear={home}", f"--results={home}", "--set=ties.k=0.3", "~/x", "../up", node)
    words += (f"--model={home}/lr=1", f"--member=tec={home}/lr=1e-5/best=2")
    params = pytest.Config.InvocationParams(args=words, plugins=None, dir=project.path)
    monkeypatch.setattr(config, "invocation_params", params)
    said = command_of(config)
    assert home not in said and str(project.path) not in said and "~" not in said and ".." not in said
    assert said == (
        "pytest suites/ -k 'in_domain and ties' --data=DATA --zoo FOLDER --model=mine=FOLDER --member isear=FOLDER "
        "--results=RESULTS --set=ties.k=0.3 FOLDER FOLDER suites/test_emotion.py::test_in_domain "
        "--model=FOLDER --member=tec=FOLDER"
    )


# -- protocols -------------------------------------------------------------------------------------------------------


def test_settings_become_values_of_their_fields_type() -> None:
    changed = named("paper")
    for setting in ("epochs=3", "learning_rate=2e-5", "train_rows=none", "dev_rows=7", "fisher_per_example=False"):
        changed = with_setting(changed, setting)
    changed = with_setting(with_setting(changed, "fitness_digits=5"), "gram_padding=counted")
    assert (changed.epochs, changed.learning_rate, changed.train_rows, changed.dev_rows) == (3, 2e-5, None, 7)
    assert (changed.fisher_per_example, changed.fitness_digits, changed.gram_padding) == (False, 5, "counted")
    assert with_setting(changed, "ties.k=0.3").methods == {"ties": {"k": "0.3"}}
    assert named("paper") == PROTOCOLS["paper"], "the named protocol stays as it is"


def test_a_budget_is_that_of_every_search_and_evolution(project: Project) -> None:
    words = ("suites/", "--model=tiny-encoder", "--set=ties.k=0.3", "--budget-evaluations=40")
    given = options.read(project.pytester.parseconfig(*words))
    methods = given.protocol_of(given.models[0]).methods
    assert [resolve(name, methods).budget for name in ("ties_cma", "simple_random", "fisher_evolver")] == [40] * 3
    assert given.protocol_of(given.models[0], settings=()).methods == named("quick").methods, "as it is without"
    plain = options.read(project.pytester.parseconfig(*words[:3]))
    assert (plain.budget, given.budget) == (None, 40) and plain.settings == ("ties.k=0.3",)


def test_the_second_papers_protocol_is_the_first_ones_with_its_searches() -> None:
    for tags in ({"encoder"}, {"encoder_decoder"}, {"decoder", "tiny"}):
        for suite in ("emotion", "glue"):
            paper, sakana = (protocol_of(named(name), suite_of(suite), tags) for name in ("paper", "sakana"))
            assert replace(sakana, name="paper", methods={}) == paper
    search: Any = resolve("dare_ties_cma", named("sakana").methods)
    assert (search.budget, search.layers, search.start, search.apart) == (1000, "blocks", "middle", 0)
    assert search.optimiser == replace(search.optimiser, sigma=1 / 6, mean="start", separable="no")
    assert search.inner == resolve("dare_ties"), "as mergekit orders its steps"


def test_a_setting_stands_above_the_architectures_own_values() -> None:
    official = tailored(named("official_code"), {"encoder", "distilbert"}, [])
    assert (official.learning_rate, official.checkpoint) == (2e-5, "last")
    assert tailored(named("official_code"), {"distilbert"}, ["learning_rate=1e-4"]).learning_rate == 1e-4
    assert tailored(named("paper"), {"encoder", "distilbert", "in_domain"}, []) == named("paper")


def test_values_of_a_context_hold_only_where_all_its_tags_do(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (("paper", "glue", {"epochs": 3}), ("paper", "glue tiny", {"epochs": 4}), ("quick", "glue", {"epochs": 5}))
    monkeypatch.setattr(protocols, "TAILORED", lines)
    paper = named("paper")
    assert tailored(paper, {"encoder", "emotion", "tiny"}, []) == paper
    assert tailored(paper, {"encoder", "glue"}, []).epochs == 3
    assert tailored(paper, {"encoder", "glue", "tiny"}, []).epochs == 4, "what stands later has the last word"
    assert tailored(paper, {"glue"}, ["epochs=9"]).epochs == 9


def test_a_methods_setting_joins_those_of_the_protocol() -> None:
    changed = with_setting(named("official_code"), "evolver.F=0.3")
    assert changed.methods["evolver"] == {**PROTOCOLS["official_code"].methods["evolver"], "F": "0.3"}
    assert changed.methods["ties"] == PROTOCOLS["official_code"].methods["ties"]


def test_code_is_trusted_folder_by_folder(project: Project) -> None:
    write(project.path / "data", *GOOD)
    for name in ("model", "member"):
        (project.path / name).mkdir()
        (project.path / name / "config.json").write_text('{"model_type": "bert"}')
        save_weights({"a": torch.ones(1)}, project.path / name / "model.safetensors")
    model, member = (str((project.path / name).resolve()) for name in ("model", "member"))
    words = ["suites/", f"--model=mine={model}", "--data=data", f"--member=isear={member}"]

    def trusted(*more: str) -> frozenset[str]:
        return options.read(project.pytester.parseconfig(*words, *more)).trust

    assert trusted() == frozenset()
    assert trusted("--trust-remote-code") == {model}
    assert trusted(f"--trust-remote-code={member}") == {member}
    assert trusted("--trust-remote-code=mine", "--trust-remote-code=./member") == {model, member}
    with pytest.raises(pytest.UsageError, match=r"--trust-remote-code suites/: no --model or --member lies there"):
        trusted("--trust-remote-code", "suites/")
    (project.path / "member" / "model.safetensors").unlink()
    (project.path / "member" / "adapter_config.json").write_text("{}")
    with pytest.raises(pytest.UsageError, match=r"is an adapter .* merge_and_unload"):
        trusted()


# -- which models, on how many cores ----------------------------------------------------------------------------------


def test_a_tiny_model_in_a_users_folder_is_a_model_like_any_other(small_zoo: Path, tmp_path: Path) -> None:
    shutil.copytree(make_lab(small_zoo).subject.folder, tmp_path / "mine")
    (model,) = parse(str(tmp_path / "mine"))
    assert not model.tiny and model.display == "mine"


@pytest.mark.parametrize(
    ("words", "cores", "workers"),
    [
        (["suites/"], 2, 2),
        (["suites/test_emotion.py"], 16, 4),
        (["suites/"], 1, None),
        (["suites/", "-n", "0"], 8, 0),
        (["suites/", "--model=tiny-encoder"], 8, None),
        (["suites/", "--collect-only"], 8, None),
        (["suites/test_speed.py"], 8, None),
        (["test_other.py"], 8, None),
    ],
)
def test_the_embedded_benchmark_takes_every_core_unless_told_otherwise(
    project: Project, monkeypatch: pytest.MonkeyPatch, words: list[str], cores: int, workers: int | None
) -> None:
    pytest.importorskip("xdist")
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    config = project.pytester.parseconfig(*words)
    harness.plugin.pytest_cmdline_main(config)
    assert config.option.numprocesses == workers


def test_a_worker_takes_no_workers(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    config = project.pytester.parseconfig("suites/")
    config.workerinput = {"workerid": "gw0"}
    harness.plugin.pytest_cmdline_main(config)
    assert config.option.numprocesses is None
    del config.workerinput
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    harness.plugin.pytest_cmdline_main(config)
    assert config.option.numprocesses is None
