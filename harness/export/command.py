"""`python -m harness export RECORD FOLDER [options]`: a record's merge made again, from what the record was made of.

What the record's command says of models, members, data and choices is taken from there; a folder that lies elsewhere
here is named again. Whatever is at hand, only members, rows and choices that hash as the record's do are taken, and
only the record's weights are written.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.export.place import NotWritten
from harness.export.rows import NO_MODEL
from harness.records.record import RunRecord, Store, read
from harness.session import options, places
from methods.errors import MergeboardError

USAGE = """python -m harness export RECORD FOLDER [options]

  RECORD    a record's file in a folder of results, such as .mergeboard/results/SUITE/SETTING/.../ties-s1-....json
  FOLDER    where the model is written; it must not be there yet, or be empty
  options   of the session that made the record, where its folders lie elsewhere here: --model=NAME=FOLDER, --data=,
            --task=, --member NAME=FOLDER, --cache=; and -p MODULE for a plug-in, --trust-remote-code=FOLDER for code"""
TAKEN = (  # from the record's command; code never runs because of it
    *("data", "task", "member", "set", "budget-evaluations", "tuned", "trust-configs"),
)
ELSEWHERE = ("CACHE", "DATA", "FOLDER", "RESULTS", "TASK", "ZOO")  # what stands there for places on another machine
