"""One task as lm-eval opens it: its documents, and the metric that counts; what cannot be a setting is refused here."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.checkpoints.folders import one_line
from harness.errors import BadData
from harness.lm_eval.undisturbed import undisturbed
from harness.lm_eval.words import Wanted
from methods.errors import MergeboardError

_ROWS = ("dataset_path", "dataset_name", "dataset_kwargs", "task_alias", "tag", "metadata")  # known by their content


@dataclass(frozen=True, eq=False)
class Opened:
    """A task with its documents in memory, or in datasets' files."""

    words: str
    task: Any  # lm_eval's ConfigurableTask
    metric: str
    filter: str
    shots: int  # examples in front of each document
    exam_split: str  # by which the data set calls what is examined
    version: str  # of the task, by its own count
    config: str  # a hash of what asks and marks, whatever the documents


def opened(manager: Any, wanted: Wanted, path: Path) -> Opened:
    """The task that this file describes. Errors: `BadData` or `MergeboardError` in one line."""
    words = wanted.words
    with undisturbed():
        task = _loaded(manager, path, words)
        config = task.config
        if getattr(task, "MULTIMODAL", False) or getattr(task, "UNSAFE_CODE", False):
            what = "runs code that models write" if getattr(task, "UNSAFE_CODE", False) else "shows pictures or sounds"
            raise MergeboardError(f"{words}: it {what}, which is not asked here; name another task")
        filters = [ensemble.name for ensemble in task._filters]
        if wanted.filter and wanted.filter not in filters:
            raise MergeboardError(f"{words}: its filters are {', '.join(filters)}")
        return Opened(
            words,
            task,
            _metric(task, wanted),
            wanted.filter or filters[0],
            int(config.num_fewshot or 0),
            str(config.test_split if task.has_test_docs() else config.validation_split),
            str((config.metadata or {}).get("version", "none")),
            _hash(config),
        )


def _loaded(manager: Any, path: Path, words: str) -> Any:
    from lm_eval.api.task import ConfigurableTask

    try:
        (task,) = manager.load([str(path)])["tasks"].values()
    except IndexError:
        raise BadData(f"{words}: it has no documents, so there is nothing to ask") from None
    except (OSError, ConnectionError) as error:
        said = f"{type(error).__name__}: {one_line(error)}"
        raise BadData(
            f"{words}: its data are not at hand ({said:.200}); run it once where the hub can be reached, or name files "
            "that are there in its YAML"
        ) from None
    except Exception as error:  # whatever its YAML or its code does
        raise BadData(f"{words}: lm-eval cannot open {path} ({type(error).__name__}: {one_line(error):.200})") from None
    if not isinstance(task, ConfigurableTask):
        raise MergeboardError(f"{words}: it is code with rules of its own, and not a task that is configured by YAML")
    return task


def _metric(task: Any, wanted: Wanted) -> str:
    """The metric that counts: a mean over documents, of which more is better."""
    from lm_eval.api.metrics import mean

    better, joined = task.higher_is_better(), task.aggregation()
    fit: list[str] = [name for name, up in better.items() if up and joined.get(name) is mean]
    if wanted.metric in fit:
        return wanted.metric
    if wanted.metric and wanted.metric not in better:
        raise MergeboardError(f"{wanted.words}: its metrics are {', '.join(better)}")
    if wanted.metric or not fit:
        names = [wanted.metric] if wanted.metric else list(better)
        low = [name for name in names if not better[name]]
        why = "of which less is better" if low else "which is no mean over documents"
        cure = f"name one of {', '.join(fit)}" if fit else "name another task"
        raise MergeboardError(
            f"{wanted.words}: it is measured by {', '.join(low or names)}, {why}; marks are from 0 to 1 for each "
            f"document, and more is better: {cure}"
        )
    return fit[0]


def _hash(config: Any) -> str:
    """16 hexadecimal digits of what decides prompts, answers and marks; of a function the whole file that it stands in,
    since it may call others there."""

    def plain(value: Any) -> str:
        return _code(value) if callable(value) else str(value)

    kept = {name: value for name, value in config.to_dict(keep_callable=True).items() if name not in _ROWS}
    text = json.dumps(kept, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code(value: Any) -> str:
    """A function's name, what is given to it beforehand, and the text of its file; never where in memory it lies."""
    given, function = "", value
    if isinstance(value, partial):
        given, function = f"{value.args} {sorted(value.keywords.items())}", value.func
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function)
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # what is built in has no file
        path = None
    text = Path(path).read_text(encoding="utf-8", errors="replace") if path else ""
    return "\n".join((function.__qualname__, given, text))
