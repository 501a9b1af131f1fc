"""Small matrices on one thread: faster than on many, and the same bits on a machine with another number of cores."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager


def one_thread() -> Callable[[], AbstractContextManager[object]]:
    """What to open around numpy's linear algebra; the number of threads is as before afterwards.

    A matrix of 200 x 200 that is shared out among busy cores takes ten times as long as on one.
    """
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController()  # looks at every library of the process, so once for each search
    return lambda: found.limit(limits=1, user_api="blas")
