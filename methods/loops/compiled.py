"""Functions that Numba compiles when they are first called, and keeps on disk for the next process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from hashlib import sha256
from inspect import signature
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any


class Loop:
    """A function that is compiled when it is first called, for the types that it is called on, and kept on disk."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self._lock = function, Lock()
        self._compiled: Callable[..., Any] | None = None
        self._kept = True

    def ready(self) -> Callable[..., Any]:
        """The compiled function, to be asked for before threads share its work: it is one for all."""
        with self._lock:
            if self._compiled is None:
                self._compiled = self._jit()
            return self._compiled

    def __call__(self, *arguments: Any) -> Any:
        compiled = self.ready()
        try:
            return compiled(*arguments)
        except Exception:  # what is kept may be damaged, or the disk full
            with self._lock:
                if self._compiled is compiled:
                    if not self._kept:
                        raise
                    self._kept, self._compiled = False, None
            return self(*arguments)

    def _jit(self) -> Callable[..., Any]:
        import numba  # which takes a while, and not every session merges

        function = _linked(self.function)
        try:
            made: Callable[..., Any] = numba.njit(function, nogil=True, error_model="numpy", cache=self._kept)
        except RuntimeError:  # nowhere to keep it
            self._kept = False
            made = numba.njit(function, nogil=True, error_model="numpy")
        return made


class ByKind(Loop):
    """What loops call to have another function for every kind of number: that of their call's last operand.

    All have the same parameters. `sooner` makes what takes the place of one of them, or None if it cannot here.
    """

    def __init__(
        self, sooner: Mapping[str, Callable[[], Callable[..., Any] | None]], **functions: Callable[..., Any]
    ) -> None:
        super().__init__(next(iter(functions.values())))
        self._functions, self._sooner = functions, sooner

    def _jit(self) -> Callable[..., Any]:
        from numba.extending import overload

        sooner = {kind: made for kind, make in self._sooner.items() if (made := make()) is not None}
        functions = {**self._functions, **sooner}

        def choose(*types: Any) -> Callable[..., Any] | None:
            return functions.get(str(getattr(types[-1], "dtype", types[-1])))

        choose.__signature__ = signature(self.function)  # type: ignore[attr-defined]  # Numba compares them

        def one_of_them(*_operands: Any) -> None:
            """Stands for the functions where a loop is compiled."""

        overload(one_of_them, jit_options={"error_model": "numpy"})(choose)
        return one_of_them


class Supplied(Loop):
    """A function for loops to call that can be written only where Numba is: `make` writes it."""

    def __init__(self, make: Callable[[], Callable[..., Any]]) -> None:
        super().__init__(make)

    def _jit(self) -> Callable[..., Any]:
        import numba

        made: Callable[..., Any] = numba.njit(self.function(), error_model="numpy")
        return made


def _linked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the compiled ones in the place of the loops that it calls.

    It is kept on disk under a name that changes with their files, as nobody else would notice.
    """
    around = function.__globals__
    called = {name: around[name] for name in function.__code__.co_names if isinstance(around.get(name), Loop)}
    if not called:
        return function
    compiled = {name: loop.ready() for name, loop in called.items()}
    linked = FunctionType(function.__code__, {**around, **compiled}, function.__name__, function.__defaults__)
    update_wrapper(linked, function)
    files = sorted({loop.function.__code__.co_filename for loop in called.values()})
    content = sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()
    linked.__qualname__ = f"{function.__qualname__}_{content[:12]}"
    return linked
