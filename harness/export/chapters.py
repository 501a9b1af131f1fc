"""The chapters of a model card, each from the same facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from harness.data.task import Task
from harness.export.facts import Facts, Member, Reading
from harness.export.forms import ENSEMBLE, OFFSETS
from harness.export.names import shown
from harness.export.scores import Scored, Span
from harness.records.record import slug


def title(facts: Facts) -> str:
    """What this is, and how it was chosen."""
    record, names = facts.record, ", ".join(shown(m.name) for m in facts.members)
    count, model = len(facts.members), shown(facts.record.model)
    if facts.member is not None:
        head = f"# {model}: the member {shown(facts.member)}"
        what = f"One of {count} models fine-tuned from {model} ({names}), as it was. Nothing is merged in it."
    elif facts.form.members:
        head = f"# {model}: {record.method} of {count}"
        what = f"{count} models fine-tuned from {model} ({names}), side by side: their answers are averaged."
    else:
        head = f"# {model}: {record.method} of {count}"
        one = f"A model for each of {len(facts.form.corpora)} tasks" if facts.form.corpora else "One model"
        what = f"{one}, merged by `{record.method}` from {count} models fine-tuned from {model} ({names})."
        if (route := record.details.get("route")) is not None:
            what += (
                f" It has a block for each of the {len(route['hops'])} hops of a route through theirs. The record "
                "lists the hops; their scales are in its weights."
            )
        if record.method == "mtl":
            what = f"One model, fine-tuned from {model} on the rows of all {count} members ({names}) together."
    return f"{head}\n\n{what}\n\n## How it was chosen\n\n{facts.why}"


def use(facts: Facts) -> str:
    """How to load it and how its answers were read when it was examined."""
    lines = [f"## Use\n\n```python\n{_code(facts)}\n```"]
    if facts.form.corpora:
        folders = ", ".join(f"`{slug(corpus)}/`" for corpus in facts.form.corpora)
        lines.append(f"Every task has a model or a head of its own, so there is a folder for each: {folders}.")
    if facts.form.members:
        members = ", ".join(f"`{slug(member)}/`" for member in facts.form.members)
        lines.append(f"The answer is the mean of the logits of {members}; `{ENSEMBLE}` says so for programs.")
    if facts.form.offsets:
        lines.append(f"Before an answer is read from logits, the numbers in `{OFFSETS}` are added to them.")
    lines += [_how_read(facts), f"Weights are {facts.dtype}, as those of the members."]
    if any(m.adapter for m in facts.members):
        names = ", ".join(shown(m.name) for m in facts.members if m.adapter)
        lines.append(f"{names}: brought as an adapter; the result is written whole, not as an adapter.")
    if facts.changed:
        said = ", ".join(f"{corpus} {count}" for corpus, count in facts.changed.items())
        lines.append(
            f"It was tested in float32. Test answers that are others in {facts.dtype}: {said}; the scores below are "
            "those of the record, in float32."
        )
    return "\n\n".join(lines)


def scores(facts: Facts) -> str:
    """The table of scores."""
    corpora = list(facts.record.scores)
    head = ["", "mean", *corpora] if len(corpora) > 1 else ["", *corpora]
    rows = [[_name(facts, s, i), *_cells(s, corpora)] for i, s in enumerate(facts.scores)]
    metrics = ", ".join(dict.fromkeys(task.metric for task in facts.tasks.values()))
    seen = f"Test rows, on which nothing was trained or chosen: {metrics} x 100."
    sure = "In brackets: what 95 % of other test sets of this size would give."
    return f"## Scores\n\n{seen} {sure}\n\n{_table(head, rows)}"


def origins(facts: Facts) -> str:
    """The models that it comes from, and the rows that the hub has."""
    first = facts.ancestor
    rows = [
        ["ancestor", shown(facts.record.model), *_told(first.repository, first.revision, first.licence, first.content)]
    ]
    rows += [["member", shown(m.name), *_of_member(m)] for m in facts.members]
    rows += [["rows", shown(corpus), *source.split("@"), "—", "—"] for corpus, source in facts.sources.items()]
    lines = [f"## Comes from\n\n{_table(['', 'name', 'from', 'revision', 'licence', 'content'], rows)}"]
    if facts.licence is None:
        known = sorted({o.licence for o in facts.origins if o.licence})
        said = f"known are {', '.join(known)}; the others are not known here" if known else "none is known here"
        lines.append(f"Licences: {said}. Look them up before you pass this model on.")
    return "\n\n".join(lines)


def made_by(facts: Facts) -> str:
    """The method with its knobs, the command, the commit, and what the record is known by."""
    record = facts.record
    recipe = {"method": dict(facts.method), "protocol": record.recipe.get("protocol", {})}
    population = record.recipe.get("population", {})
    rows = [
        ["record", f"`{record.path.as_posix()}`"],
        ["weights, sha256", f"`{record.weights_sha256}`"],
        ["setting", f"{record.suite}, {record.setting}, seed {record.seed}, heads {record.heads}"],
        ["seeds of the members", ", ".join(map(str, population.get("seeds", []))) or "unknown"],
        ["command", f"`{record.environment.get('command') or 'unknown'}`"],
        ["commit of mergeboard", str(record.environment.get("commit") or "unknown")],
        ["merge", f"{float(record.cost.get('merge_seconds') or 0):.1f} s"],
        ["models at inference", str(record.cost.get("inference_models", 1))],
    ]
    if (tasks := record.cost.get("tasks")) is not None:
        rows.append(["models, of which the task of a row decides", str(tasks)])
    if (kept := record.cost.get("stored_parameters")) is not None:
        rows.append(["parameters kept", f"{kept:,}"])
    text = json.dumps(recipe, indent=1, ensure_ascii=False)
    said = "The record without its predictions is in `mergeboard.json`: recipe, trace of the search, environment."
    return f"## How it was made\n\n{_table(['', ''], rows)}\n\n```json\n{text}\n```\n\n{said}"


def _code(facts: Facts) -> str:
    kind, where = facts.reading, facts.form.places()[0].as_posix()
    auto = {"encoder": "SequenceClassification", "decoder": "CausalLM", "encoder_decoder": "Seq2SeqLM"}[kind.family]
    folder = "FOLDER" if where == "." else f"FOLDER/{where}"
    lines = [
        "import torch",
        f"from transformers import AutoModelFor{auto}, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{folder}")',
        f'model = AutoModelFor{auto}.from_pretrained("{folder}", dtype=torch.float32).eval()',
    ]
    if kind.family == "encoder":
        pair = next(iter(facts.tasks.values())).pair
        texts = '"a text", "another one"' if pair else '"a text"'
        lines += [
            f'inputs = tokenizer({texts}, truncation=True, max_length={kind.max_length}, return_tensors="pt")',
            "logits = model(**inputs).logits",
        ]
    return "\n".join(lines)


def _how_read(facts: Facts) -> str:
    task, reading = next(iter(facts.tasks.values())), facts.reading
    labels = ", ".join(f"`{name}`" for name in task.outputs)
    if task.kind == "generation":
        return _written(task, reading)
    if reading.family != "encoder":
        return f"{_asked(task, reading)} Outputs, in order: {labels}."
    if task.kind == "multi_label":
        return f"Labels, in order: {labels}. A label is said where its raw logit is at least {reading.threshold:g}."
    if task.kind == "classification":
        return f"Classes, in order: {labels}. The largest logit decides."
    return f"The logit is the score ({labels}), in the units of its labels."


def _asked(task: Task, reading: Reading) -> str:
    """How a model that answers in words was asked, and how its answers were read."""
    words = "; ".join(f"{name}: {value!r}" for name, value in reading.asked.items())
    first = next(iter(task.asked), 0)
    if reading.family == "decoder":
        prompt, begun = f"{{text}} {task.statements[first]}", "the prompt"
    else:
        sentinel = " <extra_id_0>" if reading.asked.get("before both") else ""
        prompt, begun = f"{task.questions[first]}{sentinel} {{text}}", "the decoder's start token"
    if task.kind == "multi_label":
        rule = f"An output is said where that is at least {reading.threshold:g}."
    elif len(task.asked) < len(task.outputs):
        rule = f"{task.outputs[first]} is said where that is above 0, the other class elsewhere."
    else:
        rule = "The largest decides." if task.kind == "classification" else "The score is made of it."
    return (
        f"The model is asked in words, once for each output that is asked of; of {task.outputs[first]} the prompt is "
        f"{prompt!r}, and mergeboard.json has the words of all. The answer is the logit of the token of yes minus that "
        f"of no, behind {begun} and the tokens before both ({words}). {rule} Texts are cut so that everything fits "
        f"{reading.max_length} tokens."
    )


def _written(task: Task, reading: Reading) -> str:
    """How a model whose answers are written was asked."""
    if task.asked_by:
        return f"It was asked and its answers were marked by somebody else's harness ({task.asked_by})."
    ends = ["the tokenizer's end of a text", *map(repr, task.stop)]
    return (
        f"The model goes on from the prompt {task.prompt!r}, each time with the most likely token, {task.tokens} times "
        f"at most, up to {' or '.join(ends)}. Answers are marked by {' times '.join(task.graders)}. Texts are cut so "
        f"that prompts, a decoder's with their answers, fit {reading.max_length} tokens."
    )


def _name(facts: Facts, scored: Scored, place: int) -> str:
    if place:
        return scored.name
    return f"**this model** ({shown(facts.member or facts.record.method)})"


def _cells(scored: Scored, corpora: Sequence[str]) -> list[str]:
    mean = [_with_span(scored.mean, scored.span)] if len(corpora) > 1 else []
    return [*mean, *(_with_span(scored.scores.get(c), scored.spans.get(c)) for c in corpora)]


def _with_span(score: float | None, span: Span | None) -> str:
    if score is None:
        return "—"
    return f"{100 * score:.2f}" + (f" [{100 * span[0]:.2f}, {100 * span[1]:.2f}]" if span else "")


def _of_member(member: Member) -> list[str]:
    if member.brought is None:
        return [f"fine-tuned here from the ancestor, seed {member.seed}", "—", "as the ancestor's", "—"]
    origin = member.brought
    return _told(origin.repository or "brought by the user", origin.revision, origin.licence, origin.content)


def _told(repository: str | None, revision: str | None, licence: str | None, content: str) -> list[str]:
    return [repository or "a local folder", revision or "—", licence or "unknown", f"`{content}`"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
