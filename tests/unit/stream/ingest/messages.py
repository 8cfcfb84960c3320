"""Messages for the tests of ingest: one model with every kind of series, and batches made of bytes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.prediction import Answer, ModelKey, PredictionBatch, Schema
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch, Source

RECORD_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
FIRST_OFFSET = 100
M = ModelKey("m", "0")
SCHEMA = Schema(numeric=("x", "y"), categorical=("c",), categories=(("UA", "3", "2.5", "true"),), answer=Answer.SCORE)
SCHEMAS = {M: SCHEMA}
WITH_IDS = replace(SCHEMA, ids=True)
WITH_LATENCY = replace(SCHEMA, latency=True)


def batch_of(
    values: Sequence[bytes | None], *, timestamp_ms: int = RECORD_MS, first: int = FIRST_OFFSET
) -> MessageBatch:
    """One fetch, offsets from `first` on."""
    return MessageBatch(
        source=Source("predictions", 0),
        begin=first,
        chained=True,
        offsets=np.arange(first, first + len(values), dtype=np.int64),
        timestamps_ms=np.full(len(values), timestamp_ms, np.int64),
        values=list(values),
    )


def decode(*values: bytes | None, settings: IngestSettings | None = None, **options: bool) -> PredictionBatch:
    """The messages, read with the one model `m`."""
    return Decoder(SCHEMAS, settings or IngestSettings(), **options).decode(batch_of(values))


def rejection_of(value: bytes | None, settings: IngestSettings | None = None) -> Rejection:
    """The one rejection that the message must become."""
    batch = decode(value, settings=settings)
    assert batch.received == 1
    (rejection,) = batch.rejections
    return rejection


def rows_of(batch: PredictionBatch) -> list[tuple[object, ...]]:
    """Each row as (offset, event time, model, numbers, codes, id's hash, latency), in log order; NaN as a text."""
    rows: list[tuple[object, ...]] = [()] * len(batch.offset)
    for key, columns in batch.columns.items():
        for i, row in enumerate(columns.row.tolist()):
            assert batch.models[batch.model[row]] == key
            numeric = tuple(map(repr, (columns.numeric[i] + 0.0).tolist()))  # + 0.0: -0 and 0 fall into one bin
            codes = tuple(columns.categorical[i].tolist())
            hashed = int(columns.id_hash[i])
            latency = repr(float(columns.latency_ms[i]))
            rows[row] = (int(batch.offset[row]), int(batch.event_time_ms[row]), key, numeric, codes, hashed, latency)
    assert all(rows)
    return rows
