"""Single answers over the hard limit of latency: told at once, few of each pane, and all of them counted.

What is told is a function of the log and of the definitions in force: the first `max_per_pane` of a pane in its
partition, in log order, among the answers that are counted. How many there were before is in the pane's own counters,
so that nothing else must survive a crash. What a crash makes be told again is the same message under the same key.
Cost: one comparison a batch where it is configured, nothing where it is not.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import orjson

from stream.count.panes import PaneKey, Panes, pane_starts
from stream.count.plan import Active, Rows
from stream.durable.log import Outgoing
from stream.ingest.chunk import element_of
from stream.records.prediction import ModelColumns, PredictionBatch
from stream.records.source import Source
from stream.records.violation import Violation, violation_record


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTopic:
    """Where alerts go."""

    name: str
    partitions: int

    def home(self, key: bytes) -> Source:
        """The partition of an alert."""
        return Source(self.name, zlib.crc32(key) % self.partitions)


class SlowAnswers:
    """The answers over their hard limit, of one source, on their way out."""

    def __init__(self, to: AlertTopic | None) -> None:
        self._to = to
        self._told: list[Violation] = []

    def add(
        self, active: Active, columns: ModelColumns, decoded: PredictionBatch, taken: Rows, *, source: str, panes: Panes
    ) -> int:
        """Find those among the rows that are about to be counted.

        Args:
            active: what they are counted with.
            columns: of the model.
            decoded: the batch.
            taken: which rows of the model are counted, shape (rows of the model,).
            source: its name, incarnation included.
            panes: as they are before these rows.

        Returns:
            How many there are, told or not.
        """
        limit_ms = active.model.settings.hard_limit_ms
        if limit_ms is None:
            return 0
        over = taken & np.isfinite(columns.latency_ms) & (columns.latency_ms > limit_ms)
        if not over.any():
            return 0
        rows, latency_ms = columns.row[over], columns.latency_ms[over]
        starts = pane_starts(decoded.event_time_ms[rows], pane_ms=active.model.settings.pane_ms)
        for start_ms in np.unique(starts).tolist():
            at = np.flatnonzero(starts == start_ms)
            before = _counted(active, start_ms, panes)
            room = max(active.model.settings.max_per_pane - before, 0)
            for rank, i in enumerate(at[:room].tolist(), before + 1):
                self._told.append(_violation(active, decoded, int(rows[i]), float(latency_ms[i]), source, rank))
        return len(rows)

    def take(self) -> list[Outgoing]:
        """What is to be sent since the last call."""
        told, self._told = self._told, []
        if self._to is None:
            return []
        keys = [one.id.encode() for one in told]
        return [
            Outgoing(to=self._to.home(key), key=key, value=orjson.dumps(violation_record(one)))
            for key, one in zip(keys, told, strict=True)
        ]


def _counted(active: Active, start_ms: int, panes: Panes) -> int:
    """How many of a pane are over the limit so far."""
    counts = panes.counts_of(PaneKey(active.definition.id, "", start_ms))
    layout = active.definition.layout
    if counts is None or layout.latency is None:
        return 0
    return layout.latency.over_hard_limit(layout.latency_counts(counts))


def _violation(
    active: Active, decoded: PredictionBatch, row: int, latency_ms: float, source: str, rank: int
) -> Violation:
    settings, event_time_ms = active.model.settings, int(decoded.event_time_ms[row])
    assert settings.hard_limit_ms is not None, "it is over it"
    return Violation(
        key=active.definition.key,
        source=source,
        offset=int(decoded.offset[row]),
        index=element_of(int(decoded.place[row])),
        event_time_ms=event_time_ms,
        latency_ms=latency_ms,
        hard_limit_ms=settings.hard_limit_ms,
        pane_start_ms=event_time_ms - event_time_ms % settings.pane_ms,
        pane_ms=settings.pane_ms,
        rank=rank,
        max_per_pane=settings.max_per_pane,
    )
