"""What a method's own file tells a reader: its idea, its formula, what it needs, its knobs. No torch is needed.

A module docstring is read in its order: a sentence, the formula as an indented block, prose, a paragraph that begins
`Elsewhere:`, and `References:`. Knobs, genes and needs are those of the outline, and a knob's words are the comment
behind its field.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import typing
from dataclasses import dataclass
from functools import cache

from methods.catalogue import BUILT_IN
from methods.knobs import knob_of
from methods.naming.outline import class_in, lines_of, outline, tree_of
from methods.naming.values import plain, wanted
from methods.space import Gene

ELSEWHERE, REFERENCES = "Elsewhere:", "References:"
BY_NAME = ("inner", "optimiser", "first_stage")  # knobs that are chosen by the method's name: <method>_cma


@dataclass(frozen=True)
class Knob:
    """One hyper-parameter."""

    name: str  # as a user writes it: "lambda"
    may_be: str
    default: str
    says: str  # the comment behind it, or ""


@dataclass(frozen=True)
class Manual:
    """What one method's file says."""

    name: str
    idea: str  # the module's first sentence
    itself: str  # what this one is, in one sentence: a file may hold several
    formula: str
    prose: tuple[str, ...]  # paragraphs
    elsewhere: str  # what else has the name, without the word `Elsewhere:`; "" where nothing has
    references: tuple[str, ...]
    paper: str
    needs: tuple[str, ...]
    knobs: tuple[Knob, ...]
    genes: tuple[Gene, ...]
    order: str  # why the order of members matters, or ""
    moves: str  # why equal members do not come back, or ""


@cache
def manual(name: str) -> Manual:
    """The manual of the built-in method that is registered as `name`."""
    module = BUILT_IN[name]
    tree, drawn = tree_of(module), outline(module, name)
    node = class_in(tree, name)
    idea, formula, prose, elsewhere, references = _parts(ast.get_docstring(tree) or "")
    kinds = typing.get_type_hints(drawn)
    comments = _comments(module)
    own = [field for field in dataclasses.fields(drawn) if field.name not in BY_NAME]
    knobs = [
        Knob(knob_of(f.name), wanted(kinds[f.name]), plain(f.default), comments.get(f.name, "")) for f in own if f.init
    ]
    itself = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n\n")[0]
    reasons = [getattr(drawn, reason, "") for reason in ("order_matters", "moves_equal_members")]
    return Manual(
        name,
        idea,
        " ".join(itself.split()),
        formula,
        prose,
        elsewhere,
        references,
        _paper(node, name),
        tuple(getattr(drawn, "needs", ())),
        tuple(knobs),
        tuple(getattr(drawn, "searched", ())),
        *reasons,
    )


def _parts(docstring: str) -> tuple[str, str, tuple[str, ...], str, tuple[str, ...]]:
    """Idea, formula, prose, elsewhere and references of a module's docstring."""
    idea, *blocks = re.split(r"\n\n+", inspect.cleandoc(docstring))
    formula = [block for block in blocks if block.startswith("    ")]
    plain_ones = [block for block in blocks if not block.startswith("    ")]
    elsewhere = " ".join(" ".join(b.split()) for b in plain_ones if b.startswith(ELSEWHERE))
    references = [line for b in plain_ones if b.startswith(REFERENCES) for line in b.splitlines()[1:]]
    prose = [" ".join(b.split()) for b in plain_ones if not b.startswith((ELSEWHERE, REFERENCES))]
    return (
        " ".join(idea.split()),
        "\n\n".join(map(inspect.cleandoc, formula)),
        tuple(prose),
        elsewhere.removeprefix(ELSEWHERE).strip(),
        _entries(references),
    )


def _entries(lines: list[str]) -> tuple[str, ...]:
    """References by their lines: each ends with an address, or with a year and a full stop."""
    found, held = [], list[str]()
    for line in map(str.strip, lines):
        held.append(line)
        if re.search(r"https?://\S+$", line) or re.search(r"\d{4}\.$", line):
            found.append(held)
            held = []
    whole = [" ".join(entry) for entry in (*found, held) if entry]
    merged: list[str] = []
    for entry in whole:  # "... ICML 2022." on one line, and the address on the next
        if merged and entry.startswith("http"):
            merged[-1] += f" {entry}"
        else:
            merged.append(entry)
    return tuple(merged)


def _comments(module: str) -> dict[str, str]:
    """Field -> the comment behind it, over all classes of a file."""
    lines, found = lines_of(module), dict[str, str]()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.end_lineno is not None:
            rest = lines[node.end_lineno - 1].encode()[node.end_col_offset or 0 :].decode()
            if rest.strip().startswith("#"):
                found[node.target.id] = rest.strip().lstrip("# ")
    return found


def _paper(node: ast.ClassDef, name: str) -> str:
    calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
    for call in calls:
        told = {word.arg: word.value for word in call.keywords}
        if any(isinstance(a, ast.Constant) and a.value == name for a in call.args) and "paper" in told:
            return str(ast.literal_eval(told["paper"]))
    return ""
