"""Single words of the command line: each becomes what it means, or is refused in one line that says what to write."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from harness.bounds import Bound
from methods.errors import MergeboardError, UnknownName

SEEDS, SEED = 1000, 1_000_000  # how many in one session, and the largest
MINUTES = Bound(0, 10_000, open_below=True)  # a week
EVALUATIONS = Bound(1, 1_000_000)  # of a search
TIME = Bound(0, 3_600_000, open_below=True)  # seconds of a session
WORKERS = Bound(1, 10_000)
POINTS = Bound(2, 201)  # of a landscape's side: 40,000 examinations of every pair


def require_text(option: str, text: str) -> None:
    """Refuse what no name holds: control characters, such as a line's end, and bytes that are no text."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise MergeboardError(f"{option} {text!a}: it holds the character {character!a}; write it without")


def seeds_of(text: str | None) -> tuple[int, ...] | None:
    """`1,2,5` or `1-5`, in any mixture; each at least 1."""
    if text is None:
        return None
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+)(?:-([0-9]+))?\s*", part)
        first, last = (match[1], match[2] or match[1]) if match else ("", "")
        if not match or _number(first) < 1 or _number(last) < _number(first):
            raise MergeboardError(f"--seeds {text}: write whole numbers from 1 up, for instance 1,2,3 or 1-5")
        if _number(last) > SEED:
            raise MergeboardError(f"--seeds {text}: a seed is a whole number from 1 to {SEED:,}")
        if _number(last) - _number(first) < SEEDS:
            seeds |= dict.fromkeys(range(_number(first), _number(last) + 1))
        if len(seeds) > SEEDS or _number(last) - _number(first) >= SEEDS:
            raise MergeboardError(f"--seeds {text}: a session has at most {SEEDS:,} seeds; run it in parts")
    return tuple(seeds)


def seed_of(text: str) -> int:
    """One seed, of a command that has no more."""
    return _whole("--seed", text, Bound(1, SEED))


def threads_of(text: str | None) -> int | None:
    """Some threads for each core are harmless; many thousands end the process."""
    most = max(64, 4 * (os.cpu_count() or 1))
    return None if text is None else _whole("--threads", text, Bound(1, most))


def ray_workers_of(text: str | None) -> int | None:
    """Processes that answer cells, on however many machines."""
    return None if text is None else _whole("--ray-workers", text, WORKERS)


def points_of(text: str) -> int:
    """Points per side of a landscape; 0 for none."""
    return 0 if text.strip() == "0" else _whole("--grid", text, POINTS, "0, or ")


def evaluations_of(text: str | None) -> int | None:
    """How many development evaluations every search of a session has."""
    return None if text is None else _whole("--budget-evaluations", text, EVALUATIONS)


def minutes_of(text: str) -> float:
    """Minutes between two checkpoints; a second is 0.017."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not MINUTES.holds(minutes):
        raise MergeboardError(f"--checkpoint-minutes {text}: write a number {MINUTES}")
    return minutes


def wall_time_of(text: str | None) -> float | None:
    """Seconds of `2h`, `90m`, `45s` or `1h30m`."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?", text.strip())
    try:
        parts = [float(part or 0) for part in match.groups()] if match and text.strip() else []
    except ValueError:
        parts = []
    seconds = sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))
    if not TIME.holds(seconds):
        raise MergeboardError(f"--budget {text}: write a time such as 45s, 90m, 2h or 1h30m, of up to 1000 hours")
    return seconds


def workers_of(text: str | None) -> int | None:
    """For how many workers a session is planned; 0 where `--plan` says none."""
    return None if text is None else 0 if text == "" else _whole("--plan", text, WORKERS, "nothing behind it, or ")


def choice_of(option: str, text: str, choices: Iterable[str]) -> str:
    """One of a few words."""
    if text not in choices:
        raise UnknownName(f"value of {option}", text, choices)
    return text


def pair_of(option: str, text: str, example: str) -> tuple[str, str]:
    """`NAME=VALUE` with something on both sides of the first sign."""
    name, separator, value = text.partition("=")
    if not separator or not name.strip() or not value.strip():
        raise MergeboardError(f"{option} {text}: write {example}")
    return name, value


def require_once(given: Iterable[tuple[str, str]]) -> None:
    """Refuse words that are given two values: only one of them could hold. The same value again is harmless."""
    seen: dict[str, str] = {}
    for words, value in given:
        if seen.setdefault(words, value) != value:
            raise MergeboardError(f"{words} is given twice, {seen[words]} and {value}; leave one out")


def expanded(text: str) -> Path:
    """The path with `~` and `~name` as the homes that they are. Errors: `MergeboardError` if nobody has that home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise MergeboardError(f"{text}: there is no home of {Path(text).parts[0][1:] or 'yours'} here") from None


def folder_at(text: str) -> Path | None:
    """The folder of this name, if there is one; a name too long for one is none."""
    try:
        folder = Path(text).expanduser()
        return folder if text.strip() and folder.is_dir() else None
    except (OSError, RuntimeError):  # too long; ~nobody
        return None


def _number(digits: str) -> int:
    return int(digits) if len(digits.lstrip("0")) < 10 else 10**10


def _whole(option: str, text: str, bound: Bound, besides: str = "") -> int:
    number = _number(text.strip()) if re.fullmatch(r"\s*[0-9]+\s*", text) else -1
    if not bound.holds(number):
        raise MergeboardError(f"{option} {text}: write {besides}a whole number {bound}")
    return number
