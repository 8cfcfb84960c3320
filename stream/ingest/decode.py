"""A fetch of messages becomes columns and rejections: the front door of this folder.

Promise: `received == rows + rejections + ignored`; nothing raises, whatever the bytes are; what a message
becomes depends on its own bytes, its record's timestamp and the decoder's settings only, never on its
neighbours, on how fetches are cut or on a clock.
Cost: about 1.3 us a row for 400 bytes with 10 features (benchmarks/bench_decode.py), 10 us for rows that need a
careful look, 0.1 ms a batch. A message of 10 MB that is an array of nothing takes 0.4 GB for a moment.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from stream.ingest.assemble import assemble, chunks_of, rejection
from stream.ingest.careful_rows import CarefulRows, Outcome, Row
from stream.ingest.chunk import ELEMENT_BITS, Chunk, Units, place_of
from stream.ingest.fault import Fault
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.json_text import parse_json, split_array
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import ModelKey, PredictionBatch, Schema
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch

_JSON_WHITESPACE = b" \t\r\n"


class Decoder:
    """Reads predictions of the models in `schemas`; another set of schemas is another decoder.

    Args:
        schemas: what is counted, by model and version.
        settings: clock skew, unknown models, foreign shapes, the largest message.
        only_careful: leave out the fast route. The result is the same; for tests and benchmarks.
    """

    def __init__(
        self, schemas: Mapping[ModelKey, Schema], settings: IngestSettings, *, only_careful: bool = False
    ) -> None:
        self._settings = settings
        self._shape = ForeignShape(settings.fields, settings.constants)
        self._careful = CarefulRows(schemas, settings)
        # A foreign shape has no place for the struct's fields.
        self._typed = TypedRows({} if only_careful or self._shape else schemas, settings)

    def decode(self, batch: MessageBatch) -> PredictionBatch:
        """Every prediction of the batch, exactly once.

        1. Messages that are one well-formed prediction go straight into columns.
        2. The rest is looked at: it is refused, or it is an array and falls into elements.
        3. Elements take the same two routes.
        """
        found = _Found(batch)
        places = np.arange(len(batch.values), dtype=np.int64) << ELEMENT_BITS
        elements: list[_Element] = []
        for unit in self._typed_rows(Units(batch.values, places, batch.timestamps_ms), found):
            elements += self._look_at_message(unit, batch, found)
        for unit in self._typed_rows(_units(elements), found):
            place, timestamp_ms, value = elements[unit]
            found.add(place, value, *self._look_at(value, timestamp_ms))
        return found.as_batch()

    def _typed_rows(self, units: Units, found: "_Found") -> list[int]:
        """Keep what the fast route accepts; the positions of the rest."""
        chunks, rest = self._typed.read(units)
        found.chunks += chunks
        return rest

    def _look_at_message(self, position: int, batch: MessageBatch, found: "_Found") -> list["_Element"]:
        """The message's elements if it is an array; nothing if it is settled."""
        value, timestamp_ms = batch.values[position], int(batch.timestamps_ms[position])
        fault = self._unread_fault(value)
        if fault is None and value is not None and value.lstrip(_JSON_WHITESPACE).startswith(b"["):
            parts = split_array(value)
            if not isinstance(parts, Fault):
                return [_Element(place_of(position, i), timestamp_ms, part) for i, part in enumerate(parts)]
            fault = parts
        outcome, event_time_ms = (fault, None) if fault else self._look_at(value or b"", timestamp_ms)
        found.add(place_of(position), value, outcome, event_time_ms)
        return []

    def _unread_fault(self, value: bytes | None) -> Fault | None:
        """What can be said without reading the message."""
        if not value:
            return Fault("empty", "the message has no value; a tombstone means nothing here")
        if len(value) > self._settings.max_message_bytes:
            limit = self._settings.max_message_bytes
            return Fault("too_large", f"{len(value)} bytes, more than limits.max_message_bytes = {limit}")
        return None

    def _look_at(self, value: bytes, timestamp_ms: int) -> tuple[Outcome, int | None]:
        """One prediction by the slow route; with its event time if it is no row."""
        parsed = parse_json(value)
        if isinstance(parsed, Fault):
            return parsed, None
        prediction = self._shape.prediction(parsed)
        outcome = self._careful.read(prediction, timestamp_ms)
        return outcome, None if isinstance(outcome, Row) else self._careful.time_of(prediction, timestamp_ms)


class _Element(NamedTuple):
    """One element of an array message."""

    place: int
    timestamp_ms: int
    value: bytes


class _Found:
    """What the messages of one batch have become so far."""

    def __init__(self, batch: MessageBatch) -> None:
        self._batch = batch
        self.chunks: list[Chunk] = []
        self._rows: list[tuple[int, Row]] = []
        self._rejections: dict[int, Rejection] = {}
        self._times: list[tuple[int, int]] = []
        self._ignored = 0

    def add(self, place: int, value: bytes | None, outcome: Outcome, event_time_ms: int | None) -> None:
        """One prediction, as the slow route judged it; with its event time if it is no row but has one."""
        if event_time_ms is not None:
            self._times.append((place, event_time_ms))
        if isinstance(outcome, Row):
            self._rows.append((place, outcome))
        elif isinstance(outcome, Fault):
            self._rejections[place] = rejection(outcome, place, value, self._batch)
        else:
            self._ignored += 1

    def as_batch(self) -> PredictionBatch:
        """All of it in log order."""
        chunks = self.chunks + chunks_of(self._rows)
        return assemble(self._batch, chunks, self._rejections, times=self._times, ignored=self._ignored)


def _units(elements: list[_Element]) -> Units:
    return Units(
        [element.value for element in elements],
        np.array([element.place for element in elements], np.int64),
        np.array([element.timestamp_ms for element in elements], np.int64),
    )
