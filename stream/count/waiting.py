"""Predictions that wait for their labels: which rows of a batch the join has to know of.

Every prediction of a model in force that has an id and a usable answer, also one that is late for
its pane: event time decides at the join. It costs 22 bytes on the wire and a hash of its id.
"""

import numpy as np

from stream.count.plan import ActivePlan
from stream.outcomes.covering import Outbox, Times, is_sampled
from stream.outcomes.joining import Joining
from stream.records.outcome import LATEST_TIME_S, OutcomeRows, PerformanceDefinition, joined_rows
from stream.records.prediction import ModelColumns, ModelKey, PredictionBatch


class WaitingRows:
    """Takes the rows that wait out of each batch and puts them into the outbox."""

    def __init__(self, plan: ActivePlan, outbox: Outbox) -> None:
        self._outbox = outbox
        self._joining = {
            key: joining
            for key, a in plan.newest.items()
            if a.model.outcomes is not None
            and (joining := Joining.of(a.definition.baseline, a.model, a.model.outcomes, outbox.to.partitions))
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
            if key in self._joining:
                part, place = self._rows(key, columns, decoded, running_newest_ms, model=len(definitions))
                parts.append(part)
                places.append(place)
                definitions.append(self._joining[key].definition)
        if parts:
            rows = joined_rows(parts)
            self._outbox.add(rows.take(np.argsort(np.concatenate(places), kind="stable")), definitions)

    def _rows(
        self, key: ModelKey, columns: ModelColumns, decoded: PredictionBatch, running_newest_ms: Times, *, model: int
    ) -> tuple[OutcomeRows, Times]:
        joining = self._joining[key]
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
            model=np.full(len(row), model, np.int64),
            payload=joining.payload(answer[chosen]),
            value=np.zeros(len(row), np.float32),
        ), decoded.place[row]
