"""The model card: YAML front matter as the hub reads it, and a page for people."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub import EvalResult, ModelCardData

from harness.export.chapters import made_by, origins, scores, title, use
from harness.export.facts import Facts

_PIPELINE = {
    "encoder": "text-classification",
    "decoder": "text-generation",
    "encoder_decoder": "text2text-generation",
}
_METRIC = {"macro_f1": "f1", "matthews": "matthews_correlation", "pearson": "pearsonr"}  # as the hub calls them


def card(facts: Facts) -> str:
    """The whole README.md."""
    chapters = [title(facts), use(facts), scores(facts), origins(facts), made_by(facts)]
    return f"---\n{_front(facts).to_yaml()}\n---\n\n" + "\n\n".join(chapters) + "\n"


def _front(facts: Facts) -> ModelCardData:
    record = facts.record
    repositories = [origin.repository for origin in facts.origins if origin.repository]
    merged = facts.member is None
    return ModelCardData(
        base_model=repositories or None,
        datasets=list(dict.fromkeys(source.partition("@")[0] for source in facts.sources.values())) or None,
        base_model_relation=("merge" if merged else "finetune") if repositories else None,
        license=facts.licence,
        library_name="transformers",
        pipeline_tag=_PIPELINE[facts.reading.family],
        tags=["mergeboard", *(["merge", record.method] if merged else [])],
        metrics=list(dict.fromkeys(_METRIC.get(t.metric, t.metric) for t in facts.tasks.values())),
        model_name=f"{record.model}-{facts.member or record.method}",
        eval_results=list(_results(facts)),
    )


def _results(facts: Facts) -> Iterator[EvalResult]:
    """One result for each corpus: a score on its test rows."""
    for corpus, score in facts.scores[0].scores.items():
        task = facts.tasks[corpus]
        repository, _, commit = facts.sources.get(corpus, corpus).partition("@")
        yield EvalResult(
            task_type="text-classification",
            dataset_type=repository,
            dataset_revision=commit or None,
            dataset_name=f"{facts.record.suite}, {corpus}",
            dataset_split="test",
            metric_type=_METRIC.get(task.metric, task.metric),
            metric_name=task.metric,
            metric_value=round(score, 6),
        )
