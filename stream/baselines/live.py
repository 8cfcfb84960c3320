"""The newest predictions of a topic as columns, without a schema: what a baseline is made of.

What a feature is follows from its values: text makes it categorical, numbers and booleans make it
numeric, and of both the more frequent one decides. The other kind is then invalid, as in counting.
Cost: about 12 us a prediction of ten features; all rows used are held in memory.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import orjson

from stream.baselines.baseline import Provenance
from stream.baselines.columns import SMALLEST_EPOCH_MS, CategoricalColumn, Column, NumericColumn
from stream.baselines.create import PredictionColumns
from stream.baselines.provenance import provenance
from stream.durable.log import Log
from stream.errors import InputError
from stream.records.prediction import CODE_INVALID, CODE_MISSING, Answer, ModelKey
from stream.records.source import Message, Source

DEFAULT_VERSION: Final = "0"
LOOK_BACK_FACTOR: Final = 4  # how much further each look goes when the last one brought too few rows

Prediction = Mapping[str, Any]
OwnShape = Callable[[object], object]  # a foreign message in our own shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which predictions of a topic are used."""

    key: ModelKey
    last: int | None = None  # the newest so many by event time; None: all
    from_ms: int | None = None  # event time, [from, to)
    to_ms: int | None = None
    own_shape: OwnShape = field(default=lambda message: message)
    segments: tuple[str, ...] = ()  # keys by whose values the rows are kept apart, too

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
    prediction: Prediction


async def read_live(log: Log, sources: Sequence[Source], selection: Selection) -> tuple[PredictionColumns, Provenance]:
    """The selected predictions of one model version, oldest first, and where they lay.

    Messages that are no prediction of this model are passed over.

    Raises:
        InputError: there is none.
    """
    rows = [row for source in sources for row in await _newest(log, source, selection)]
    rows.sort(key=lambda row: (row.event_time_ms, row.source, row.offset))
    if selection.last is not None:
        rows = rows[-selection.last :]
    if not rows:
        topics = ", ".join(sorted({s.topic for s in sources}))
        raise InputError(
            f"there is no prediction of {selection.key} in topic {topics}; check --model and --version, "
            "or make the baseline from a FILE"
        )
    return columns_of(rows, selection.segments), _provenance(rows)


def columns_of(rows: Sequence[LiveRow], segments: Sequence[str] = ()) -> PredictionColumns:
    """The rows' features, in the order of their first appearance, their answer, and the values of segment keys."""
    return predictions_as_columns([row.prediction for row in rows], [row.event_time_ms for row in rows], segments)


def predictions_as_columns(
    predictions: Sequence[Prediction], times_ms: Sequence[int], segments: Sequence[str] = ()
) -> PredictionColumns:
    """Predictions in our own shape as such columns."""
    features = [_features(p) for p in predictions]
    names = list(dict.fromkeys(name for one in features for name in one))
    columns = {name: _column(name, [one.get(name) for one in features]) for name in names}
    answer = next((a for a in Answer if any(_is_number(p.get(a)) for p in predictions)), None)
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


async def _newest(log: Log, source: Source, selection: Selection) -> list[LiveRow]:
    """The source's selected rows; looks back further and further until there are enough."""
    begin, end = await log.begin(source), await log.end(source)
    look_back = end - begin if selection.last is None else selection.last
    while True:
        start = max(begin, end - look_back)
        rows = [row async for message in log.read(source, start) for row in _rows(source, message, selection)]
        if start == begin or (selection.last is not None and len(rows) >= selection.last):
            return rows
        look_back *= LOOK_BACK_FACTOR


def _rows(source: Source, message: Message, selection: Selection) -> Iterator[LiveRow]:
    try:
        value = orjson.loads(message.value or b"")
    except orjson.JSONDecodeError:
        return
    for element in value if isinstance(value, list) else [value]:
        prediction = selection.own_shape(element)
        if not isinstance(prediction, dict) or not _is_of(prediction, selection.key):
            continue
        event_time_ms = _event_time_ms(prediction.get("ts"), message.timestamp_ms)
        if event_time_ms is not None and selection.includes(event_time_ms):
            digest = hashlib.sha256(message.value or b"").digest()
            yield LiveRow(event_time_ms, source, message.offset, digest, prediction)


def _is_of(prediction: Prediction, key: ModelKey) -> bool:
    version = prediction.get("version")
    if (prediction.get("model"), DEFAULT_VERSION if version is None else version) != key:
        return False
    score = prediction.get("score")
    # What counting would refuse must not decide what is normal.
    return not isinstance(score, int | float) or 0 <= score <= 1


def _event_time_ms(ts: object, timestamp_ms: int) -> int | None:
    """Event time of a prediction; None for a time that counting would refuse."""
    if ts is None:
        return timestamp_ms
    if isinstance(ts, str):
        try:
            moment = datetime.fromisoformat(ts)
        except ValueError:
            return None
        return math.floor(moment.timestamp() * 1_000) if moment.tzinfo else None
    if isinstance(ts, bool) or not isinstance(ts, int | float) or ts < SMALLEST_EPOCH_MS:
        return None
    return math.floor(ts)


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
