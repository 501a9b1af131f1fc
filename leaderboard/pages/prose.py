"""The words that stand between the tables: how to read them, what they cannot say."""

from __future__ import annotations

MARK = "Written by `python -m leaderboard publish`; do not edit."

HEAD = f"""\
# Leaderboard

{MARK} [How to read](#how-to-read) · [Notes](#notes)
"""

HOW_TO_READ = """\
## How to read

- A number is the mean score times 100 over seeds, ± half of its 95 % interval (Student's t over seeds). `(n=1)` is one
  seed: nothing is known about its spread.
- **Bold** is the best merged model of a column. `≈` marks those that cannot be told from it. Two chances are asked:
  other test rows (a paired bootstrap over the rows, 1,000 resamples) and, with several seeds, other trainings
  (Student's t of the differences per seed). Only a difference that survives both counts. Each comparison stands by
  itself; among many, some will look real by chance.
- *minus the best* and *minus its base* are such differences with the wider of both 95 % intervals; the base of
  `ties_evolver` is `ties`. *recovery* is the score as a share of `domain_specific`: each member on its own corpus.
- Rows in *italics* are yardsticks and do not compete.
- `—` is a gap. `— (2 of 3)` says that answers which other methods of the column have are missing; what is there is not
  averaged.
- A table holds one model, one suite and one protocol; a column holds one setting over the same corpora, "3 of 5" if
  some were not at hand. No score is averaged or compared across columns or tables.
- *paper* is the number of the Evolver paper (arXiv:2406.12208). † and ‡ are explained in the notes.
- Costs are medians over seeds and populations. Seconds depend on the machine. Peak memory is that of the whole process
  while it merged. An ensemble runs all members at inference, every other merge one model.
"""

NOTES = """\
## Notes

- † The paper's number is doubtful: it contradicts another of its numbers, or its column had to be inferred.
- ‡ The paper's row "Evolver" stands beside `simple_evolver`, which judges the mean of the whole population, as the
  authors' code does. `evolver`, as the text describes it, returns the best individual; several published cells lie
  below the best member, which that variant cannot explain.
- Where the paper prints one number for both head initialisations, it stands beside the same-heads column only.
- The paper's numbers are over all corpora and under its own protocol. Beside fewer corpora, or another protocol, they
  are for orientation only.
"""

RANKS = """\
## Who ranks best

The mean rank of every merge over the columns of all tables (1 is best), where all of the ranked methods answered; in
the diagram, a bar joins those whose mean ranks are closer than Nemenyi's critical difference at 5 % (Demšar 2006).
Columns share members and test rows, so they are not independent, as the test supposes: take it as a guide.
"""

CLAIMS_HEAD = f"""\
# What the paper says, and what these records say

{MARK} `pytest suites/test_claims.py` prints the same verdicts.

A claim *holds* for a model where the whole 95 % interval of its difference, averaged over the settings that were asked,
lies above 0; it *fails* where it lies below; otherwise it is *undecided*. Over all real models it holds if it holds
everywhere, and fails if it fails anywhere. The synthetic world is shown and not counted. The paper's number is the mean
over its own cells, how many stands in brackets; † marks doubtful cells among them. The intervals are those of the
[leaderboard](leaderboard.md).
"""

LANDSCAPES = """\
### Landscapes

The mean test score of every model *ancestor + a (first - ancestor) + b (second - ancestor)* of a grid, as in the
paper's Figure 8, and where the merges lie in that plane: the nearest point of each, its own score, and how much of its
way from the ancestor leads out of the plane. One seed; the grid was scored after the merges and nothing was chosen by
it.
"""

BELOW_BLOCK = "In-domain macro-F1 x 100; [how to read it, and everything else](docs/leaderboard.md).\n"

SYNTHETIC = "A tiny model on generated text: it shows that the whole system runs and says nothing about real models.\n"
NOTHING = "No results yet.\n"
