"""Rows of all routes back into one batch, in log order."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stream.ingest.careful_rows import Row
from stream.ingest.chunk import Chunk, Places, element_of, message_of
from stream.ingest.fault import Fault
from stream.records.prediction import ModelColumns, ModelKey, PredictionBatch
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch


def chunks_of(rows: Iterable[tuple[int, Row]]) -> list[Chunk]:
    """The chunks of rows with their places, one per model."""
    by_key: dict[ModelKey, list[tuple[int, Row]]] = {}
    for place, row in rows:
        by_key.setdefault(row.key, []).append((place, row))
    return [_chunk(key, placed) for key, placed in by_key.items()]


def rejection(fault: Fault, place: int, value: bytes | None, batch: MessageBatch) -> Rejection:
    """The fault with the coordinates of its message."""
    return Rejection(
        reason=fault.reason,
        detail=fault.detail,
        offset=int(batch.offsets[message_of(place)]),
        index=element_of(place),
        value=value,
    )


def assemble(
    batch: MessageBatch,
    chunks: list[Chunk],
    rejections: dict[int, Rejection],
    *,
    times: list[tuple[int, int]],
    ignored: int,
) -> PredictionBatch:
    """One batch in log order; `rejections` by their places; `times`: place and event time of what is no row."""
    merged = _one_per_model([chunk for chunk in chunks if len(chunk.place)])
    models = [chunk.key for chunk in merged]
    place = np.concatenate([chunk.place for chunk in merged]) if merged else np.empty(0, np.int64)
    order = np.argsort(place, kind="stable")
    place = place[order]
    model = np.repeat(np.arange(len(merged), dtype=np.int32), [len(chunk.place) for chunk in merged])
    of_rows = np.concatenate([chunk.event_time_ms for chunk in merged]) if merged else np.empty(0, np.int64)
    event_time_ms = of_rows[order]
    time_place, time_ms = with_times(place, event_time_ms, times) if times else (place, event_time_ms)
    return PredictionBatch(
        place=place,
        offset=batch.offsets[message_of(place)],
        event_time_ms=event_time_ms,
        time_place=time_place,
        time_ms=time_ms,
        model=model[order],
        models=models,
        columns={chunk.key: _columns(chunk, place) for chunk in merged},
        rejections=[rejections[at] for at in sorted(rejections)],
        ignored=ignored,
        received=len(place) + len(rejections) + ignored,
    )


def with_times(place: Places, event_time_ms: Places, others: list[tuple[int, int]]) -> tuple[Places, Places]:
    """Places and times of the rows and of what is no row, in log order."""
    other_place, other_ms = np.array(others, np.int64).T
    every_place = np.concatenate([place, other_place])
    order = np.argsort(every_place, kind="stable")
    return every_place[order], np.concatenate([event_time_ms, other_ms])[order]


def _chunk(key: ModelKey, placed: list[tuple[int, Row]]) -> Chunk:
    rows = [row for _, row in placed]
    return Chunk(
        key=key,
        place=np.array([place for place, _ in placed], np.int64),
        event_time_ms=np.array([row.event_time_ms for row in rows], np.int64),
        numeric=np.array([row.numeric for row in rows], np.float64),
        categorical=np.array([row.categorical for row in rows], np.int32),
        id_hash=np.array([row.id_hash for row in rows], np.uint64),
        latency_ms=np.array([row.latency_ms for row in rows], np.float64),
        segments=np.array([row.segments for row in rows], np.int32),
        status=np.array([row.status for row in rows], np.int8),
    )


def _one_per_model(chunks: list[Chunk]) -> list[Chunk]:
    """The chunks by model name and version, each with its rows in log order."""
    by_key: dict[ModelKey, list[Chunk]] = {}
    for chunk in chunks:
        by_key.setdefault(chunk.key, []).append(chunk)
    return [_merged(by_key[key]) for key in sorted(by_key)]


def _merged(chunks: list[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    place = np.concatenate([chunk.place for chunk in chunks])
    order = np.argsort(place, kind="stable")
    return replace(
        chunks[0],
        place=place[order],
        event_time_ms=np.concatenate([chunk.event_time_ms for chunk in chunks])[order],
        numeric=np.concatenate([chunk.numeric for chunk in chunks])[order],
        categorical=np.concatenate([chunk.categorical for chunk in chunks])[order],
        id_hash=np.concatenate([chunk.id_hash for chunk in chunks])[order],
        latency_ms=np.concatenate([chunk.latency_ms for chunk in chunks])[order],
        segments=np.concatenate([chunk.segments for chunk in chunks])[order],
        status=np.concatenate([chunk.status for chunk in chunks])[order],
    )


def _columns(chunk: Chunk, place: Places) -> ModelColumns:
    row: npt.NDArray[np.int64] = np.searchsorted(place, chunk.place).astype(np.int64)
    return ModelColumns(
        row=row,
        numeric=chunk.numeric,
        categorical=chunk.categorical,
        id_hash=chunk.id_hash,
        latency_ms=chunk.latency_ms,
        segments=chunk.segments,
        status=chunk.status,
    )
