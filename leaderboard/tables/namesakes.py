"""One checkpoint under two names is one model: counted twice, a ranking or a claim would look surer than it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leaderboard.tables.group import Group
from leaderboard.tables.unions import Unions


def one_name(groups: Iterable[Group]) -> Mapping[str, str]:
    """Each model's name -> the first name that any of its checkpoints has, by their fingerprints."""
    first: dict[str, str] = {}  # fingerprint -> name
    names, unions = dict[str, None](), Unions()
    for group in groups:
        names[group.key.model] = None
        for fingerprint in sorted(group.fingerprints):
            unions.join(group.key.model, first.setdefault(fingerprint, group.key.model))
    return {name: unions.of(name) for name in names}
