"""What has to be made for a cell because the zoo does not have it: members, and statistics of members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cells.cell import Cell, PopulationKey, Source
from harness.checkpoints.brought import key_for
from harness.planning import observed
from harness.planning.costs import Made
from harness.planning.holdings import WIDTH
from harness.planning.jobs import Need
from harness.planning.sizes import Size
from harness.session.options import Options
from harness.suites import resolve
from harness.suites.setting import corpus_of
from methods.errors import MergeboardError

if TYPE_CHECKING:
    from harness.cells.lab import Lab


class Lacking:
    """Looks into a zoo, and makes nothing."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def of(self, cell: Cell, lab: Lab | None, reads: Sequence[str], size: Size | None) -> Iterator[Need]:
        """What the zoo lacks for this cell.

        Args:
            lab: knows what things are called in the zoo; without one, everything that is not brought is taken to lack.
            reads: the kinds of statistics that the cell's method reads.
            size: of the model, if it is known.
        """
        key = cell.key
        weights = None if size is None else size.parameters * WIDTH
        for source in cell.sources(judged=resolve(key.suite).judges):
            yield from self._one("members", key, source, lab, size, weights)
        for kind in reads:
            space = None if size is None else WIDTH * (size.parameters if kind == "fisher" else size.gram)
            for source in key.sources:
                yield from self._one(kind, key, source, lab, size, space)

    def _one(
        self, kind: str, key: PopulationKey, source: Source, lab: Lab | None, size: Size | None, space: int | None
    ) -> Iterator[Need]:
        given = key_for(self._options.given, source.members[0], source.draw) if len(source.members) == 1 else None
        if kind == "members" and given is not None:
            return
        if lab is None:
            told = tuple(dict.fromkeys(map(corpus_of, source.members)))
            name = (kind, key.model.display, key.suite, *source.members, str(source.seed), str(source.draw))
            yield Need(name, Made(kind, key.model.display, "", told, None if size is None else size.parameters), space)
            return
        from harness.storage.zoo import Zoo

        zoo = Zoo(self._options.zoo)
        try:
            recipe = lab.identity.member(source) if kind == "members" else lab.identity.statistics(kind, source)
        except (MergeboardError, OSError):
            return  # the cell itself says why
        if zoo.has(kind, recipe):
            return
        sizes = {} if size is None else {str(recipe["model"]): size.parameters}
        of_member, of_statistics = observed.of_member, observed.of_statistics
        made = of_member(recipe, sizes) if kind == "members" else of_statistics(kind, recipe, sizes)
        if made is not None:
            yield Need((kind, zoo.path(kind, recipe).name), made, space)
