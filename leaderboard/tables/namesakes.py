"""One checkpoint under two names is one model: counted twice, a ranking or a claim would look surer than it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leaderboard.tables.group import Group


def one_name(groups: Iterable[Group]) -> Mapping[str, str]:
    """Each model's name -> the first name that any of its checkpoints has, by their fingerprints."""
    first: dict[str, str] = {}  # fingerprint -> name
    found: dict[str, str] = {}
    for group in groups:
        name = group.key.model
        found.setdefault(name, name)
        for fingerprint in sorted(group.fingerprints):
            other = _root(found, first.setdefault(fingerprint, name))
            found[_root(found, name)] = other
    return {name: _root(found, name) for name in found}


def _root(found: Mapping[str, str], name: str) -> str:
    while found[name] != name:
        name = found[name]
    return name
