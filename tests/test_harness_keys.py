"""The key of a kept thing is made of all that its maker is told: whatever changes, each in turn, the key is another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import harness.cells.identity
import harness.cells.landscape
from harness.cells.cell import PopulationKey, Source
from harness.cells.lab import Lab
from harness.cells.landscape import recipe as landscape_recipe
from harness.cells.recipe import NOTED, knobs_of, recipe_of
from harness.data.corpus import Corpus, Split
from harness.members import fisher, gram, tiny
from harness.protocol.parts import FisherSettings, GramSettings, Training, Wording
from harness.records.recipe import exam_key, recipe_key
from harness.suites.emotion import world as first_lesson
from harness.suites.emotion.labels import IN_DOMAIN
from harness.suites.glue import world as synthetic_glue
from harness.suites.setting import Setting
from tests.emotion_cells import IN, OUT, PAIR, cell
from tests.small_world import DECODER, TINY, SmallWorld, alone, bring, forget, make_lab, swap

ENGINE = {"torch": "2.13", "transformers": "5.23", "device": "cpu", "processor": "x86_64 avx2"}
TEC = alone("tec")
TRAINING = {  # a value for every field that is not the one in force
    "epochs": "3",
    "steps": "7",
    "check_every": "5",
    "learning_rate": "2e-3",
    "head_rate": "3",
    "batch_size": "16",
    "train_batches": "shuffled",
    "warmup": "0.1",
    "max_length": "40",
    "checkpoint": "last",
    "train_dtype": "bf16",
}
WORDING = {"examples": "one_question", "negatives": "all"}
CHOOSING = {"threshold": "-1.5", "fitness": "pooled", "fitness_digits": "4", "dtype": "bf16"}
FISHER = {"fisher_labels": "hard", "fisher_per_example": "false", "fisher_rows": "15", "max_length": "40"}
GRAM = {"gram_rows": "31", "gram_padding": "counted", "max_length": "40"}
Change = Callable[[pytest.MonkeyPatch, Lab], None]


def fingerprints(lab: Lab, name: str) -> None:
    """Another model in the same place."""
    lab.subject.__dict__["identity"] = {**lab.subject.identity, "fingerprint": name}


def shorter(split: Split) -> Split:
    """The same rows, the first one with a word less."""
    return replace(split, texts=(split.texts[0].partition(" ")[0], *split.texts[1:]))


def other_task(corpus: Corpus, **changes: Any) -> dict[str, Any]:
    return {"task": replace(corpus.task, **changes)}


COMMON: Mapping[str, Change] = {  # what decides a member, and so everything that is made of it
    "model": lambda patch, lab: fingerprints(lab, "0123"),
    "train rows": lambda patch, lab: swap(lab, "tec", train=shorter(lab.rows.corpora["tec"].train)),
    "dev rows": lambda patch, lab: swap(lab, "tec", dev=shorter(lab.rows.corpora["tec"].dev)),
    "metric": lambda patch, lab: swap(lab, "tec", **other_task(lab.rows.corpora["tec"], metric="accuracy")),
    "labels": lambda patch, lab: swap(lab, "tec", **other_task(lab.rows.corpora["tec"], outputs=tuple("abcdefg"))),
    "task version": lambda patch, lab: swap(lab, "tec", **other_task(lab.rows.corpora["tec"], version=2)),
    "fine-tuning": lambda patch, lab: patch.setattr(harness.cells.identity, "FINETUNE_VERSION", 99),
    **{
        f"engine {name}": lambda patch, lab, name=name: patch.setattr(  # type: ignore[misc]
            harness.cells.identity, "engine", lambda: {**ENGINE, name: "other"}
        )
        for name in ENGINE
    },
}


@pytest.fixture
def fresh(small_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """A laboratory that a test may spoil."""
    monkeypatch.setattr(harness.cells.identity, "engine", lambda: ENGINE)
    return lambda *settings, **more: make_lab(small_zoo, *settings, **more)


# -- members ---------------------------------------------------------------------------------------------------------


def test_the_tables_of_this_file_miss_no_field() -> None:
    assert set(TRAINING) == {f.name for f in fields(Training)} and set(WORDING) == {f.name for f in fields(Wording)}
    for table, kind in ((FISHER, FisherSettings), (GRAM, GramSettings)):
        assert set(table) == {f.name for f in fields(kind)} - {"batch_tokens"}


@pytest.mark.parametrize("knob", [*TRAINING, *CHOOSING])
def test_a_member_is_another_with_every_knob_of_its_training(knob: str, fresh: Callable[..., Lab]) -> None:
    value = {**TRAINING, **CHOOSING}[knob]
    assert fresh(f"{knob}={value}").identity.member(TEC) != fresh().identity.member(TEC)


@pytest.mark.parametrize("knob", WORDING)
def test_questions_decide_members_that_are_asked_in_words_alone(knob: str, fresh: Callable[..., Lab]) -> None:
    setting = f"{knob}={WORDING[knob]}"
    assert fresh(setting, model=DECODER).identity.member(TEC) != fresh(model=DECODER).identity.member(TEC)
    assert fresh(setting).identity.member(TEC) == fresh().identity.member(TEC)


@pytest.mark.parametrize("change", COMMON)
def test_a_member_its_statistics_and_its_cells_are_others_with_what_made_them(
    change: str, fresh: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = fresh()
    before = all_keys(lab)
    forget(lab)
    COMMON[change](monkeypatch, lab)
    after = all_keys(lab)
    assert [name for name in before if before[name] == after[name]] == []


def all_keys(lab: Lab) -> dict[str, str]:
    """Keys of one thing of each kind."""
    pair = cell("ties", PAIR, members=("tec", "isear"))
    return {
        "member": recipe_key(lab.identity.member(TEC)),
        "fisher": recipe_key(lab.identity.statistics("fisher", TEC)),
        "gram": recipe_key(lab.identity.statistics("gram", TEC)),
        "cell": recipe_key(recipe_of(pair, lab, ())),
        "row": recipe_key(recipe_of(cell("mtl", PAIR, members=("tec", "isear")), lab, ())),
        "landscape": recipe_key(landscape_recipe(PAIR, pair.key, {}, lab, 3)),
    }


@pytest.mark.parametrize("words", ["statements", "questions"])
def test_words_decide_where_models_are_asked_in_words(words: str, fresh: Callable[..., Lab]) -> None:
    changed = []
    for model in (DECODER, TINY):
        lab = fresh(model=model)
        before = all_keys(lab)
        forget(lab)
        swap(lab, "tec", **other_task(lab.rows.corpora["tec"], **{words: tuple("abcdefg")}))
        changed.append({name: before[name] != key for name, key in all_keys(lab).items()})
    assert all(changed[0].values()) and not any(changed[1].values())


def test_a_member_is_another_with_its_seed_its_corpora_and_their_order(fresh: Callable[..., Lab]) -> None:
    lab = fresh()
    sources = [TEC, alone("isear"), alone("tec", 2), Source(("tec", "isear"), 1, 1), Source(("isear", "tec"), 1, 1)]
    assert len({recipe_key(lab.identity.member(s)) for s in sources}) == len(sources)


def test_brought_members_of_two_models_share_no_statistics(fresh: Callable[..., Lab], small_zoo: Path) -> None:
    lab = fresh()
    bring(lab, {"tec": lab.subject.folder})  # whatever it is, it has a fingerprint
    before = all_keys(lab)
    forget(lab)
    fingerprints(lab, "0123")
    assert [name for name, key in all_keys(lab).items() if before[name] == key] == []


def test_a_brought_member_is_another_with_its_files(fresh: Callable[..., Lab], tmp_path: Path) -> None:
    lab = fresh()
    shutil.copytree(lab.subject.folder, tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text((lab.subject.folder / "config.json").read_text() + " ")
    keys = []
    for folder in (lab.subject.folder, tmp_path / "mine"):
        bring(lab, {"tec": folder})
        forget(lab)
        keys.append(all_keys(lab))
    assert [name for name in keys[0] if keys[0][name] == keys[1][name]] == []


# -- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "knob"), [*(("fisher", n) for n in FISHER), *(("gram", n) for n in GRAM)])
def test_statistics_are_others_with_every_knob_of_theirs(kind: str, knob: str, fresh: Callable[..., Lab]) -> None:
    value = {**FISHER, **GRAM}[knob]
    keys = [recipe_key(lab.identity.statistics(kind, TEC)) for lab in (fresh(), fresh(f"{knob}={value}"))]
    assert len(set(keys)) == 2


def test_batches_decide_fisher_information_where_their_means_are_squared_and_nowhere_else(
    fresh: Callable[..., Lab],
) -> None:
    def keys(*settings: str) -> set[str]:
        labs = (fresh(*settings), fresh(*settings, "batch_tokens=64"))
        return {recipe_key(lab.identity.statistics("fisher", TEC)) for lab in labs}

    means = ("fisher_labels=hard", "fisher_per_example=false")
    assert len(keys()) == len(keys("fisher_labels=hard")) == 1 and len(keys(*means)) == 2
    few, many = (fresh(*means, f"batch_tokens={n}") for n in (64, 4096))
    one, other = (lab.populations._compute("fisher", TEC, {}) for lab in (few, many))
    assert any(not torch.allclose(one[name], other[name], rtol=0.01) for name in one), "that is why"


def test_batches_decide_gram_matrices_where_their_padding_is_counted_and_nowhere_else(
    fresh: Callable[..., Lab],
) -> None:
    def labs(*settings: str) -> list[Lab]:
        return [fresh(*settings, f"batch_tokens={n}") for n in (64, 4096)]

    def keys(*settings: str) -> set[str]:
        return {recipe_key(lab.identity.statistics("gram", TEC)) for lab in labs(*settings)}

    assert len(keys()) == 1 and len(keys("gram_padding=counted")) == 2
    one, other = (lab.populations._compute("gram", TEC, {}) for lab in labs("gram_padding=counted"))
    assert any(not torch.allclose(one[name], other[name], rtol=0.01) for name in one), "that is why"
    told = [knobs_of(cell("regmean"), lab, ("gram",)) for lab in labs("gram_padding=counted")]
    assert [knobs.get("batch_tokens") for knobs in told] == [64, None]


def test_drawn_labels_are_drawn_anew_for_every_seed_also_where_the_member_is_one(fresh: Callable[..., Lab]) -> None:
    lab = fresh("fisher_labels=sampled")
    bring(lab, {"tec": lab.subject.folder})
    assert len({recipe_key(lab.identity.statistics("fisher", alone("tec", seed))) for seed in (1, 2)}) == 2
    assert len({recipe_key(lab.identity.statistics("gram", alone("tec", seed))) for seed in (1, 2)}) == 1


@pytest.mark.parametrize(("kind", "module"), [("fisher", fisher), ("gram", gram)])
def test_statistics_are_others_with_a_new_version(
    kind: str, module: Any, fresh: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recipe_key(fresh().identity.statistics(kind, TEC))
    monkeypatch.setattr(module, "VERSION", 99)
    assert recipe_key(fresh().identity.statistics(kind, TEC)) != before


@pytest.mark.parametrize(("kind", "module"), [("fisher", fisher), ("gram", gram)])
def test_a_cell_that_read_statistics_is_another_with_a_new_version_of_them(
    kind: str, module: Any, fresh: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [recipe_key(recipe_of(cell("simple"), fresh(), used)) for used in ((), (kind,))]
    monkeypatch.setattr(module, "VERSION", 99)
    after = [recipe_key(recipe_of(cell("simple"), fresh(), used)) for used in ((), (kind,))]
    assert before[0] == after[0] and before[1] != after[1]


# -- tiny models -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [f.name for f in fields(SmallWorld)])
def test_a_tiny_model_is_another_in_another_world(name: str) -> None:
    world = SmallWorld()
    other = replace(world, **{name: getattr(world, name) + 1})
    assert recipe_key(tiny.recipe("tiny-encoder", other)) != recipe_key(tiny.recipe("tiny-encoder", world))


@pytest.mark.parametrize(
    "constant", ["VERSION", "LESSON_SHARE", "_BATCH", "_RATE", "_SEED", "_WIDTH", "_LAYERS", "_HEADS", "_SPREAD"]
)
def test_a_tiny_model_is_another_when_it_is_built_otherwise(constant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_key(tiny.recipe("tiny-encoder", SmallWorld()))
    monkeypatch.setattr(first_lesson if constant == "LESSON_SHARE" else tiny, constant, 99)
    assert recipe_key(tiny.recipe("tiny-encoder", SmallWorld())) != before


def test_tiny_models_differ_by_name_steps_noise_glue_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(name: str = "tiny-encoder") -> str:
        return recipe_key(tiny.recipe(name, SmallWorld()))

    keys = [key(), key("tiny-decoder")]
    for owner, name, value in (
        (tiny, "_STEPS", {"tiny-encoder": 7}),
        (tiny, "_NOISE", {"tiny-encoder": 0.7}),
        (tiny, "engine", lambda: ENGINE),
        *((synthetic_glue, n, 99) for n in ("_SENSES", "_PLAIN", "_SLANG", "_TOPICS", "_ORDERED", "_TRAIN", "_TEST")),
        (synthetic_glue, "VERSION", 99),
    ):
        monkeypatch.setattr(owner, name, value)
        keys.append(key())
    assert len(set(keys)) == len(keys)


# -- cells -----------------------------------------------------------------------------------------------------------


def test_a_cell_is_another_with_its_setting_its_population_its_method_and_its_exam(fresh: Callable[..., Lab]) -> None:
    lab = fresh()
    pair = cell("ties", PAIR, members=("tec", "isear"))
    cells = [
        cell("ties"),
        cell("simple"),
        cell("ties_evolver"),
        cell("avg"),
        cell("ties", OUT),
        cell("ties", replace(IN, version=2)),
        cell("ties", replace(IN, name="other")),
        cell("ties", heads="diff"),
        pair,
        replace(pair, key=replace(pair.key, members=("isear", "tec"))),
        replace(pair, key=replace(pair.key, seed=2)),
    ]
    keys = [recipe_key(recipe_of(asked, lab)) for asked in cells]
    labs = (fresh("test_rows=39"), fresh("ties.k=0.3"), fresh("head_merge=plain"))
    keys += [recipe_key(recipe_of(cell("ties"), other)) for other in labs]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("part", "knob"),
    [
        *(("search", f"{n}={v}") for n, v in {"dev_fraction": "0.5"}.items()),
        *(("fisher", f"{n}={v}") for n, v in FISHER.items() if n != "max_length"),
        *(("gram", f"{n}={v}") for n, v in GRAM.items() if n != "max_length"),
    ],
)
def test_a_part_of_the_protocol_renames_the_cells_that_used_it_and_no_others(
    part: str, knob: str, fresh: Callable[..., Lab]
) -> None:
    lab, other, asked = fresh(), fresh(knob), cell("ties")
    rest = tuple(name for name in NOTED if name != part)
    assert recipe_of(asked, lab, (part,)) != recipe_of(asked, other, (part,))
    assert recipe_of(asked, lab, rest) == recipe_of(asked, other, rest)
    assert knobs_of(asked, other, (part,)).keys() - knobs_of(asked, lab, (part,)).keys() <= {knob.partition("=")[0]}
    assert knobs_of(asked, other, rest) == knobs_of(asked, lab, rest)


@pytest.mark.parametrize(
    "knob",
    [
        *("fisher_rows=15", "gram_rows=31", "dev_fraction=0.5", "batch_tokens=64", "evolver.generations=3"),
        *("partition_skew=0.7", "glue_dev_share=0.1", "glue_dev_most=30", "ood_labels=annotated"),
        *("ood_rows=test_if_diff", "fisher_labels=hard", "gram_padding=counted", "fisher_per_example=false"),
    ],
)
@pytest.mark.parametrize("method", ["avg", "simple", "ties", "domain_specific", "mtl"])
def test_what_a_cell_does_not_use_does_not_rename_it(knob: str, method: str, fresh: Callable[..., Lab]) -> None:
    other = fresh(knob)
    other.protocol = replace(other.protocol, seeds=(1, 2, 3, 4))
    assert recipe_of(cell(method), other, ()) == recipe_of(cell(method), fresh(), ())
    assert knobs_of(cell(method), other, ()) == knobs_of(cell(method), fresh(), ())


# -- landscapes ------------------------------------------------------------------------------------------------------


def test_a_landscape_is_another_with_its_size_its_pair_its_methods_and_its_place(
    fresh: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, key = fresh(), PopulationKey(TINY, "emotion", ("tec", "isear"), IN_DOMAIN, 1, "same")

    def made(setting: Setting = PAIR, key: PopulationKey = key, points: int = 3, **used: tuple[str, ...]) -> str:
        return recipe_key(landscape_recipe(setting, key, used, lab, points))

    keys = [made(), made(replace(PAIR, version=2)), made(points=4)]
    keys += [made(ties=()), made(fisher=()), made(fisher=("fisher",))]
    keys += [made(key=replace(key, members=("isear", "tec"))), made(key=replace(key, seed=2))]
    for name in ("LOW", "HIGH", "VERSION"):
        monkeypatch.setattr(harness.cells.landscape, name, 7)
        keys.append(made())
    assert len(set(keys)) == len(keys)


def test_cells_of_one_exam_share_its_key(fresh: Callable[..., Lab]) -> None:
    lab = fresh()
    asked = [recipe_of(cell(m), lab) for m in ("avg", "ties", "fisher", "simple_evolver", "mtl", "domain_specific")]
    asked += [recipe_of(cell("ties"), fresh(s)) for s in ("ties.k=0.3", "fisher_rows=15", "dev_fraction=0.5")]
    labs = [fresh(s) for s in ("test_rows=39", "dev_rows=19", "train_rows=79", "threshold=-1.5", "epochs=3")]
    others = [recipe_of(cell("ties"), other) for other in labs]
    others += [recipe_of(cell("ties", OUT), lab), recipe_of(cell("ties", heads="diff"), lab)]
    assert len({exam_key(recipe) for recipe in asked}) == 1
    assert len({exam_key(recipe) for recipe in (asked[0], *others)}) == 1 + len(others)
