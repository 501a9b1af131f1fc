"""The words that stand between the tables: how to read them, what they cannot say."""

from __future__ import annotations

from leaderboard.plots.intervals import CAPTION as CAPTION_OF_CLAIMS

MARK = "Written by `python -m leaderboard publish`; do not edit."
MADE = f"<!-- {MARK} -->"  # for who edits the page, not for who reads it

HEAD = f"""\
# Leaderboard

{MADE}

[How to read](#how-to-read) · [Notes](#notes)
"""

SESSION_HEAD = """\
# Leaderboard of the last session

Written at the end of each session: the models and settings that it asked, with everything else that the store holds of
these. `python -m leaderboard show` prints the scores of the whole store, `python -m leaderboard serve` shows all pages;
both take `--results=FOLDER`. [How to read](#how-to-read) · [Notes](#notes)

*What to use* is chosen on development rows and judged on test rows, each for its own model, data and setting.
"""

HOW_TO_READ = """\
## How to read

- A number is a score times 100. A replicate is a set of members that was trained anew: three or more are shown as their
  mean ± half of its 95 % interval (Student's t), or as `mean [low, high]` where that would leave the scale; two as
  their values, `41.20 / 43.00`; one as `(n=1)`. Several seeds over one set of members are one replicate; how far their
  searches lie apart is shown as `search ±`, or as values.
- *tuned by* says how much a row was tuned on development rows: by the evaluations of a search, the generations of an
  evolution, or `calibrated`. Empty is a method at its defaults. *its own rule* is one that asks development rows as it
  merges, *a model for each task* one that must know which task a row is of. Rows are held against those of their kind
  alone: what was tuned, or knows more, beside what was not would say nothing of the methods.
- **Bold** is the best merged model of its kind in a column. `≈` marks those that cannot be told from it, `?` those of
  which nothing is known: no predictions, and one set of members. A difference must hold on three counts: other test
  rows (1,000 exchanges of answers, a bound by their moments where none is as large, and 1,000 resamples), other sets
  of members, with two or more (Student's t), and both together. *p* is the largest, in each column of differences
  corrected for their number (Holm). A difference counts as real where *p* is at most 0.05.
- *minus best merge*, *minus base method*, *minus best member* and *minus ancestor* are such differences: to the best
  merge of its kind, to what is tuned, to the single member that does best on development rows, and to the model that
  all members were fine-tuned from. The base method of `ties_evolver` and of `ties_cma`, a search, is `ties`, with the
  same options. So *minus base method* is what tuning adds to one method, and *minus best member* what merging adds.
  Their brackets are plain 95 % intervals: what other test rows would give (percentiles of 1,000 resamples), with three
  sets of members or more as wide as Student's, and as that of both, where those are wider. They show how large a
  difference may be and decide nothing: *p* asks another question, for many comparisons at once, so now and then it
  doubts an interval without 0.
- *recovery* is the score as a share of *each on its own*: each member on its own corpus. It is left out where members
  score no more than the best answer that reads no text.
- `ties k=0.4` is `ties` with an option that its protocol sets otherwise, and `ties_grid (30 % of development rows)`
  is one that was shown fewer rows: rows of their own. Beside `ties` itself the first stands under *Ablation* alone.
- Rows that do not compete stand first. Merges stand below them, kind by kind, the highest score of the first column on
  top. The head of a column names its seeds.
- `(answers no to everything)` says why a score is 0: no row was given any label. `(answers yes to everything)` may be
  a high one: every row was given every label, which macro-F1 rewards where labels are frequent. Of answers
  that were written, `(no answer passes language)` names the grader of the task that none passes.
- *constant answer* is what the best answer that is the same for every row would score on these test rows: yes to every
  label for macro-F1, the most frequent class for accuracy, 0 for a correlation. What scores no more may not have read
  its texts.
- `(constant)` is a correlation of answers that are all the same: it is undefined and counts 0.
- *25 % seen*: a quarter of these test rows have their text in a member's training rows; beside it, the score without
  them.
- Rows in *italics* are no methods, but what merges are held against: *best member*, *mean member*, *each on its own*,
  *multi-task* (one model trained on all members' rows), *ancestor*.
- `—` is a gap. `— (2 of 3)` says that answers which other methods of the column have are missing; what is there is not
  averaged.
- A table holds one model, one suite and one protocol. The first of a protocol bears its name, a further one also says
  in what it differs from the first: "quick, 10 epochs". A column holds one setting over the same corpora, "3 of 5" if
  some were not at hand, and one exam: the same members, development and test rows for all. What sat another exam has a
  column of its own, named by what differs. No score is averaged or compared across columns or tables.
- *paper* is the number of the Evolver paper (arXiv:2406.12208). † and ‡ are explained in the notes.
- Costs are medians over seeds and sets of members. Seconds depend on the machine. Peak memory is that of the whole
  process while it merged. An ensemble runs all members at inference, every other merge one model. *must be known*
  says what who asks has to know: some merges are a model of its own for each task. *rows learned from* counts
  rows without labels, each as often as it went through a model forward and back.
"""

NOTES = """\
## Notes

- † The paper's number is doubtful: it contradicts another of its numbers, or its column had to be inferred.
- ‡ The paper's row "Evolver" stands beside `simple_evolver`, which judges the mean of all members, as the
  authors' code does. `evolver`, as the text describes it, returns the best individual; several published numbers lie
  below the best member, which that variant cannot explain.
- Where the paper prints one number for both head initialisations, it stands beside the same-heads column only.
- The paper's numbers are over all corpora and under its own protocol. Beside fewer corpora, or another protocol, they
  are for orientation only.
"""

TALLIED = """\
In how many questions each merge was better than the best single member, could not be told from it, or was worse. A
question is one model asked in one setting; each counts once, whatever protocols asked it. The best member is chosen on
development rows. Every comparison is judged by itself (*p* of at most 0.05), so one in forty is called better by
chance; tables of *How sure* correct for all their rows. *No gain* counts merges that were better than it and not, by
the same test, better than the ancestor, which nobody fine-tuned, or than the *constant answer*, which reads no text. Of
the *undecided* ones those in brackets have the very same score, as where a merge gave the best member back. Merges that
answered fewer than three questions are left out. To be advised, a merge must be better for more models and suites than
chance gives. Each of them counts once, as its questions share members and rows, and only with two sets of members or
more.

"""

BY_SETTING = """\
Of the merges that need no development rows, and of those that need some, the one that scores highest in each setting,
and how far it is from the best single member. *Of 31* says how many were asked; methods with searches of several
budgets are left to tables of their own. The top merge of many is partly lucky: *p* of a lead is corrected for all
merges of the setting, as in *How sure*; the lead itself is not. Where even the highest is below, *p* is of that
comparison alone. Brackets are plain 95 % intervals, with fewer than three sets of members of the test rows alone. *Each
on its own* is what all members reach together when somebody knows which of them to ask. A lead is no gain where the
merge is not above the *ancestor* and the *constant answer* too, by the same test. A model for each task is left out
where it scores no more than *each on its own*: who knows a row's task can ask that task's member.

"""

RANKS = """\
## Who ranks best

The mean rank of every merge over models and suites (1 is best), among those of its kind: at their defaults, and tuned
alike on development rows, each in a table of its own. Within one model and suite, ranks are averaged over
protocols and settings first, so a sweep counts once. Only questions count that all ranked methods answered; who has not
answered all of them waits below without a rank. Where more methods answered fewer questions, *most methods* ranks them
on these alone. In the diagram, a bar joins those whose mean ranks are closer than
Nemenyi's critical difference at 5 % (Demšar 2006). Suites share models and sometimes rows: take it as a guide.
"""

CLAIMS_HEAD = f"""\
# What papers say, and what these records say

{MADE}

`pytest suites/test_claims.py` prints the same verdicts.

{{summary}}

A claim *holds* for a model and a suite where its difference, averaged over the settings that were asked, is above 0
with *p* of at most 0.05; it *fails* where it is below; otherwise it is *undecided*. Over all of them it holds if it
holds everywhere it was asked, and fails if it fails anywhere, there with *p* corrected for their number (Holm). So one
place that cannot tell leaves a claim undecided, however clear the others are: what a paper says of its method, it says
of more than one model. Protocols of one model and suite are averaged first. A place where one of the two methods was
never run is listed and does not count, nor does the synthetic world. A claim to be the best is held against the merge
that scored highest, which is named; a model for each task, which must know a row's, is no rival. That it is below is
corrected for the number of those it was taken from. A *rule* holds where no record breaks it, made-up worlds included.
*p* and intervals are those of the [leaderboard](leaderboard.md#how-to-read).

*Sets of members* are models fine-tuned anew, each with a seed of its own. Beside what is undecided stands how many in
all would find a difference as large as the one seen, with a probability of 80 %, if it is real. From two or three sets
that is a rough number; where it is large, the difference is small beside what differs from set to set.

A paper's difference is the mean over its own numbers (how many are in brackets); † marks doubtful ones among them.
*Rows that were compared* says whether both were at their defaults or tuned on development rows, and by how much. Where
one was and the other was not, the claim is about what tuning gains, and says nothing of two methods.

{CAPTION_OF_CLAIMS}"""

WAYS = "[How to read these tables](../leaderboard.md#how-to-read) · [Run it again](#run-it-again)\n"

NO_COMMAND = "No record of this page names the command that made it.\n"

REPEAT = """\
Put your own folders where words stand in capitals. Each record names its own command and commit.
"""

DIAGNOSES = """\
### Before merging

What `--diagnose` says of each set of members, of their changes *t = x - ancestor* and of development rows.
*Distance*: the mean length of *t* over that of the ancestor. *Cosine*: between two members' *t*, the mean over pairs.
*Conflict*: of the scalars that two members or more changed, the share on which they disagree in sign. *Cancelled*: what
of all changes is lost when they are added up. *Rank*: the effective rank of *t* as a share of the whole. *Gap*: how
much better members are on their own development rows than the others are there.
"""

LINKS = """\
Does it tell what merging gains? Spearman's correlation, over these sets of members, with the test score of a merge less
that of the best member, and its interval at 95 % for all rows together. Sets share members, so take it as a
hint.
"""

LANDSCAPES = """\
### Landscapes

The mean test score of every model *ancestor + a (first - ancestor) + b (second - ancestor)* of a grid, as in the
paper's Figure 8, and where the merges lie in that plane: the nearest point of each, its own score, and how much of its
way from the ancestor leads out of the plane. One seed; the grid was scored after the merges and nothing was chosen by
it.
"""

DEFAULT_AND_TUNED = """\
*tuned minus default* is a method held against itself, on the same test rows: what tuning on development rows gains. Its
*p* is corrected for all rows of the table. To compare methods, read down one column, and among tuned rows those with
the same words under *tuned by*.
"""

ABLATIONS = """\
These rows say what an option does. They are in no table of scores, no ranking and no verdict. Each is held against the
same method without the options that its name tells; all *p* of a table are corrected together.
"""

SCORE_LINES = """\
Each line is a method's score on test rows, the mean over seeds, and its band goes from the lowest seed to the highest.
A dashed line is what the methods are made around, which the option does not reach."""

GAIN_LINES = """\
Each line is what a search gains on test rows over the method that it searches, at its defaults: the mean over seeds,
with a band from the lowest seed to the highest."""

MEMBER_LINES = """\
Each line is a method's score on the test rows of all corpora, also of those that no member was fine-tuned on: the mean
over seeds, with a band from the lowest seed to the highest."""

COEFFICIENT_MARKS = """\
The hollow mark is a method as it is, the filled one the same with coefficients that were searched on development
rows."""

CALIBRATION_MARKS = """\
What each way adds to the same method at its defaults: calibration moves one number for each output and leaves the merge
as it is, tuning searches or evolves the merge."""

SEEN_MARKS = """\
The text of these test rows stands in a member's training rows too. Each mark is how far a merge's score changes without
them, the mean over those corpora that have any; merges stand in the order of their scores."""

TIMES = """\
Seconds of one `simple_evolver`, the median over records, beside what the paper's Table 8 prints for its six models (it
names no unit; every run is said to end within half an hour). Machines, models, rows and generations differ, so the
times themselves say little of each other. What can be compared is how a setting's time stands to the mean over the same
settings, there and here.
"""

FIGURE_5 = "In the paper (Figure 5, four seeds) the score rises up to 0.5 and hardly beyond."
FIGURE_6 = "The paper varies the same in its Figure 6."

VARIED = f"""\
# Ablations

{MADE}

What one option, or one choice of the experiment, does while everything else stays as it is.
`pytest suites/test_ablations.py` varies them as the paper does, and more; values that were set by hand with `--set`
stand here too. Nothing is ranked or chosen by these rows. *Really* above or below means by more than chance, with *p*
corrected for all values of a figure: [how to read](leaderboard.md#how-to-read). The numbers stand in the tables of each
model's page, under *What one choice does*.
"""

CALIBRATION = """\
Calibration moves one number for each output on development rows and leaves the merge as it is. *calibration gains* is
what that alone adds, *tuning gains* what the row beside adds to the same method at its defaults, and *tuned minus
calibrated* what is left of that. The share is told where tuning really gains. All *p* of a table are corrected
together.
"""

SAME_BUDGET = """\
A budget counts development evaluations: the start, every candidate, and every second look at one of the best.

- *best seen* is the best score that a search saw on its development rows. It is the best of many tries on the same
  rows, so it is too high. *kept apart* is what the chosen model scored on rows that only the last few candidates were
  shown. *exam* is its score on the test rows.
- *best seen - exam* is what is not found again. *by luck* is how much of it chance alone is expected to give if all
  candidates are as good as the start: sqrt(p (1 - p) / m) sqrt(2 ln K), with p the start's score, m the rows that each
  candidate is scored on and K the tries, second looks left out. It is a rough upper bound, made for scores that are
  shares of rows, such as accuracy, and for candidates that do not resemble each other. Both are left out where the exam
  asks other corpora than the search.
- *minus random* is the difference on test rows to random search around the same method with the same numbers to search,
  which stands first: what an optimiser adds to trying at random. Its *p* is corrected for all rows of the table.
- Fewer than 10 evaluations for each variable are few. An evolution breeds whole weights, so it has no variables.
"""

ELSEWHERE = """\
Nothing is chosen, ranked or called best by these columns: they show what a merge that is made for the exam above pays
on other rows. The models are the same, and chosen on the same development rows.
"""

LIKELIHOOD = """\
*likelihood* is the mean log-probability of a token of the right answers, to the model that was found: 0 is certain.
"""

TOLD_OTHERWISE = """\
These searches were told a stand-in for the marks of written answers, how likely the right ones are, or the marks and a
tenth of that; their *best seen* is what their result scores by marks on all development rows:"""

RACES = """\
The best score so far on the development rows that the search sees, against the evaluations made: the line is the mean
over seeds, the band goes from the lowest seed to the highest. Random search is dashed. One panel for each method that
is searched, of many for the six where most searches compete or that end highest; all panels have the same axes.
"""

ROUTES = """\
A route is the way of a token through the blocks of several models: hops from left to right, a lane for each source with
its blocks from the bottom up, and a line from each hop to the next. Below it stands what each hop is scaled by, from 1
up or down; `update` scales what the block before added last, `stream` all that comes in. The first seed is shown.
In words, each hop is its source, from 1, its block, from 0, and its scale where that is not 1:
"""

BELOW_BLOCK = """\
{what} x 100, a row for each method: at its protocol's own values, or the only ones that were run. Bold is the
best merge of its kind, at its defaults or tuned alike; ≈ cannot be told from it. ± is a 95 % interval over sets of
members; two sets are shown as their values, one as (n=1). [How to read it, and all else](docs/leaderboard.md).
"""

SYNTHETIC = "A tiny model on generated text: it shows that the whole system runs and says nothing about real models.\n"
NOTHING = "No results yet.\n"

METHODS = """\
A page for each merging method that is built in, and for what can be around one: `ties_evolver` is [evolver](evolver.md)
around [ties](ties.md), `ties_cma` a [search](search.md) of its options by an [optimiser](../add-an-optimiser.md). Ranks
are of the row at its protocol's own values; [who ranks best](../leaderboard.md#who-ranks-best) says among what.
"""

YARDSTICKS = """\
## Rows that are no methods

They stand in italics, say what a merge is held against, and do not compete.

| row | `--method=` | what it is |
| --- | --- | --- |
| *[best member](best.md)* | `best` | the single member that does best on development rows |
| *mean member* | `avg` | the mean score of the members, each asked everything |
| *[member 1](source.md)* | `source_1` | the first member alone |
| *[ancestor](base.md)* | `base` | the model that all members were fine-tuned from |
| *[random mix](random_convex.md)* | `random_convex` | the members' mean, with weights drawn at random |
| *each on its own* | `domain_specific` | each member on its own corpus: the score of whoever keeps them all |
| *multi-task* | `mtl` | one model trained on all members' rows together |
| *constant answer* | always shown | the best answer that is the same for every row: it reads no text |
"""

DOWNLOAD = """\
## Take the numbers along

Every row of this page's tables of scores, with differences, costs and the names of its records:
[CSV]({stem}.csv) · [JSON]({stem}.json)
"""
