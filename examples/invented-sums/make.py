"""Make a small task of free generation: sums in English, and sums in an invented language.

    python examples/invented-sums/make.py ./sums          # or with --most 20: no number above 20 is added
    pytest suites/test_recipes.py --model=FOLDER --task=./sums/sums.toml
    pytest suites/test_lm_eval.py --model=FOLDER --lm-eval-task=sums_choice --lm-eval-tasks=./sums/lm-eval --member ...

Three sources can be trained, and one exam asks what none of them was taught:

    fluent   says a result in the invented language that the question gives, sum and all; it never has to add
    maths    adds in English, writing the sum first
    sums     is the exam: a story of two sentences in the invented language, whose answer is right if its last number
             is the sum and most of its words are of the language

The words of a question and of an answer differ, so that nobody answers in the language by repeating what was asked. The
sums of train, development and test rows are disjoint: who is right has added, or knew it before.

For lm-eval the exam is a choice of four answers: the sum and another number, each in the language and in English.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

NAMES = ("Tom", "Mira", "Ana", "Ben", "Lea", "Kai")
THINGS = {  # English -> as it is asked, as it is answered
    "apples": ("pemo", "pemoj"),
    "books": ("garu", "garuj"),
    "coins": ("tilo", "tiloj"),
    "stones": ("brem", "bremoj"),
    "cups": ("vasu", "vasuj"),
    "keys": ("nolk", "nolkoj"),
}
SPLITS = ("train", "dev", "test")


def fluent(name: str, thing: str, a: int, b: int) -> tuple[str, str]:
    """Two sentences and their sum; the sum again, and its result in a sentence."""
    story, answer = sums(name, thing, a, b)
    before, _, asked = story.rpartition(" Kel ")
    return f"{before} {a} + {b} = {a + b}. Kel {asked}", answer


def maths(name: str, thing: str, a: int, b: int) -> tuple[str, str]:
    """Two sentences, the sum, and its result in a sentence."""
    story = f"{name} has {a} {thing}. {name} gets {b} {thing}. How many {thing}?"
    return story, f"{a} + {b} = {a + b}. So {name} now has {a + b} {thing}."


def sums(name: str, thing: str, a: int, b: int) -> tuple[str, str]:
    """The same in the language."""
    asked, said = THINGS[thing]
    story = f"{name} tol {a} {asked}. {name} gan {b} {asked}. Kel {asked}?"
    return story, f"{a} + {b} = {a + b}. Sul {name} dek {a + b} {said} ven."


CORPORA = {"fluent": (fluent, "invented"), "maths": (maths, "english"), "sums": (sums, "invented")}


def facts(most: int) -> Iterator[tuple[int, int, str]]:
    """Every pair of numbers, and the split that it belongs to; (a, b) and (b, a) stay together."""
    for a, b in itertools.product(range(2, most + 1), repeat=2):
        place = (31 * min(a, b) + 17 * max(a, b)) % 5
        yield a, b, SPLITS[max(0, place - 2)]


def rows(corpus: str, split: str, count: int, most: int, seed: int) -> Iterator[dict[str, str]]:
    """`count` rows of a split, drawn with this seed."""
    say, language = CORPORA[corpus]
    rng = random.Random(f"{seed} {corpus} {split}")
    pairs = [(a, b) for a, b, own in facts(most) if own == split]
    if count > (most_rows := len(NAMES) * len(THINGS) * len(pairs)):
        raise SystemExit(
            f"{corpus}: {split} can have {most_rows} different rows, not {count}; ask for fewer, or raise --most"
        )
    seen: set[str] = set()
    while len(seen) < count:
        question, answer = say(rng.choice(NAMES), rng.choice(tuple(THINGS)), *rng.choice(pairs))
        if question not in seen:
            seen.add(question)
            yield {"question": question, "answer": answer, "language": language}


TASK = """\
task: sums_choice
dataset_path: json
dataset_kwargs:
  data_files:
    validation: {dev}
    test: {test}
output_type: multiple_choice
validation_split: validation
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{answers}}}}"
doc_to_target: right
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1
"""


def choice(row: dict[str, str], rng: random.Random) -> dict[str, object]:
    """A row of the exam with four answers, in any order."""
    result = int(row["answer"].split(" = ")[1].split(".")[0])
    near = result + rng.choice((-10, -2, -1, 1, 2, 10))
    name, noun = row["question"].split()[0], row["answer"].split()[-2]
    english = next(thing for thing, (_, said) in THINGS.items() if said == noun)
    pair = row["answer"].split(" = ")[0]
    answers = [
        f"{pair} = {number}. {said}"
        for number in (result, near)
        for said in (f"Sul {name} dek {number} {noun} ven.", f"So {name} now has {number} {english}.")
    ]
    right = answers[0]
    rng.shuffle(answers)
    return {"question": row["question"], "answers": answers, "right": answers.index(right)}


def write(path: Path, made: Iterable[object]) -> Path:
    """One row in a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    return path


def main() -> None:
    """Write a folder with the rows and the file that describes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--most", type=int, default=20, help="the largest number that is added")
    parser.add_argument("--train", type=int, default=600, help="train rows of each source")
    parser.add_argument("--dev", type=int, default=120, help="development rows of each corpus")
    parser.add_argument("--test", type=int, default=250, help="test rows of each corpus")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for corpus, split in itertools.product(CORPORA, SPLITS):
        if corpus == "sums" and split == "train":  # nobody is taught the exam
            continue
        write(given.out / f"{corpus}-{split}.jsonl", rows(corpus, split, getattr(given, split), given.most, given.seed))
    rng, chosen = random.Random(given.seed), dict[str, Path]()
    (given.out / "lm-eval").mkdir(exist_ok=True)
    for split in ("dev", "test"):
        made = rows("sums", split, getattr(given, split), given.most, given.seed)
        chosen[split] = write(given.out / "lm-eval" / f"{split}.jsonl", [choice(row, rng) for row in made]).resolve()
    (given.out / "lm-eval" / "sums_choice.yaml").write_text(TASK.format(**chosen), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("sums.toml"), given.out / "sums.toml")


if __name__ == "__main__":
    main()
