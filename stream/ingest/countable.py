"""The predictions of one model version that counting would take, as they came: what a baseline of a topic is made of.

Promise: a message that would be a dead letter gives no row, and its reason is counted, unless it names another model.
Each is read by the rules of the slow route, and held to what every model is: no baseline could say more yet.
Weak: what only a multiclass model's baseline can refuse passes: `scores` outside [0, 1]. A model without an answer is
held to `prediction_id` being an id, although nothing of it is joined.
Cost: about 10 us a prediction of ten features.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from stream.baselines.live import LiveRead, LiveRow
from stream.ingest.careful_rows import OF_ANY_MODEL, CarefulRows, Row
from stream.ingest.chunk import Units, message_of
from stream.ingest.envelope import IGNORED, Ignored, model_key
from stream.ingest.fault import Fault
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.settings import IngestSettings
from stream.ingest.two_routes import TwoRoutes
from stream.ingest.unknown_rows import UnknownRow
from stream.records.prediction import Answer, ModelKey
from stream.records.source import MessageBatch


class Taken(NamedTuple):
    """One prediction that counting would take."""

    event_time_ms: int
    prediction: Mapping[str, Any]  # in our own shape


class Countable:
    """Reads what one model version can be counted by.

    Args:
        key: whose predictions are taken.
        settings: clock skew, foreign shapes, the largest message.
        answer: that the model has; only a `score` is held to [0, 1].
        ids: whether `prediction_id` is read, as where labels are joined.
    """

    def __init__(self, key: ModelKey, settings: IngestSettings, *, answer: Answer, ids: bool) -> None:
        self._key = key
        self._rules = CarefulRows({key: replace(OF_ANY_MODEL, answer=answer, ids=ids)}, settings)
        shape = ForeignShape(settings.fields, settings.constants)
        self._routes: TwoRoutes[None, Taken] = TwoRoutes(
            fast=_none, careful=self._look_at, shaped=shape.prediction, settings=settings
        )

    def read(self, batch: MessageBatch) -> LiveRead:
        """The batch's rows in log order, and how many messages or elements were refused, by reason."""
        found = self._routes.read(batch)
        rows = [
            LiveRow(
                taken.event_time_ms,
                batch.source,
                int(batch.offsets[message_of(place)]),
                hashlib.sha256(batch.values[message_of(place)] or b"").digest(),
                taken.prediction,
            )
            for place, taken in found.rows
        ]
        return LiveRead(rows, Counter(one.reason for one in found.rejections.values()))

    def _look_at(self, message: Any, record_timestamp_ms: int) -> Taken | UnknownRow | Fault | Ignored:
        if isinstance(message, dict) and _names_another(message, self._key):
            return IGNORED
        outcome = self._rules.read(message, record_timestamp_ms)
        return Taken(outcome.event_time_ms, message) if isinstance(outcome, Row) else outcome


def _names_another(message: Mapping[str, object], key: ModelKey) -> bool:
    named = model_key(message)
    return isinstance(named, ModelKey) and named != key


def _none(units: Units) -> tuple[list[None], list[int]]:
    """The fast route takes nothing: it keeps columns, not the prediction."""
    return [], list(range(len(units.values)))
