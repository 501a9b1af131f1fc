"""A folder that answers slowly: what Python asks of files below $SLUGGISH takes a while, and now and then seconds.

Each time that it takes seconds the process' number goes into the file $SLUGGISH_LOG.

Python reads this file as it starts, where this folder is on PYTHONPATH; so all processes that a session begins have it.
"""

import os
import sys
import time

_BELOW = os.environ.get("SLUGGISH", "")
_ASKED = {"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime"}
_USUAL, _SOMETIMES, _EVERY = 0.01, 3.0, 150  # seconds, and how many calls there are to each one that takes longer
_calls = [os.getpid() % _EVERY]  # another place in the row for every process


def _slowly(event: str, told: tuple[object, ...]) -> None:
    if event in _ASKED and told and isinstance(told[0], str | os.PathLike) and os.fspath(told[0]).startswith(_BELOW):
        _calls[0] += 1
        if _calls[0] % _EVERY:
            time.sleep(_USUAL)
            return
        with open(os.environ["SLUGGISH_LOG"], "a") as log:
            log.write(f"{os.getpid()}\n")
        time.sleep(_SOMETIMES)


if _BELOW:
    sys.addaudithook(_slowly)
