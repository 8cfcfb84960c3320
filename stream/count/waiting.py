"""Predictions that wait for their labels: which rows of a batch the join has to know of.

Every prediction of a model in force that has an id and a usable answer, also one that is late for
its pane: event time decides at the join. It costs 22 bytes on the wire and a hash of its id; a prediction
of k classes waits in k rows.
"""

from functools import lru_cache

import msgspec
import numpy as np

from stream.count.plan import ActivePlan
from stream.ingest.id_hash import class_hashes
from stream.outcomes.covering import Outbox, Times, is_sampled
from stream.outcomes.joining import ClassJoining, Joining, joining_of
from stream.records.outcome import LATEST_TIME_S, OutcomeRows, PerformanceDefinition, joined_rows
from stream.records.prediction import ModelColumns, ModelKey, PredictionBatch


class WaitingRows:
    """Takes the rows that wait out of each batch and puts them into the outbox."""

    def __init__(self, plan: ActivePlan, outbox: Outbox) -> None:
        self._outbox = outbox
        self._joining = {
            key: joining
            for key, a in plan.newest.items()
            if (joining := joining_of(a.definition.baseline, a.model, a.model.outcomes, outbox.to.partitions))
        }
        self._segmentations = {
            key: a.definition.segmentation
            for key, a in plan.newest.items()
            if a.definition.segmentation.keeps_labels_apart
        }
        lateness = [a.model.settings.allowed_lateness_ms for a in plan.active]
        self.lateness_ms = max(lateness, default=0)  # of the watermark that the join is told

    def add(self, decoded: PredictionBatch, running_newest_ms: Times) -> None:
        """Take those of one batch.

        Args:
            decoded: the batch.
            running_newest_ms: by row, the newest event time up to it, shape (rows,).
        """
        parts: list[OutcomeRows] = []
        places: list[Times] = []
        definitions: list[PerformanceDefinition] = []
        for key, columns in decoded.columns.items():
            joining = self._joining.get(key)
            if joining is not None:
                first = len(definitions)
                if isinstance(joining, ClassJoining):
                    part, place = self._class_rows(joining, columns, decoded, running_newest_ms, model=first)
                    definitions += joining.definitions
                else:
                    of_row, named = self._definitions(key, joining, columns)
                    part, place = self._rows(joining, columns, decoded, running_newest_ms, model=first + of_row)
                    definitions += named
                parts.append(part)
                places.append(place)
        if parts:
            rows = joined_rows(parts)
            self._outbox.add(rows.take(np.argsort(np.concatenate(places), kind="stable")), definitions)

    def _definitions(
        self, key: ModelKey, joining: Joining, columns: ModelColumns
    ) -> tuple[Times, list[PerformanceDefinition]]:
        """What the rows' outcomes are counted by, and which of it each row's is, shape (rows,): by its segments."""
        segmentation = self._segmentations.get(key)
        if segmentation is None:
            return np.zeros(len(columns.row), np.int64), [joining.definition]
        of_row, combinations = segmentation.combinations(columns)
        return of_row, [_of_segments(joining.definition, segments) for segments in combinations]

    def _rows(
        self,
        joining: Joining,
        columns: ModelColumns,
        decoded: PredictionBatch,
        running_newest_ms: Times,
        *,
        model: Times,
    ) -> tuple[OutcomeRows, Times]:
        answer = columns.numeric[:, -1]
        time_s = decoded.event_time_ms[columns.row] // 1_000
        chosen = (columns.id_hash != 0) & np.isfinite(answer) & (time_s >= 0) & (time_s <= LATEST_TIME_S)
        chosen &= is_sampled(columns.id_hash, joining.sample)
        row = columns.row[chosen]
        time_ms = decoded.event_time_ms[row]
        return OutcomeRows(
            hash=columns.id_hash[chosen],
            offset=decoded.offset[row],
            late=self._outbox.late(time_ms, running_newest_ms[row] - self.lateness_ms),
            time_s=time_s[chosen],
            model=model[chosen],
            payload=joining.payload(answer[chosen]),
            value=np.zeros(len(row), np.float32),
        ), decoded.place[row]

    def _class_rows(
        self,
        joining: ClassJoining,
        columns: ModelColumns,
        decoded: PredictionBatch,
        running_newest_ms: Times,
        *,
        model: int,
    ) -> tuple[OutcomeRows, Times]:
        """A row for each class, those of one prediction side by side; only of predictions with every class's score."""
        k = len(joining.definitions)
        scores = columns.numeric[:, -k:]
        time_s = decoded.event_time_ms[columns.row] // 1_000
        chosen = (columns.id_hash != 0) & np.isfinite(scores).all(axis=1) & (time_s >= 0) & (time_s <= LATEST_TIME_S)
        chosen &= is_sampled(columns.id_hash, joining.sample)
        row = np.repeat(columns.row[chosen], k)
        return OutcomeRows(
            hash=class_hashes(columns.id_hash[chosen], joining.classes).ravel(),
            offset=decoded.offset[row],
            late=self._outbox.late(decoded.event_time_ms[row], running_newest_ms[row] - self.lateness_ms),
            time_s=np.repeat(time_s[chosen], k),
            model=np.tile(np.arange(model, model + k, dtype=np.int64), int(chosen.sum())),
            payload=joining.payload(scores[chosen]).ravel(),
            value=np.zeros(len(row), np.float32),
        ), decoded.place[row]


@lru_cache(maxsize=4_096)
def _of_segments(definition: PerformanceDefinition, segments: tuple[str, ...]) -> PerformanceDefinition:
    return msgspec.structs.replace(definition, segments=segments)
