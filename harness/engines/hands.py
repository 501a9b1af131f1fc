"""What a worker does with a question that is plain data: it answers with plain data, and writes no record."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from harness import devices
from harness.cells.cell import Cell, Source
from harness.lm_eval import session as lm_eval
from harness.records.basket import Basket, Packed
from harness.records.environment import set_command
from harness.records.record import RunRecord
from harness.session.bench import Bench, kept
from harness.session.options import Options
from harness.suites.own import session as own
from methods.errors import MergeboardError, NotApplicable


@dataclass(frozen=True)
class Context:
    """What all cells of a session have in common."""

    options: Options
    threads: int | None = None  # of torch, where neither the options nor a tiny model says how many
    modules: tuple[str, ...] = ()  # that `-p` named, which may register methods and suites
    task: Path | None = None  # what `--task` named
    lm_eval_tasks: tuple[str, ...] = ()
    lm_eval_folder: Path | None = None
    members: tuple[str, ...] = ()  # the words of `--member`


@dataclass(frozen=True)
class Spec:
    """One question: a cell, or a member that cells of a population wait for."""

    cell: Cell  # one of those that wait, where a member is asked for
    merges: tuple[RunRecord, ...] = ()  # earlier merges that may be the cell's own, to be replayed
    member: Source | None = None


class WorkerError(Exception):
    """What nobody meant to go wrong in a worker; its text is the traceback from there."""


@dataclass(frozen=True)
class Outcome:
    """What came of a question: a record, nothing for a member that is kept, or what went wrong."""

    seconds: float
    packed: Packed | None = None
    kind: str = ""  # of what went wrong
    line: str = ""
    trace: str = ""

    def error(self) -> Exception | None:
        """What went wrong, as it is raised where it is shown."""
        if not self.kind:
            return None
        kinds: dict[str, type[Exception]] = {"not": NotApplicable, "ours": MergeboardError, "system": OSError}
        found = kinds[self.kind](self.line) if self.kind in kinds else WorkerError(f"in a worker:\n{self.trace}")
        found.__cause__ = WorkerError(self.trace) if self.kind in kinds else None
        return found


def begun(context: Context, say: Callable[[str], None]) -> Bench:
    """The bench of this session, in a worker. Errors: `MergeboardError` or `ImportError` for what is not there."""
    for name in context.modules:
        import_module(name)
    base = not any(model.tiny for model in context.options.models)
    lm_eval.begin(context.lm_eval_tasks, context.lm_eval_folder, context.members, base)
    own.begin(context.task)
    set_command(context.options.command)
    devices.settle(context.options.device, context.options.device_map)
    if context.threads is not None:
        import torch

        torch.set_num_threads(context.threads)
    bench = Bench(context.options, say)
    with suppress(OSError):  # which its facts tell
        bench.store.there.require()  # what goes from now on was there
    return bench


def answer(spec: Spec, bench: Bench) -> Outcome:
    """Answer a question; whatever goes wrong is an answer too."""
    start = time.perf_counter()

    def ended(packed: Packed | None = None, kind: str = "", line: str = "") -> Outcome:
        trace = traceback.format_exc() if kind else ""
        return Outcome(time.perf_counter() - start, packed, kind, line, trace)

    try:
        if spec.member is not None:
            bench.member(spec.cell, spec.member)
            return ended()
        basket = Basket(bench.options.results, spec.merges, bench.store.there)
        kept(bench.made(spec.cell, basket), basket, bench.say)
        return ended(basket.packed())
    except NotApplicable as reason:
        return ended(kind="not", line=str(reason))
    except MergeboardError as error:
        return ended(kind="ours", line=bench.told(error))
    except OSError as error:
        return ended(kind="system", line=bench.told(error))
    except Exception:  # shown with its traceback where the user sits
        return ended(kind="other")
