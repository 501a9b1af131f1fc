"""The tasks of this session: what its options named, for the test function that asks about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import parsing
from harness.checkpoints.brought import OPTION as MEMBER
from harness.checkpoints.brought import key_of
from harness.lm_eval.files import found, listed
from harness.lm_eval.made import NAME, LmEvalSuite
from harness.lm_eval.words import FOLDER, OPTION, wanted_of
from harness.suites.registry import register
from harness.suites.setting import PART, VARIANT, Setting
from methods.errors import MergeboardError

FILE = "test_lm_eval.py"
_AT_HAND: list[LmEvalSuite] = []  # one, or none


def begin(tasks: Sequence[str], folder: Path | None, members: Sequence[str], base: bool) -> LmEvalSuite | None:
    """Make the suite of these options, before anything is collected; none where no task is named.

    Args:
        folder: where tasks of the user's are described.
        members: the words of `--member`.
        base: whether a model is named that members may descend from.

    Errors: `MergeboardError` in one line, for all that is known without lm-eval's own code.
    """
    _AT_HAND.clear()
    if folder is not None and not folder.is_dir():
        raise MergeboardError(f"{FOLDER} {folder}: there is no such folder")
    if not tasks:
        if folder is not None:
            there = ", ".join([*listed(folder).tasks][:5])
            raise MergeboardError(f"{FOLDER} {folder}: name a task in it with {OPTION}=NAME; it has {there or 'none'}")
        return None
    wanted = [wanted_of(text) for text in dict.fromkeys(tasks)]
    parsing.require_once([(f"{OPTION} {one.task}", one.words) for one in wanted])
    names = list(dict.fromkeys(key_of(text.partition("=")[0].strip())[0] for text in members))
    if not base:
        raise MergeboardError(f"{OPTION} {tasks[0]}: give --model=BASE, the model that your members were made of")
    if len(names) < 2:
        raise MergeboardError(
            f"{OPTION} {tasks[0]}: there {'is one member' if names else 'are no members'} to merge; give two or more "
            f"fine-tuned models, each by {MEMBER} NAME=FOLDER under a name of your own"
        )
    for name in names:
        _require_name(name, {one.task for one in wanted})
    suite = LmEvalSuite(wanted, found(wanted, folder), names)
    register(NAME)(suite)
    _AT_HAND.append(suite)
    return suite


def _require_name(name: str, tasks: set[str]) -> None:
    if name in tasks:
        raise MergeboardError(f"{MEMBER} {name}: a task is called so too; give the member another name")
    if PART in name or VARIANT in name:
        raise MergeboardError(f"{MEMBER} {name}: a member's name holds neither {PART} nor {VARIANT}; choose another")


def at_hand() -> LmEvalSuite | None:
    """The suite of the session's options."""
    return _AT_HAND[0] if _AT_HAND else None


def asked(name: str) -> Setting | None:
    """The question of this name, if the session has tasks."""
    return next((s for suite in _AT_HAND for s in suite.settings if s.name == name), None)
