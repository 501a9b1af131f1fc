"""Everything that was varied by itself: its figures on a model's page, and one page that lists those of all models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from leaderboard import text
from leaderboard.pages import changed, markdown, prose, swept, times
from leaderboard.pages.outcomes import Varied, joined
from leaderboard.tables.coefficients import coefficients
from leaderboard.tables.group import Group, by_model
from leaderboard.tables.one_by_one import one_by_one
from leaderboard.tables.options import BUDGET, DEV_ROWS
from leaderboard.tables.sweeps import sweeps
from leaderboard.tables.table import unseen
from leaderboard.tables.tuned import calibration

ORDER = (  # the paper's ablations, then what it has not; options of other names come last
    *(swept.topic_of(option) for option in ("evolver.F", "evolver.Cr", "regmean.alpha")),
    *(changed.COEFFICIENTS, swept.topic_of(DEV_ROWS)),
    *(changed.CALIBRATED, swept.topic_of(BUDGET), swept.MEMBERS, changed.SEEN),
)


def varied(group: Group) -> Iterator[Varied]:
    """All figures of a group."""
    yield from (swept.by_option(group, sweep) for sweep in sweeps(group))
    yield from (changed.searched(group, one) for one in coefficients(group))
    yield from (changed.calibrated(group, table) for table in calibration(group) if changed.gains(table))
    yield from (swept.by_members(group, one) for one in one_by_one(group))
    yield from (changed.unseen(group, table) for table in unseen(group) if changed.complete(table))


def of_answers(group: Group) -> Iterator[object]:
    """The tables that need the group's answers and that no other page makes."""
    yield from (sweeps(group), coefficients(group), one_by_one(group))


def page(found: Mapping[Group, Sequence[Varied]], pictures: str, parts_of: Mapping[Group, str]) -> str:
    """One choice after the other, real models first, with the figures of those.

    Args:
        found: the groups in their order, each with its figures under the names of their files.
        pictures: the folder of figures, as the page sees it.
        parts_of: the address of each group's part on its model's page.
    """
    by_topic: dict[str, list[tuple[Group, Varied]]] = defaultdict(list)
    for group, own in found.items():
        for one in own:
            by_topic[one.topic].append((group, one))
    parts = [prose.VARIED]
    for topic in sorted(by_topic, key=lambda topic: (_rank(topic), topic)):
        parts.append(f"## {text.escaped(topic)}\n")
        parts.append(markdown.table(_grid(by_topic[topic], parts_of), words=3))
        parts += _figures([one for group, one in by_topic[topic] if not group.synthetic], pictures)
    took = times.told({name: own for name, own in by_model(found).items() if not own[0].synthetic})
    parts += [f"## {times.TITLE}\n", *took] if took else []
    return "\n".join([*parts, *([] if by_topic or took else [prose.NOTHING])])


def _figures(shown: Sequence[Varied], pictures: str) -> Iterator[str]:
    """Figures with their captions; what all captions begin with is said once, above them."""
    how = {one.how for one in shown}
    once = text.sentence(joined(*how)) if len(shown) > 1 and len(how) == 1 else ""
    if once:
        yield f"{once}\n"
    for one in shown:
        caption = one.figure.caption.removeprefix(once).lstrip()
        yield f"![{text.escaped(one.figure.says)}]({pictures}/{one.figure.name})\n\n{caption}"


def _grid(own: list[tuple[Group, Varied]], parts_of: Mapping[Group, str]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for group, one in own:
        model = f"{text.escaped(group.key.model)}{' (made up)' if group.synthetic else ''}"
        where = text.escaped(f"{group.heading}: {one.column}")
        rows.append([f"[{model}]({parts_of[group]})", where, text.sentence(one.outcome)])
    return ["model", "asked", "what came of it"], rows


def _rank(topic: str) -> int:
    return ORDER.index(topic) if topic in ORDER else len(ORDER)
