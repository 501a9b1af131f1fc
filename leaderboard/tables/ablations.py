"""Ablations: rows that say what an option does, apart from those that say which method is best.

A row belongs here in one of two ways, and then stands in no table of scores, ranking or verdict:

- its setting has the role `ablation` (`harness/suites/setting.py`): so has every row of that column;
- `variants` finds it: the column has other rows of the same method, tuned as much, and this one has options that the
  row which stands for the method has not. `simple_evolver F=0.3` is one beside `simple_evolver`. Where only one row of
  a method was run, it stands for the method whatever its options.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from leaderboard.tables.kinds import kinds
from leaderboard.tables.rows import Rows
from leaderboard.tables.searches import is_search

ROLE: str = "ablation"  # of a setting that is asked to see what one choice does
GENERATIONS = "generations"  # an evolution's own option, though by it tells how much was tuned


def variants(rows: Rows) -> Mapping[str, str]:
    """Row that is a point of an ablation -> the row that stands for its method, with the fewest options; "" where no
    row does.

    Searches are left alone: those of one budget stand beside each other with their options, in a table of their own.
    """
    told, found = kinds(rows), dict[str, str]()
    methods: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row, records in rows.items():
        if not is_search(records[0]):
            tuned = GENERATIONS if told[row].endswith(("generation", GENERATIONS)) else told[row]
            methods[records[0].method, tuned].append(row)
    for own in (own for own in methods.values() if len(own) > 1):
        fewest = min(len(rows[row][0].knobs) for row in own)
        plain = [row for row in own if len(rows[row][0].knobs) == fewest]
        stands = plain[0] if len(plain) == 1 else ""
        found |= {row: stands for row in own if row != stands and rows[row][0].knobs}
    return found
