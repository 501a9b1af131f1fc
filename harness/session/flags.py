"""The options of a session as `pytest --help` lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

LOCAL = Path(".mergeboard")  # below the root directory: results and zoo of this machine, ignored by git
SHAPES = ("small", "roberta-base", "llama-31m", "llama-1.1b")


def add(parser: pytest.Parser) -> None:
    """House rule: help starts with a capital letter, is a single phrase and has no period."""
    group = parser.getgroup("mergeboard")
    option = group.addoption
    option(
        "--model", action="append", metavar="NAME", help="Hub name, alias, folder, NAME=folder, tiny or tiny-encoder"
    )
    option("--method", action="append", metavar="NAME", help="Method or row to run; repeat it; all of them by default")
    option(
        "--data",
        metavar="FOLDER",
        help="Folder with the suites' data, or hub (default), which some suites need; not for tiny models",
    )
    option("--task", action="append", metavar="FILE.toml", help="Your own task, corpora, members: suites/test_own.py")
    option("--protocol", metavar="NAME", help="paper, official_code or quick; paper by default, quick for tiny models")
    option("--seeds", metavar="LIST", help="Seeds such as 1,2,3 or 1-5 instead of the protocol's")
    option("--heads", metavar="HEADS", help="same or diff: only the runs with this initialisation of heads")
    option("--set", action="append", default=[], metavar="NAME=VALUE", help="One knob of protocol or method; repeat it")
    option(
        "--member",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="Your own fine-tuned model or LoRA adapter, or org/name@revision; NAME@SEED for one seed's; repeat it",
    )
    option(
        "--trust-remote-code",
        action="append",
        nargs="?",
        const="",
        default=[],
        metavar="FOLDER",
        help="Run the code of this model or member, as MiniCPM needs; without a name that of every --model",
    )
    option("--trust-configs", action="store_true", help="Take members whose config.json differs from the model's")
    option("--results", metavar="FOLDER", help=f"Where records are kept; {LOCAL}/results by default")
    option("--zoo", metavar="FOLDER", help=f"Where checkpoints and statistics are kept; {LOCAL}/zoo by default")
    option(
        "--checkpoint-minutes",
        default="10",
        metavar="N",
        help="How old the last checkpoint of a fine-tuning may be, from which a killed one goes on; 10 by default",
    )
    option("--export", metavar="FOLDER", help="Write the winner there as a model of transformers, with a card")
    option("--rerun", action="store_true", help="Answer no cell from stored records")
    option(
        "--speed-shape",
        metavar="SHAPE",
        default="small",
        help=f"{', '.join(SHAPES)}: size of the models in test_speed and test_memory",
    )
    option("--grid", default="0", metavar="N", help="Points per side of test_landscape's squares; 0 leaves it out")
    option("--threads", metavar="N", help="Threads of torch; 1 for tiny models by default")
