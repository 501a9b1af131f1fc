"""The workers of a session on a cluster of Ray, each a process with a bench of its own; and what they say meanwhile."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.board import Hand, Job
from harness.engines.facts import Facts
from harness.engines.hands import Context, Outcome
from harness.engines.watch import AGAIN, ENDED
from methods.errors import MergeboardError

SAYS = "says"  # a thread of each worker beside the one that answers
LOST = ("RayActorError", "OutOfMemoryError", "WorkerCrashedError", "NodeDiedError", "OwnerDiedError", "RaySystemError")
BROKEN = (Exception, SystemExit)  # what Ray raises where its part of this machine has died

Marks = Mapping[str, tuple[Path, str]]
"""Words -> the folder that they name, and what the session knows it by."""

Greeting = tuple[str, Facts]
"""The node that a worker is on, and what it has."""


@dataclass(eq=False)
class Worker(Hand):
    """One of them, as the session sees it."""

    actor: Any = None
    due: Any = None  # the reference of what it is at: its facts first, then one job after the other
    says: Any = None  # the reference of the lines that it says next
    job: Job | None = None
    ready: bool = False  # its facts are known and right


class Crew:
    """Hires workers and hears them.

    Args:
        ray: the module, connected to a cluster.
        needs: what a worker takes of the cluster, as Ray's actors are told: num_cpus, num_gpus.
    """

    def __init__(self, ray: Any, context: Context, needs: dict[str, float], marks: Marks) -> None:
        self._ray, self._needs = ray, needs
        self._sent = pickle.dumps((context, marks))
        self._paths = [path for path in sys.path if path]
        self._said: set[str] = set()
        self.workers: list[Worker] = []

    def hire(self) -> None:
        """One more worker, who says what it is when it is there."""
        with _told():
            made = self._ray.remote(concurrency_groups={SAYS: 1}, **self._needs)(_worker())
            actor = made.remote(self._paths, self._sent)
            self.workers.append(Worker(actor=actor, due=actor.facts.remote()))
            _listen(self.workers[-1])

    def give(self, worker: Worker, job: Job) -> None:
        """Let a worker answer."""
        sent = pickle.dumps(job.spec)
        with _told():
            worker.job, worker.due = job, worker.actor.answer.remote(sent)

    def hear(self, seconds: float, say: Callable[[str], None]) -> tuple[Worker, Greeting | Outcome | Exception] | None:
        """Wait until a worker is done, at most so long, and say what is said meanwhile, each line once.

        Who was lost gives the error that Ray tells of it.
        """
        due = {worker.due: worker for worker in self.workers if worker.due is not None}
        says = {worker.says: worker for worker in self.workers if worker.says is not None}
        with _told():
            done, _ = self._ray.wait([*due, *says], num_returns=1, timeout=seconds)
        for ref in (ref for ref in done if ref in says):
            self._tell(ref, says[ref], say)
        for ref in (ref for ref in done if ref in due):
            due[ref].due = None
            try:
                return due[ref], pickle.loads(self._ray.get(ref))
            except SystemExit as error:
                raise MergeboardError(_gone(error)) from error
            except Exception as error:
                if not any(kind.__name__ in LOST for kind in type(error).__mro__):
                    raise MergeboardError(_unable(error)) from error
                return due[ref], error
        return None

    def _tell(self, ref: Any, worker: Worker, say: Callable[[str], None]) -> None:
        """Say the lines of a worker that were not said before, and listen to it again unless it is lost."""
        worker.says = None
        try:
            lines = self._ray.get(ref)
        except BROKEN:  # what it was at will tell
            return
        _listen(worker)
        for line in (line for line in lines if line not in self._said):
            self._said.add(line)
            say(line)

    def dismiss(self, worker: Worker) -> None:
        """A worker that is gone, or that shall go."""
        self.workers.remove(worker)
        with suppress(*BROKEN):  # it is gone already
            self._ray.kill(worker.actor)

    def last_words(self, say: Callable[[str], None]) -> None:
        """What was said and not yet heard; nothing where the cluster is gone, of which whoever met it has told."""
        says = {worker.says: worker for worker in self.workers if worker.says is not None}
        if not says:
            return
        with suppress(*BROKEN):
            done, _ = self._ray.wait(list(says), num_returns=len(says), timeout=0.1)
            for ref in done:
                self._tell(ref, says[ref], say)


def _listen(worker: Worker) -> None:
    worker.says = worker.actor.said.options(concurrency_group=SAYS).remote()


@contextmanager
def _told() -> Iterator[None]:
    """Errors: `MergeboardError` where the cluster does not take what it is told: nobody is left who could hire others,
    as where Ray's processes on the session's own machine die."""
    try:
        yield
    except BROKEN as error:
        raise MergeboardError(_gone(error)) from error


def _gone(error: BaseException) -> str:
    """That the cluster itself ended, in one line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"{ENDED} ({line}); {AGAIN}"


def _unable(error: Exception) -> str:
    """Why a worker cannot begin, in one line."""
    cause = getattr(error, "cause", None) or error
    line = " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
    return f"--engine=ray: a worker cannot begin ({line}); install there what this session has, at the same versions"


def _worker() -> type:
    """The class of a worker; made here, so that Ray sends its code and a machine without mergeboard can say so."""

    class Worker:
        """Answers one question after the other, and gives the lines that it says to who asks, as soon as it has one."""

        def __init__(self, paths: list[str], sent: bytes) -> None:
            import queue
            import sys

            sys.path.extend(path for path in paths if path not in sys.path)
            self.sent, self.lines = sent, queue.SimpleQueue[str]()
            self.bench: Any = None

        def facts(self) -> bytes:
            import pickle

            import ray

            from harness.engines import facts, hands

            context, marks = pickle.loads(self.sent)
            self.bench = hands.begun(context, self.lines.put)
            node = ray.get_runtime_context().get_node_id()
            return pickle.dumps((node, facts.facts_of(context.options, marks)))

        def answer(self, spec: bytes) -> bytes:
            import pickle

            from harness.engines import hands

            return pickle.dumps(hands.answer(pickle.loads(spec), self.bench))

        def said(self) -> list[str]:
            found = [self.lines.get()]
            while not self.lines.empty():
                found.append(self.lines.get_nowait())
            return found

    return Worker
