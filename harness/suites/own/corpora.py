"""An own suite's corpora: labels agreed on, rows split, and refused before any training what could not be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data.corpus import MASKED, Corpus, Split, require_learnable
from harness.data.repositories import WHOLE
from harness.data.task import SIGNED, Task
from harness.errors import BadData
from harness.grading.named import graders_of
from harness.suites.own import draw, rows
from harness.suites.own.answers import references
from harness.suites.own.described import HUB, SPLITS, Described, File
from harness.suites.own.labels import Reader, told
from harness.suites.own.questions import LARGEST, Asked
from harness.suites.own.rows import Part

NO_CLASSES = ("regression", "generation")  # whose labels no train row has to have
FEW = 0.01  # of a split's rows, that may repeat another one without a word
Say = Callable[[str], None]


def load(file: File, say: Say) -> dict[str, Corpus]:
    """All corpora that the file describes.

    `say` takes a line on what the rows had to tell, or were read as. Errors: `BadData` in one line, `MergeboardError`
    for labels that no model could have.
    """
    found: dict[str, Corpus] = {}
    for name, asked in file.tasks.items():
        own = [corpus for corpus in file.corpora.values() if corpus.task == name]
        files = {corpus.name: rows.files_of(corpus, file.folder) for corpus in own}
        for corpus in own:  # before the first is read
            rows.require_there(corpus, files[corpus.name])
        parts = {corpus.name: rows.read(corpus, files[corpus.name]) for corpus in own}
        task = _task(asked, own, parts, say)
        for corpus in own:
            found[corpus.name] = _corpus(corpus, task, asked, parts.pop(corpus.name), say)
    _require_known(file, found)
    _tell_shared(found.values(), say)
    given = {name: _without_rows(name, found[file.aims.target[0]]) for name in file.brought}
    return {**{name: found[name] for name in file.corpora}, **given}


def _without_rows(name: str, target: Corpus) -> Corpus:
    """What a model that is brought was trained on, nobody knows; it answers as the target's task asks."""
    none = target.test.take([])
    return Corpus(name, target.task, none, none, none, target.annotated)


def _task(asked: Asked, corpora: Iterable[Described], parts: Mapping[str, Mapping[str, Part]], say: Say) -> Task:
    """The task, with the labels and the span that the rows have where the file does not name them."""
    labels, pairs, scores = dict.fromkeys(asked.labels or ()), set[bool](), list[float]()
    for corpus in corpora:
        pairs.add(len(corpus.columns.texts) == 2)
        for split, part in parts[corpus.name].items():
            if asked.kind == "regression":
                if split != "test":
                    scores += _numbers(corpus, part)
            elif asked.writes is None and asked.labels is None:
                names = part.table.classes.get(corpus.columns.labels[0])
                labels |= dict.fromkeys(told(asked, corpus.columns, rows.cells_of(corpus, part), names))
    if len(pairs) > 1:
        raise BadData(
            f"{asked.where}: some corpora have one column of texts and some two; a task asks about one or two"
        )
    if asked.kind == "regression":
        span = asked.span or ((min(scores), max(scores)) if scores else (0.0, 1.0))
        return asked.task((), pairs.pop(), span if span[0] < span[1] else (span[0], span[0] + 1))
    if asked.writes is None and asked.labels is None:
        lists = [name for name in labels if name.startswith("[") and name.endswith("]")]
        if lists and asked.kind == "multi_label":
            raise BadData(
                f"{asked.where}: {lists[0]:.60} is a list that was written as text, and would be one label; write "
                "labels with a sign between them and name it, columns = {separator = ...}, or give JSON lines"
            )
        listed = ", ".join(list(labels)[:12]) + (f", and {len(labels) - 12} more" if len(labels) > 12 else "")
        say(f"{asked.name}: labels are not named; the rows have {listed}, in this order")
    return asked.task(tuple(labels), pairs.pop())


def _numbers(corpus: Described, part: Part) -> list[float]:
    found = []
    for (cell,) in rows.cells_of(corpus, part):
        try:
            found.append(float(cell))
        except (TypeError, ValueError):
            continue  # told, with its place, when labels are read
    return [score for score in found if abs(score) < LARGEST]


def _corpus(corpus: Described, task: Task, asked: Asked, parts: dict[str, Part], say: Say) -> Corpus:
    """One corpus, its rows labelled, split and looked at."""
    splits: dict[str, Split] = {}
    places: dict[str, Part] = {}
    out = by_place = 0
    value, graders = ("a label", {}) if asked.writes is None else ("an answer", graders_of(asked.writes.graders))
    for name, part in parts.items():
        if asked.writes is None:
            reader = Reader(task, corpus.columns, part.table.classes, strict=asked.span is not None)
            splits[name], places[name], lost = rows.labelled(corpus, part, reader)
            by_place += reader.by_place
        else:
            splits[name], places[name], lost = rows.referred(
                corpus, part, references(corpus, part, graders, asked.writes.stop)
            )
        out += lost
        if not len(splits[name]):
            raise BadData(f"{corpus.where}: no row of {'its data' if name == WHOLE else name} has a text and {value}")
    if out:
        say(f"{corpus.name}: {out:,} rows without a text or {value} are left out")
    if reader_flags := _flags_by_place(corpus, task):
        say(f"{corpus.name}: columns are taken as labels by their order: {reader_flags}")
    if by_place:
        listed = ", ".join(f"{k} is {label}" for k, label in enumerate(task.outputs[:5]))
        say(f"{corpus.name}: {by_place:,} labels are numbers, taken as places: {listed}{', ...' * (task.width > 5)}")
    drawn = WHOLE in splits
    if not drawn:
        _require_apart(corpus, splits, places)
    splits = dict(_without_trained(corpus.name, _split(corpus, task, splits, say), say))
    for name in ("dev", "test"):
        _tell_repeats(corpus.name, name, splits[name], say)
    _require_sound(corpus, task, splits)
    there = tuple(bool((labels != -100).any()) for labels in np.concatenate([s.labels for s in splits.values()]).T)
    annotated = there if task.kind == "multi_label" else (True,) * len(task.outputs)
    train, dev, test = (splits[name] for name in SPLITS)
    source = corpus.data.removeprefix(HUB) if corpus.data is not None and corpus.data.startswith(HUB) else ""
    order = None if drawn else draw.shuffled(test, corpus.shares)  # who looks finds the file's rows
    return Corpus(
        corpus.name, task, train, dev, test, annotated, variants=dict(corpus.soup), test_order=order, source=source
    )


def _flags_by_place(corpus: Described, task: Task) -> str:
    """`is_joy is joy, is_fear is fear`; "" where no column stands for a label of another name."""
    columns = corpus.columns.labels
    if len(columns) < 2 or set(columns) <= set(task.outputs):
        return ""
    told = [f"{column} is {label}" for column, label in zip(columns, task.outputs, strict=False)]
    return ", ".join(told[:5]) + ", ..." * (len(told) > 5)


def _without_trained(name: str, found: Mapping[str, Split], say: Say) -> Mapping[str, Split]:
    """Without development rows whose text is trained on: they would choose who learned it by heart.

    Errors: `BadData` where none is left.
    """
    met = np.isin(found["dev"].readings, found["train"].readings)
    if not met.any():
        return found
    if met.all():
        raise BadData(
            f"{name}: each of its {len(met):,} development rows has the text of a train row, so they would choose who "
            "learned them by heart; give others, or leave the file out"
        )
    say(f"{name}: {met.sum():,} of {len(met):,} development rows have the text of a train row and are left out")
    return {**found, "dev": found["dev"].take(np.flatnonzero(~met))}


def _tell_shared(corpora: Iterable[Corpus], say: Say) -> None:
    """Say which corpora ask the same test texts, as certainty is reckoned as if each were a new one, and which
    development rows a member of another corpus is trained on."""
    for one, other in permutations(corpora, 2):
        both = int(np.isin(one.test.readings, other.test.readings).sum())
        if one.name < other.name and both > FEW * min(len(one.test), len(other.test)):
            say(
                f"{one.name}: {both:,} of {len(one.test):,} test rows have the text of a test row of {other.name}; "
                "each is counted twice, so means over both may look surer than they are"
            )
        met = int(np.isin(one.dev.readings, other.train.readings).sum())
        if met > FEW * len(one.dev):
            say(
                f"{one.name}: {met:,} of {len(one.dev):,} development rows have the text of a train row of "
                f"{other.name}, whose member may know by heart what it is chosen by"
            )


def _tell_repeats(corpus: str, name: str, split: Split, say: Say) -> None:
    """Say how many rows of a split are another one once more: certainty is reckoned as if each were a new text."""
    count = len(split)
    repeats = count - len(np.unique(split.readings))
    if repeats > FEW * count:
        say(
            f"{corpus}: {repeats:,} of {count:,} {name} rows repeat the text of another {name} row; each is counted, "
            "so scores look surer than they are: leave repeats out of the file"
        )


def _split(corpus: Described, task: Task, given: dict[str, Split], say: Say) -> dict[str, Split]:
    """Train, dev and test; an empty one where there is none."""
    some = next(iter(given.values()))
    none = some.take([])
    if WHOLE in given:
        chosen = draw.drawn(some, task, corpus.name, corpus.shares)
        return {split: some.take(chosen[split]) for split in SPLITS}
    found = {split: given.get(split, none) for split in SPLITS}
    for name in ("train", "dev"):
        found[name] = found[name].take(draw.shuffled(found[name], corpus.shares))
    if "train" in given and "dev" not in given and corpus.shares.dev:
        apart = np.isin(given["train"].readings, given["test"].readings)
        train, dev = draw.held_out(given["train"], task, corpus.name, corpus.shares, apart)
        say(f"{corpus.name}: {len(dev):,} of its train rows are held out as development rows")
        return {**found, "train": given["train"].take(train), "dev": given["train"].take(dev)}
    return found


def _require_apart(corpus: Described, splits: Mapping[str, Split], places: Mapping[str, Part]) -> None:
    """Refuse development rows that are test rows too: what chooses must not judge."""
    if "dev" not in splits:
        return
    both = np.isin(splits["dev"].readings, splits["test"].readings)
    if both.any():
        k = int(both.argmax())
        raise BadData(
            f"{places['dev'].where(k)}: this text is a test row too, as are {int(both.sum()):,} of {len(both):,} "
            f"development rows of {corpus.name}; take them out of one of the two"
        )


def _require_denied(corpus: Described, task: Task, splits: Mapping[str, Split]) -> None:
    """Refuse a column of a label that holds yes and nothing else: what is empty is not annotated and not asked, so
    whoever says yes to everything would be right."""
    if task.kind != "multi_label":
        return
    every = np.concatenate([split.labels for split in splits.values()])
    alone = [k for k, own in enumerate(every.T) if MASKED in own and 1 in own and 0 not in own]
    if alone:
        listed = ", ".join(task.outputs[k] for k in alone[:5]) + ", ..." * (len(alone) > 5)
        raise BadData(
            f"{corpus.where}: no row says no to {listed}, and some are empty, which is not annotated; write 0 where a "
            "label is not there"
        )


def _require_sound(corpus: Described, task: Task, splits: Mapping[str, Split]) -> None:
    """Refuse an empty split, one class only, and labels that are asked and were never trained on."""
    shares = {"train": corpus.shares.train, "dev": corpus.shares.dev, "test": True}
    given = bool(corpus.files or corpus.columns.split)
    for name, split in splits.items():
        if not len(split) and (shares[name] if not given else name == "test"):
            raise BadData(
                f"{corpus.where}: {name} would have no rows; there are {sum(map(len, splits.values())):,} in all, give "
                "more, or other shares in split"
            )
    learned = splits["train"] if len(splits["train"]) else splits["test"]
    require_learnable(f"{corpus.where}: {'train' if len(splits['train']) else 'test'}", learned)
    _require_ranked(corpus, task, splits)
    _require_denied(corpus, task, splits)
    if task.kind in NO_CLASSES or not len(splits["train"]):
        return
    known = _met(task, splits["train"])
    for name in ("dev", "test"):
        unknown = np.flatnonzero(_met(task, splits[name]) & ~known)
        if len(unknown):
            listed = ", ".join(task.outputs[k] for k in unknown[:5]) + ", ..." * (len(unknown) > 5)
            cure = (
                "add such train rows, or take these rows out"
                if given
                else "add such rows, or try another seed in split"
            )
            raise BadData(f"{corpus.where}: {name} has labels that no train row has: {listed}; {cure}")


def _require_ranked(corpus: Described, task: Task, splits: Mapping[str, Split]) -> None:
    """Refuse rows of one value where a correlation judges them: it is undefined whatever is answered, and a mean over
    corpora would count it as 0."""
    if task.metric not in SIGNED:
        return
    for name in ("dev", "test"):
        labels = splits[name].labels
        if len(labels) and labels.min() == labels.max():
            raise BadData(
                f"{corpus.where}: {name}: {len(labels)} rows, all of one label, so no answer has a {task.metric}; give "
                "rows that differ, or another metric"
            )


def _met(task: Task, split: Split) -> npt.NDArray[np.bool_]:
    """(outputs,): which labels some row has."""
    if task.kind == "multi_label":
        return np.asarray((split.labels == 1).any(axis=0))
    return np.isin(np.arange(len(task.outputs)), split.labels[:, 0])


def _require_known(file: File, corpora: Mapping[str, Corpus]) -> None:
    """Refuse an unseen corpus with labels that no member is trained on."""
    for name in file.unseen:
        task, test = corpora[name].task, corpora[name].everything
        others = [c.train for n, c in corpora.items() if n not in file.unseen and c.task == task and len(c.train)]
        if task.kind in NO_CLASSES or not others:
            continue
        known = np.logical_or.reduce([_met(task, split) for split in others])
        if (unknown := np.flatnonzero(_met(task, test) & ~known)).size:
            listed = ", ".join(task.outputs[k] for k in unknown[:5])
            raise BadData(f"{file.path}: {name} is unseen and has labels that no member is trained on: {listed}")


def paths_of(file: File, corpus: Described) -> Iterable[Path]:
    """The local files of a corpus, for a first look; none of what is on the hub."""
    if corpus.data is None or not corpus.data.startswith(HUB):
        yield from (path for paths in rows.files_of(corpus, file.folder).values() for path in paths)
