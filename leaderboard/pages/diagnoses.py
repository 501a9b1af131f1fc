"""What was said of a model's populations before they were merged: a table, a figure, and what it tells of gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records.diagnosis import OF_LAYERS, Diagnosis
from leaderboard import text
from leaderboard.pages import grids, markdown, prose
from leaderboard.pages.figures import Figure
from leaderboard.plots.heat import heat
from leaderboard.tables.diagnoses import links
from leaderboard.tables.group import Group

SAYS = "Distance, cosine, sign conflict, what is cancelled and the rank of the changes in each group of layers"
TITLE = "Changes by group of layers, times 100"


class Diagnosed:
    """The section of one model's page."""

    def __init__(self, own: Sequence[Group], diagnoses: Sequence[Diagnosis]) -> None:
        self._own = own
        self._seen = sorted(diagnoses, key=lambda d: (d.suite, len(d.members), d.members, d.heads, d.seed))

    def text(self, name: grids.Name) -> Iterator[str]:
        """Nothing where nobody asked for a diagnosis."""
        if not self._seen:
            return
        yield prose.DIAGNOSES
        yield markdown.table(grids.diagnoses(self._seen, text.escaped))
        found = links(self._seen, [r for group in self._own for r in group.records])
        if found:
            yield prose.LINKS
            yield markdown.table(grids.links(found, name))

    def figures(self) -> list[Figure]:
        """One for each suite: of its largest population, that of the first seed, group of layers by group."""
        drawn = []
        for suite in dict.fromkeys(d.suite for d in self._seen):
            shown = min((d for d in self._seen if d.suite == suite), key=lambda d: (-len(d.members), d.seed, d.members))
            place = f"{shown.model}, {suite}, {'+'.join(shown.members)}, seed {shown.seed}"
            columns = {name: {group: own[name] for group, own in shown.layers.items()} for name in OF_LAYERS}
            drawn.append(
                Figure(
                    f"{place}, changes by layer",
                    f"{TITLE}: {place}",
                    heat(TITLE, list(shown.layers), columns, SAYS, place),
                )
            )
        return drawn
