"""`python -m harness merge`: the work is done by a process of its own, so that whatever ends it is told in one line.

Models are mapped, not read: a file that becomes shorter meanwhile ends the process that looks at it, and so does a
system without memory. Then its parent says what happened, and removes what was half made.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.export.heard import say
from harness.merging import ahead
from harness.merging.words import Order, asked
from harness.storage.whole import remove
from methods.errors import MergeboardError

FAILED, WRONG_WORD = 1, 4  # exit codes: what failed later; pytest's own for a wrong command line
ENDS = {  # signal -> what it tells
    signal.SIGBUS: "a file that was read became shorter meanwhile; wait until all are whole, and merge again",
    signal.SIGKILL: "it was killed, by you or by a system that ran out of memory",
    signal.SIGTERM: "it was told to end",
}


def run(words: Sequence[str], here: Path) -> int:
    """Merge what the words ask for. The exit code: 0; 4 for what does not fit, in one line; 1 for what failed later."""
    try:
        order = asked(words, here)
    except MergeboardError as error:
        return _refused(error)

    def clear(child: int) -> None:
        from harness.export.place import left_beside

        remove(left_beside(order.target, child))

    return watched(lambda: _merged(order), clear)


def _merged(order: Order) -> int:
    ahead.ask(order.read)
    from harness.export.place import NotWritten
    from harness.merging.deliver import deliver

    try:
        deliver(order, lambda line: say(f"  {line} ..."))
    except MergeboardError as error:
        return _refused(error, FAILED if isinstance(error, NotWritten) else WRONG_WORD)
    say(f"written: {order.target} ({order.method})")
    return 0


def watched(work: Callable[[], int], clear: Callable[[int], None]) -> int:
    """The exit code of work that is done in a child; where a signal ended it, there is a line.

    `clear`: removes what a child of this number left, unless it came to its end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = FAILED
        _end_with_parent()
        try:
            code = work()
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except BaseException as error:  # nothing may go on as if it were the parent
            print(f"ERROR: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    status = _waited(child)
    if status:
        clear(child)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    ended = os.WTERMSIG(status)
    why = ENDS.get(signal.Signals(ended), f"signal {ended} ended it")
    print(f"ERROR: the merge did not end: {why}; nothing of it is left", file=sys.stderr)
    return FAILED


def _end_with_parent() -> None:
    """Whoever kills the command means the work; what is left then, the next one to the same place removes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _waited(child: int) -> int:
    """How the child ended; one who is told to end tells it."""

    def pass_on(number: int, _frame: object) -> None:
        os.kill(child, number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return os.waitpid(child, 0)[1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refused(error: MergeboardError, code: int = WRONG_WORD) -> int:
    print(f"ERROR: {error}", file=sys.stderr)
    return code
