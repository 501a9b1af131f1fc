"""Lines about work that goes on, as long as somebody reads them."""

from __future__ import annotations

import os
import sys


def say(line: str) -> None:
    """Print a line. Where nobody reads any more, or there is no room for words, the work goes on without."""
    try:
        print(line, flush=True)
    except UnicodeError:
        print(line.encode("ascii", "backslashreplace").decode("ascii"), flush=True)
    except OSError:
        with open(os.devnull, "w", encoding="utf-8") as nobody:
            os.dup2(nobody.fileno(), sys.stdout.fileno())
