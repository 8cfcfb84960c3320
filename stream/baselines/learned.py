"""A baseline of a model that nobody has registered, made of a sample of its own first predictions.

Promise: the same sample gives the same bytes, on every machine and whenever: no clock, no name of a file, no version of
a library is in it. Its number is 0, so whatever is registered later takes its place.
What a feature is follows from its values, as for a baseline of a topic (live.py); the answer is `score`, `value` or
`scores`, the first one that comes.
Weak: an hour's baseline knows an hour. What it takes for normal may be the fault that one would like to hear of.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from stream.baselines.baseline import Baseline, Learned, Provenance
from stream.baselines.classes import FEWEST, MOST
from stream.baselines.columns import Column, NumericColumn
from stream.baselines.create import PredictionColumns, baseline_of
from stream.baselines.live import predictions_as_columns
from stream.baselines.registry import MAX_ENTRY_BYTES, complaint
from stream.errors import InputError
from stream.records.learning import SampledRow
from stream.records.prediction import Answer, ModelKey
from stream.records.times import rfc3339

LIKE_AN_ID: Final = 0.5  # of a text feature's values differ: it names rows, it does not describe them
FEWEST_TEXTS: Final = 20  # below it a share says nothing
MOST_NAMED: Final = 20  # features left out that are named


class Span(NamedTuple):
    """Event time [from_ms, to_ms) in whole panes."""

    from_ms: int
    to_ms: int


def learned_baseline(key: ModelKey, rows: Sequence[SampledRow], span: Span, most_features: int) -> Baseline | str:
    """The baseline of a model's first rows, or why there can be none.

    Args:
        key: whose rows these are.
        rows: not empty, by hash.
        span: that they were drawn from.
        most_features: of more the most frequent ones are taken.
    """
    predictions: list[Mapping[str, Any]] = [msgspec.json.decode(row.content) for row in rows]
    columns = _with_classes(predictions_as_columns(predictions, [row.pane_ms for row in rows]), predictions)
    columns, left_out = _described(columns, predictions, most_features)
    try:
        return _that_fits(columns, key, _provenance(rows, span), Learned(from_ms=span.from_ms, to_ms=span.to_ms,
                          left_out=left_out))  # fmt: skip
    except InputError as problem:
        return str(problem)


def _provenance(rows: Sequence[SampledRow], span: Span) -> Provenance:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.content)
    return Provenance(
        created_at=rfc3339(span.to_ms),
        rows=len(rows),
        files=(f"learned from {rfc3339(span.from_ms)} to {rfc3339(span.to_ms)}",),
        data_sha256=digest.hexdigest(),
        git_hash=None,
        libraries={},
        seed=0,
        from_ms=span.from_ms,
        to_ms=span.to_ms,
    )


def _described(
    columns: PredictionColumns, predictions: Sequence[Mapping[str, Any]], most_features: int
) -> tuple[PredictionColumns, tuple[str, ...]]:
    """The columns with the features that describe a row, and what was left out."""
    answers = {str(a) for a in Answer} | {f"{Answer.SCORES}.{c}" for c in columns.classes}
    times = Counter(name for p in predictions for name in p["features"])
    ranked = sorted(columns.features, key=lambda column: (-times[column.name], column.name))
    reasons = {name: "neither numbers nor text" for name in times.keys() - {c.name for c in columns.features}}
    kept: list[Column] = []
    for column in ranked:
        if column.name in answers:
            reasons[column.name] = "has the name of an answer"
        elif _is_like_an_id(column):
            reasons[column.name] = "nearly every row has another text"
        elif len(kept) >= most_features:
            reasons[column.name] = f"beyond the {most_features} most frequent"
        else:
            kept.append(column)
    kept.sort(key=lambda column: column.name)
    named = [f"{name}: {reason}" for name, reason in sorted(reasons.items())]
    more = [f"and {len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
    return replace(columns, features=tuple(kept)), (*named[:MOST_NAMED], *more)


def _is_like_an_id(column: Column) -> bool:
    if isinstance(column, NumericColumn):
        return False
    texts = int((column.codes >= 0).sum())
    return texts >= FEWEST_TEXTS and len(column.categories) > LIKE_AN_ID * texts


def _with_classes(columns: PredictionColumns, predictions: Sequence[Mapping[str, Any]]) -> PredictionColumns:
    """Of a multiclass model with its scores; any other as it is."""
    if columns.answer is not None:
        return columns
    scores = [p.get(Answer.SCORES) for p in predictions]
    by_class = [_by_class(one) for one in scores]
    names = tuple(sorted({name for one in by_class for name in one}))
    usable = all(0 <= score <= 1 for one in by_class for score in one.values())
    if not (usable and FEWEST <= len(names) <= MOST):
        return columns
    return replace(
        columns,
        notes=(),
        answer=Answer.SCORES,
        classes=names,
        class_columns=tuple(
            NumericColumn(name=name, values=np.array([one.get(name, np.nan) for one in by_class], np.float64))
            for name in names
        ),
    )


def _by_class(scores: object) -> Mapping[str, float]:
    """One prediction's scores by the name of their class; by their place if they come as an array."""
    if isinstance(scores, list):
        return {f"{i:02d}": score for i, score in enumerate(scores)}
    return scores if isinstance(scores, dict) else {}


def _that_fits(columns: PredictionColumns, key: ModelKey, provenance: Provenance, learned: Learned) -> Baseline:
    """The baseline, without the features that make it larger than a topic takes."""
    while True:
        made = msgspec.structs.replace(baseline_of(columns, key, provenance), number=0, learned=learned)
        if wrong := complaint(made):
            raise InputError(wrong)
        if len(made.to_bytes()) <= MAX_ENTRY_BYTES:
            return made
        sizes = {s.name: len(msgspec.json.encode(s)) for s in made.series[: len(made.series) - made.answers]}
        if not sizes:
            raise InputError("its answers alone are larger than a topic takes")
        largest = max(sorted(sizes), key=lambda name: sizes[name])
        columns = replace(columns, features=tuple(c for c in columns.features if c.name != largest))
        learned = msgspec.structs.replace(learned, left_out=(*learned.left_out, f"{largest}: too large"))
