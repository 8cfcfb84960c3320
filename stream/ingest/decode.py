"""A fetch of messages becomes columns and rejections: the front door of this folder.

Promise: `received == rows + rejections + ignored`; nothing raises, whatever the bytes are; what a message
becomes depends on its own bytes, its record's timestamp and the decoder's settings only, never on its
neighbours, on how fetches are cut or on a clock.
Cost: about 1.3 us a row for 400 bytes with 10 features (benchmarks/bench_decode.py), 10 us for rows that need a
careful look, 0.1 ms a batch. A message of 10 MB that is an array of nothing takes 0.4 GB for a moment.
"""

from collections.abc import Mapping

from stream.ingest.assemble import assemble, chunks_of, rejection
from stream.ingest.careful_rows import CarefulRows, Outcome, Row
from stream.ingest.chunk import Chunk, Units
from stream.ingest.envelope import time_of
from stream.ingest.fault import Fault
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.json_text import parse_json
from stream.ingest.routes import Unit, read_all
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import ModelKey, PredictionBatch, Schema
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch


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
        """Every prediction of the batch, exactly once; the steps are those of `read_all`."""
        found = _Found(batch)

        def fast(units: Units) -> list[int]:
            chunks, rest = self._typed.read(units)
            found.chunks += chunks
            return rest

        def slow(unit: Unit, fault: Fault | None) -> None:
            outcome, event_time_ms = (fault, None) if fault else self._look_at(unit)
            found.add(unit, outcome, event_time_ms)

        read_all(batch, fast=fast, slow=slow, max_message_bytes=self._settings.max_message_bytes)
        return found.as_batch()

    def _look_at(self, unit: Unit) -> tuple[Outcome, int | None]:
        """One prediction by the slow route; with its event time if it is no row."""
        parsed = parse_json(unit.value or b"")
        if isinstance(parsed, Fault):
            return parsed, None
        prediction = self._shape.prediction(parsed)
        outcome = self._careful.read(prediction, unit.timestamp_ms)
        if isinstance(outcome, Row):
            return outcome, None
        return outcome, time_of(prediction, unit.timestamp_ms, self._settings)


class _Found:
    """What the messages of one batch have become so far."""

    def __init__(self, batch: MessageBatch) -> None:
        self._batch = batch
        self.chunks: list[Chunk] = []
        self._rows: list[tuple[int, Row]] = []
        self._rejections: dict[int, Rejection] = {}
        self._times: list[tuple[int, int]] = []
        self._ignored = 0

    def add(self, unit: Unit, outcome: Outcome, event_time_ms: int | None) -> None:
        """One prediction, as the slow route judged it; with its event time if it is no row but has one."""
        if event_time_ms is not None:
            self._times.append((unit.place, event_time_ms))
        if isinstance(outcome, Row):
            self._rows.append((unit.place, outcome))
        elif isinstance(outcome, Fault):
            self._rejections[unit.place] = rejection(outcome, unit.place, unit.value, self._batch)
        else:
            self._ignored += 1

    def as_batch(self) -> PredictionBatch:
        """All of it in log order."""
        chunks = self.chunks + chunks_of(self._rows)
        return assemble(self._batch, chunks, self._rejections, times=self._times, ignored=self._ignored)
