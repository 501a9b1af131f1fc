"""The command of a session as records keep it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

PLACES = {  # what stands in a record for a folder or file of this machine
    "--data=": "DATA",
    "--results=": "RESULTS",
    "--cache=": "CACHE",
    "--zoo=": "ZOO",
    "--task=": "TASK",
}


def command_of(config: pytest.Config) -> str:
    """The command as anyone could type it again: folders that lie elsewhere on other machines become words."""
    words = ["pytest"]
    for word in config.invocation_params.args:
        text = str(word)
        starts = (0, *(sign.end() for sign in re.finditer("=", text)))
        start = next((i for i in starts if text[i:].startswith(("/", "~", ".."))), None)
        if start is not None:  # a path up to the word's end, whatever signs it holds
            file, colons, test = text[start:].partition("::")
            where = (config.invocation_params.dir / Path(os.path.expanduser(file))).resolve()
            if where.is_relative_to(config.rootpath):
                path = f"{where.relative_to(config.rootpath)}{colons}{test}"
            else:
                path = PLACES.get(text[:start], "FOLDER")
            text = f"{text[:start]}{path}"
        words.append(text)
    return shlex.join(words)
