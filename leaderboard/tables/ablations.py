"""Ablations: rows that say what an option does, apart from those that say which method is best.

A row belongs here in one of two ways, and then stands in no table of scores, ranking or verdict:

- its setting has the role `ablation` (`harness/suites/setting.py`): so has every row of that column;
- `variants` finds it: the column has other rows of the same method, tuned as much, and this one has options that the
  row which stands for the method has not. `simple_evolver F=0.3` is one beside `simple_evolver`. Where only one row of
  a method was run, it stands for the method whatever its options.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from leaderboard.tables.kinds import BY_TASK, DEFAULT, kinds
from leaderboard.tables.rows import Rows, once
from leaderboard.tables.searches import is_search
from leaderboard.words import SHARE

ROLE: str = "ablation"  # of a setting that is asked to see what one choice does
GENERATIONS = "generations"  # an evolution's own option, though by it tells how much was tuned


@once
def variants(rows: Rows) -> Mapping[str, str]:
    """Row that is a point of an ablation -> the row that stands for its method, with the fewest options; "" where no
    row does. The share of development rows that most rows of the column were given is no option.

    Searches of one budget stand beside each other with their options, in a table of their own: of them only those that
    were given another share of the development rows are points.
    """
    told, found = kinds(rows), dict[str, str]()
    away = _away(rows, told)
    options = {row: len(records[0].knobs.keys() - {SHARE}) + (row in away) for row, records in rows.items()}
    methods: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row, records in rows.items():
        tuned = GENERATIONS if told[row].endswith(("generation", GENERATIONS)) else told[row]
        if is_search(records[0]):
            tuned += f" {sorted((k, str(v)) for k, v in records[0].knobs.items() if k != SHARE)}"
        methods[records[0].method, tuned].append(row)
    for own in (own for own in methods.values() if len(own) > 1):
        fewest = min(options[row] for row in own)
        plain = [row for row in own if options[row] == fewest]
        stands = plain[0] if len(plain) == 1 else ""
        found |= {row: stands for row in own if row != stands and options[row]}
    return found


@once
def usual_rows(rows: Rows) -> Mapping[str, str]:
    """Method -> the row that stands for it, which is no point of an ablation: that with the fewest options, the share
    of development rows aside. Of several with as few, such as searches of two budgets, none does."""
    points, found = variants(rows), defaultdict[str, dict[str, int]](dict)
    for row, records in rows.items():
        if row not in points:
            found[records[0].method][row] = len(records[0].knobs.keys() - {SHARE})
    fewest = {method: [row for row in own if own[row] == min(own.values())] for method, own in found.items()}
    return {method: own[0] for method, own in fewest.items() if len(own) == 1}


def _away(rows: Rows, told: Mapping[str, str]) -> set[str]:
    """Rows that were tuned on another share of the development rows than most of the column."""
    given = {records[0].method for records in rows.values() if SHARE in records[0].knobs}
    reads = [row for row, records in rows.items() if told[row] not in (DEFAULT, BY_TASK) or records[0].method in given]
    shares = {row: rows[row][0].knobs.get(SHARE, 1.0) for row in reads}
    usual = Counter(shares.values()).most_common(1)[0][0] if shares else 1.0
    return {row for row, share in shares.items() if share != usual}
