"""`python -m leaderboard show`: who ranks best and the scores, of all or of one model or setting; or all tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches

from leaderboard import text
from leaderboard.pages import brief, terminal
from leaderboard.tables.group import Group


def add(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--all", action="store_true", help="differences, corpora and costs too")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="only this model; repeat it")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME", help="only this setting; repeat it")


def wrong(found: Sequence[Group], options: argparse.Namespace) -> str:
    """Which name no record has, and which there are; "" if none is wrong."""
    models = sorted({group.key.model for group in found})
    settings = sorted({question.setting for group in found for question in group.questions()})
    for option, asked, known in (("--model", options.model, models), ("--setting", options.setting, settings)):
        for name in (name for name in asked if name not in known):
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return text.plain(f"{option} {name}: no record has it.{hint} There are: {', '.join(known) or 'none'}")
    if options.all and options.setting:
        return "--all prints whole tables, and --setting single columns; leave one out"
    return ""


def shown(found: Sequence[Group], options: argparse.Namespace) -> str:
    """The text; "" where there is nothing."""
    own = [group for group in found if not options.model or group.key.model in options.model]
    if options.all:
        return "\n".join([*filter(None, [brief.ranking(own), terminal.tables(own)]), brief.LEGEND]) if own else ""
    ranks = "" if options.setting else brief.ranking(own)
    return "\n".join(filter(None, [ranks, brief.scores(own, brief.width(), options.setting)]))
