"""The options of a session as `pytest --help` lists them.

House rule: help starts with a capital letter, is a single phrase and has no period.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

LOCAL = Path(".mergeboard")  # below the root directory: results and cache of this machine, ignored by git
ENGINES = ("inline", "xdist", "ray")
TUNED = 12  # development evaluations of a tuned row, where nobody says how many
SHAPES = ("small", "roberta-base", "llama-31m", "llama-1.1b", "llama-3b", "llama-7b")
FLAGS: Mapping[str, Mapping[str, Any]] = {  # name -> how argparse takes it; one without an action has one value
    "model": {
        "action": "append",
        "metavar": "NAME",
        "help": "Hub name, alias, folder, NAME=folder, tiny or tiny-encoder",
    },
    "method": {
        "action": "append",
        "metavar": "NAME",
        "help": "Method or row to run; repeat it; default: the usual ones, which docs/usage.md lists",
    },
    "data": {
        "metavar": "FOLDER",
        "help": "Folder with the suites' data, or hub (default), which some suites need; not for tiny models",
    },
    "task": {
        "action": "append",
        "metavar": "FILE.toml",
        "help": "Your own task, corpora, members: suites/test_own.py",
    },
    "lm-eval-task": {
        "action": "append",
        "metavar": "NAME",
        "help": "Task of lm-eval, or NAME:metric,filter: suites/test_lm_eval.py; repeat it",
    },
    "lm-eval-tasks": {
        "metavar": "FOLDER",
        "help": "Folder with YAML files of tasks of your own, in lm-eval's form",
    },
    "protocol": {
        "metavar": "NAME",
        "help": "paper, official_code, quick or sakana; paper by default, quick for tiny models",
    },
    "seeds": {"metavar": "LIST", "help": "Seeds such as 1,2,3 or 1-5 instead of the protocol's"},
    "heads": {"metavar": "HEADS", "help": "same or diff: only the runs with this initialisation of heads"},
    "set": {
        "action": "append",
        "default": [],
        "metavar": "NAME=VALUE",
        "help": "One option of protocol or method; repeat it",
    },
    "budget-evaluations": {
        "metavar": "N",
        "help": "Development evaluations of each search and evolution: search.budget, dfs.budget and so on in one word",
    },
    "budget": {
        "metavar": "TIME",
        "help": "Wall time such as 45s, 90m or 2h: what decides most in its time runs first, what does not fit is left",
    },
    "plan": {
        "nargs": "?",
        "const": "",
        "metavar": "WORKERS",
        "help": "Print tests, expected time, disk and memory, for so many workers too, and run nothing",
    },
    "tuned": {
        "nargs": "?",
        "const": "grid",
        "metavar": "OPTIMISER",
        "help": f"Also a row tuned by this optimiser (grid) for each method, {TUNED} evaluations unless told otherwise",
    },
    "member": {
        "action": "append",
        "default": [],
        "metavar": "NAME=FOLDER",
        "help": "Your own fine-tuned model or LoRA adapter, or org/name@revision; NAME@SEED for one seed's; repeat it",
    },
    "trust-remote-code": {
        "action": "append",
        "nargs": "?",
        "const": "",
        "default": [],
        "metavar": "FOLDER",
        "help": "Run the code of this model or member, as MiniCPM needs; without a name that of every --model",
    },
    "trust-configs": {
        "action": "store_true",
        "help": "Take members whose config.json differs from the model's",
    },
    "results": {"metavar": "FOLDER", "help": f"Where records are kept; {LOCAL}/results by default"},
    "cache": {"metavar": "FOLDER", "help": f"Where checkpoints and statistics are kept; {LOCAL}/cache by default"},
    "checkpoint-minutes": {
        "default": "10",
        "metavar": "N",
        "help": "How old the last checkpoint of a fine-tuning may be, from which a killed one goes on; 10 by default",
    },
    "export": {"metavar": "FOLDER", "help": "Write the winner there as a model of transformers, with a card"},
    "rerun": {"action": "store_true", "help": "Answer nothing from earlier records"},
    "speed-shape": {
        "metavar": "SHAPE",
        "default": SHAPES[0],
        "help": f"{', '.join(SHAPES)}: size of the models in test_memory and in test_speed and its kin",
    },
    "grid": {
        "default": "0",
        "metavar": "N",
        "help": "Points per side of test_landscape's squares; 0 leaves it out",
    },
    "ablations": {
        "action": "store_true",
        "help": "Run suites/test_ablations.py too where a folder of suites is named",
    },
    "diagnose": {
        "action": "store_true",
        "help": "Say before members are merged how far they moved and how much they contradict each other",
    },
    "device": {
        "metavar": "DEVICE",
        "help": "cpu, cuda or cuda:N; a GPU where there is one by default, workers of -n take turns",
    },
    "device-map": {
        "metavar": "WHERE",
        "help": "Spread a model that one GPU has no room for: auto, or the room of each, such as 0=20GiB,1=10GiB",
    },
    "engine": {
        "metavar": "NAME",
        "help": f"Who runs tests: {', '.join(ENGINES)}; inline is this process, xdist the workers of -n",
    },
    "ray-address": {
        "metavar": "HOST:PORT",
        "help": "Cluster of --engine=ray that ray start began, or auto; one of this machine by default",
    },
    "ray-workers": {"metavar": "N", "help": "Workers of --engine=ray, each a process; one for each core, up to four"},
    "threads": {"metavar": "N", "help": "Threads of torch; 1 for tiny models by default"},
}
EARLIER = {"zoo": "cache"}  # an option's name of before -> its name: it is taken, and not listed
ONCE = tuple(name for name, how in FLAGS.items() if "action" not in how)  # a second value would replace the first
TEXTS = (*ONCE, *(name for name, how in FLAGS.items() if how.get("action") == "append"))  # which have a text


def add(parser: pytest.Parser) -> None:
    """Make them known."""
    group = parser.getgroup("mergeboard")
    for name, how in FLAGS.items():
        group.addoption(f"--{name}", **how)
    for before, name in EARLIER.items():
        group.addoption(f"--{before}", dest=name, metavar="FOLDER", help=argparse.SUPPRESS)


def only_told(config: pytest.Config) -> bool:
    """Whether the session lists or plans its cells and runs none: then nothing is trained, fetched or written."""
    return bool(config.option.collectonly or config.getoption("plan", None) is not None)
