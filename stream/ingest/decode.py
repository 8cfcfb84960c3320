"""A fetch of messages becomes columns and rejections: the front door of this folder.

Promise: `received == rows + rejections + ignored + unknown`; nothing raises, whatever the bytes are; what a message
becomes depends on its own bytes, its record's timestamp and the decoder's settings only, never on its
neighbours, on how fetches are cut or on a clock.
Cost: about 1.3 us a row for 400 bytes with 10 features (benchmarks/bench_decode.py), 10 us for rows that need a
careful look, 0.1 ms a batch. A message of 10 MB that is an array of nothing takes 0.4 GB for a moment.
"""

from collections.abc import Mapping
from dataclasses import replace

from stream.ingest.assemble import assemble, chunks_of
from stream.ingest.careful_rows import CarefulRows
from stream.ingest.chunk import element_of, message_of
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.settings import IngestSettings
from stream.ingest.two_routes import TwoRoutes
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import ModelKey, PredictionBatch, Schema, UnknownPrediction
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
        shape = ForeignShape(settings.fields, settings.constants)
        # A foreign shape has no place for the struct's fields.
        typed = TypedRows({} if only_careful or shape else schemas, settings)
        self._routes = TwoRoutes(
            fast=typed.read, careful=CarefulRows(schemas, settings).read, shaped=shape.prediction, settings=settings
        )

    def decode(self, batch: MessageBatch) -> PredictionBatch:
        """Every prediction of the batch, exactly once, in log order."""
        found = self._routes.read(batch)
        chunks = found.chunks + chunks_of(found.rows)
        decoded = assemble(batch, chunks, found.rejections, times=found.times, ignored=found.ignored)
        if not found.unknown:
            return decoded
        unknown = [
            UnknownPrediction(
                place=unit.place,
                offset=int(batch.offsets[message_of(unit.place)]),
                element=element_of(unit.place),
                event_time_ms=row.event_time_ms,
                key=row.key,
                content=row.content,
                value=unit.value,
            )
            for unit, row in found.unknown
        ]
        return replace(decoded, unknown=sorted(unknown), received=decoded.received + len(unknown))
