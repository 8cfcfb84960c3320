"""The newest predictions of a topic as columns, without a schema: what a baseline is made of.

Which messages are predictions of the model is not decided here: what counting refuses must not decide what is normal,
so the caller brings a reader that decides as counting does (`stream.ingest.countable`).
What a feature is follows from its values: text makes it categorical, numbers and booleans make it
numeric, and of both the more frequent one decides. The other kind is then invalid, as in counting.
Cost: about 25 us a prediction of ten features; all rows used are held in memory.
"""

import hashlib
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from stream.baselines.baseline import Provenance
from stream.baselines.columns import CategoricalColumn, Column, NumericColumn
from stream.baselines.create import PredictionColumns
from stream.baselines.provenance import provenance
from stream.durable.log import Log
from stream.errors import InputError
from stream.records.prediction import CODE_INVALID, CODE_MISSING, Answer, ModelKey
from stream.records.source import Message, MessageBatch, Source

LOOK_BACK_FACTOR: Final = 4  # how much further each look goes when the last one brought too few rows
MESSAGES_AT_ONCE: Final = 100

Prediction = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which predictions of a topic are used."""

    key: ModelKey
    last: int | None = None  # the newest so many by event time; None: all
    from_ms: int | None = None  # event time, [from, to)
    to_ms: int | None = None
    segments: tuple[str, ...] = ()  # keys by whose values the rows are kept apart, too
    answer: Answer = Answer.SCORE  # which one is taken where the predictions carry several

    def includes(self, event_time_ms: int) -> bool:
        """Whether the event time lies in the range asked for."""
        after = self.from_ms is None or event_time_ms >= self.from_ms
        return after and (self.to_ms is None or event_time_ms < self.to_ms)


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One prediction of the model, with its place."""

    event_time_ms: int
    source: Source
    offset: int
    sha256: bytes  # of the message's value
    prediction: Prediction  # in our own shape


@dataclass(frozen=True, slots=True)
class LiveRead:
    """What the messages of a stretch of the log have become."""

    rows: list[LiveRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # by reason: what counting refuses and may be the model's

    def __add__(self, other: "LiveRead") -> "LiveRead":
        return LiveRead(self.rows + other.rows, self.left_out + other.left_out)


Reader = Callable[[MessageBatch], LiveRead]


async def read_live(
    log: Log, sources: Sequence[Source], selection: Selection, read: Reader
) -> tuple[PredictionColumns, Provenance]:
    """The selected predictions of one model version, oldest first, and where they lay.

    What counting refuses is left out, and a note says how many messages that were, by reason.

    Args:
        log: that the predictions lie in.
        sources: the topic's partitions.
        selection: which rows are used.
        read: takes the rows of the model from messages.

    Raises:
        InputError: there is none.
    """
    found = sum([await _newest(log, source, selection, read) for source in sources], LiveRead())
    rows = found.rows
    rows.sort(key=lambda row: (row.event_time_ms, row.source, row.offset))
    if selection.last is not None:
        rows = rows[-selection.last :]
    if not rows:
        topics = ", ".join(sorted({s.topic for s in sources}))
        raise InputError(
            f"there is no prediction of {selection.key} in topic {topics}; check --model and --version, "
            f"or make the baseline from a FILE{''.join(f' ({note})' for note in _notes(found.left_out))}"
        )
    columns = columns_of(rows, selection)
    return replace(columns, notes=_notes(found.left_out) + columns.notes), _provenance(rows)


def columns_of(rows: Sequence[LiveRow], selection: Selection) -> PredictionColumns:
    """The rows' features, in the order of their first appearance, their answer, and the values of segment keys."""
    columns = predictions_as_columns(
        [row.prediction for row in rows], [row.event_time_ms for row in rows], selection.segments, selection.answer
    )
    kept = tuple(column for column in columns.features if column.name != columns.answer)
    if len(kept) == len(columns.features):
        return columns
    named = f"feature {str(columns.answer)!r} has the answer's name and is left out"
    return replace(columns, features=kept, notes=(*columns.notes, named))


def _notes(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """How many predictions were left out and why, in one sentence; none if there were none.

    >>> _notes({"wrong_type": 2, "future": 1})
    ('3 messages are left out, since counting refuses them: 1 future, 2 wrong_type; docs/predictions.md says why',)
    """
    if not left_out:
        return ()
    total = sum(left_out.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))
    said = (
        "1 message is left out, since counting refuses it"
        if total == 1
        else (f"{total:,} messages are left out, since counting refuses them")
    )
    return (f"{said}: {reasons}; docs/predictions.md says why",)


def predictions_as_columns(
    predictions: Sequence[Prediction],
    times_ms: Sequence[int],
    segments: Sequence[str] = (),
    first: Answer = Answer.SCORE,
) -> PredictionColumns:
    """Predictions in our own shape as such columns; of several answers `first` is taken, if it is there."""
    features = [_features(p) for p in predictions]
    names = list(dict.fromkeys(name for one in features for name in one))
    columns = {name: _column(name, [one.get(name) for one in features]) for name in names}
    in_order = (first, *(a for a in Answer if a is not first))
    answer = next((a for a in in_order if any(_is_number(p.get(a)) for p in predictions)), None)
    unread = ("`scores` are not read from a topic; make a multiclass model's baseline from a FILE with --scores",)
    return PredictionColumns(
        rows=len(predictions),
        features=tuple(column for column in columns.values() if column is not None),
        answer_column=_numeric(answer, [p.get(answer) for p in predictions]) if answer else None,
        answer=answer,
        segments=tuple(
            _categorical(key, [_segment_value(p, key, columns.get(key)) for p in predictions]) for key in segments
        ),
        time_ms=np.array(times_ms, np.int64),
        notes=tuple(
            f"feature {name!r} holds neither numbers nor text and is left out"
            for name, column in columns.items()
            if column is None
        )
        + (unread if answer is None and any(p.get(Answer.SCORES) is not None for p in predictions) else ()),
    )


async def _newest(log: Log, source: Source, selection: Selection, read: Reader) -> LiveRead:
    """The source's selected rows; looks back further and further until there are enough."""
    begin, end = await log.begin(source), await log.end(source)
    look_back = end - begin if selection.last is None else selection.last
    while True:
        start = max(begin, end - look_back)
        found = LiveRead()
        async for batch in _batches(log, source, start):
            one = read(batch)
            found.rows.extend(row for row in one.rows if selection.includes(row.event_time_ms))
            found.left_out.update(one.left_out)
        if start == begin or (selection.last is not None and len(found.rows) >= selection.last):
            return found
        look_back *= LOOK_BACK_FACTOR


async def _batches(log: Log, source: Source, start: int) -> AsyncIterator[MessageBatch]:
    """Every record from `start` on, many at a time."""
    held: list[Message] = []
    async for message in log.read(source, start):
        held.append(message)
        if len(held) == MESSAGES_AT_ONCE:
            yield MessageBatch.of(source, held, chained=False)
            held = []
    if held:
        yield MessageBatch.of(source, held, chained=False)


def _features(prediction: Prediction) -> Mapping[str, Any]:
    features = prediction.get("features")
    return features if isinstance(features, dict) else {}


def _segment_value(prediction: Prediction, key: str, feature: Column | None) -> object:
    """The value of a key, as counting reads it: of the categorical feature of that name, else of `segment`."""
    if isinstance(feature, CategoricalColumn):
        return _features(prediction).get(key)
    segment = prediction.get("segment")
    value = segment.get(key) if isinstance(segment, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def _column(name: str, values: list[Any]) -> Column | None:
    """A feature's column; None if no value is a number or a text."""
    texts = sum(isinstance(v, str) for v in values)
    numbers = sum(isinstance(v, int | float) for v in values)
    if texts == numbers == 0 and any(v is not None for v in values):
        return None
    return _categorical(name, values) if texts > numbers else _numeric(name, values)


def _numeric(name: str, values: list[Any]) -> NumericColumn:
    numbers = [math.nan if v is None else float(v) if isinstance(v, int | float) else math.inf for v in values]
    return NumericColumn(name=name, values=np.array(numbers, np.float64))


def _categorical(name: str, values: list[Any]) -> CategoricalColumn:
    code_of: dict[str, int] = {}
    codes = [
        code_of.setdefault(v, len(code_of)) if isinstance(v, str) else CODE_MISSING if v is None else CODE_INVALID
        for v in values
    ]
    return CategoricalColumn(name=name, codes=np.array(codes, np.int32), categories=tuple(code_of))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _provenance(rows: Sequence[LiveRow]) -> Provenance:
    spans: dict[Source, tuple[int, int]] = {}
    for row in rows:
        first, end = spans.get(row.source, (row.offset, row.offset + 1))
        spans[row.source] = min(first, row.offset), max(end, row.offset + 1)
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.sha256)
    return provenance(
        rows=len(rows),
        files=[f"{source}[{first}, {end})" for source, (first, end) in sorted(spans.items())],
        data_sha256=digest.hexdigest(),
        span_ms=(rows[0].event_time_ms, rows[-1].event_time_ms),
    )
