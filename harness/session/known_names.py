"""Names of methods and optimisers on the command line: each is known, or refused with what was meant."""

from __future__ import annotations

from collections.abc import Sequence

from harness.protocol.protocol import Protocol
from methods.errors import UnknownName


def optimiser(asked: str | None) -> str | None:
    """The optimiser of tuned rows. Errors: `UnknownName`."""
    from methods.optimisers import OPTIMISERS

    if asked is not None and not OPTIMISERS.has(asked):
        raise UnknownName("optimiser for --tuned", asked, OPTIMISERS.known())
    return asked


def require_methods(asked: Sequence[str], protocol: Protocol) -> None:
    """Raise for a method or a knob that is not known. Errors: `MergeboardError` in one line."""
    from harness.cells.rows import ROWS
    from methods import known, require
    from methods.naming.names import require_knobs, wrapped_like

    require_knobs(protocol.methods)  # also where no method of the session takes them
    for name in asked:
        if name in ROWS:
            continue
        try:
            require(name, protocol.methods)
        except UnknownName as error:
            if "merging method" in str(error) and f"{name!r}" in str(error):
                raise UnknownName("merging method", name, [*known(), *wrapped_like(name), *ROWS]) from None
            raise
