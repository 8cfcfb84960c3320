"""Which predictions of models that nobody has registered evaluate gets, to make a baseline of them.

Promise: a function of the partition's log and of what takes effect in it: a row is drawn by the hash of its place,
against a bound that falls with the rows of its model so far. All rows with the `rows` smallest hashes of any stretch
from the model's beginning are among the drawn (but for a chance of 1e-27 with 200 rows, less with more): so evaluate
can keep exactly those. Nothing drawn is state: what a crash loses is drawn again, and a row sent twice is one row.
Cost: about 15 us a row of an unknown model; 2 * rows * (1 + ln(rows so far / rows)) rows sent for a model, once.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from stream.count.panes import Times
from stream.durable.log import Outgoing
from stream.ingest.fault import shown
from stream.records.learning import HASHES, LearningSettings, SampledRow, SampleRecord, encode_sample, place_hash
from stream.records.partial import NO_TIME
from stream.records.prediction import ModelKey, PredictionBatch, UnknownPrediction
from stream.records.rejection import Rejection
from stream.records.source import Source

OVERSAMPLING: Final = 2  # times the rows wanted: the smallest hashes of a stretch stay below the bound
MOST_ROW_BYTES: Final = 32 * 1024  # a larger prediction is not drawn
MOST_RECORD_BYTES: Final = 512 * 1024  # below Kafka's default limit of 1 MiB a message


class LearningModel(msgspec.Struct, frozen=True, array_like=True):
    """A model version that is being learned, as it lies in `@`."""

    model: str
    version: str
    rows: int  # that were not late, so far


class Taken(NamedTuple):
    """What became of the unknown predictions of a batch."""

    learning: int
    late: int  # their pane had closed
    refused: list[Rejection]  # of one model too many


class Learning:
    """The models of one predictions partition that are being learned."""

    def __init__(self, models: Iterable[LearningModel] = ()) -> None:
        self._rows = {ModelKey(m.model, m.version): m.rows for m in models}
        self._drawn: dict[ModelKey, list[SampledRow]] = {}

    @property
    def models(self) -> list[LearningModel]:
        """As it lies in `@`."""
        return [LearningModel(*key, rows) for key, rows in sorted(self._rows.items())]

    def take(
        self, decoded: PredictionBatch, newest_ms: Times, name: str, settings: LearningSettings, learned: int
    ) -> Taken:
        """Draw from the unknown predictions of a batch, in log order.

        Args:
            decoded: the batch; its unknown predictions are not empty.
            newest_ms: shape (times,), the newest event time as each of `time_place` came.
            name: of the source, with its incarnation.
            settings: in force.
            learned: how many models have a baseline that was learned.
        """
        learning = late = 0
        refused = []
        places = np.array([prediction.place for prediction in decoded.unknown])
        running = newest_ms[np.searchsorted(decoded.time_place, places)].tolist()
        for prediction, running_ms in zip(decoded.unknown, running, strict=True):
            if prediction.key not in self._rows and len(self._rows) + learned >= settings.models:
                refused.append(_refusal(prediction, settings))
            elif _is_late(prediction, running_ms, settings):
                late += 1
            else:
                learning += 1
                self._count(prediction, name, settings)
        return Taken(learning, late, refused)

    def end(self, known: Collection[ModelKey], settings: LearningSettings | None) -> None:
        """Learn no longer what has a baseline now; nothing at all without settings."""
        self._rows = {key: rows for key, rows in self._rows.items() if settings and key not in known}
        self._drawn = {key: rows for key, rows in self._drawn.items() if key in self._rows}

    def pane_reached(self, newest_event_ms: int, settings: LearningSettings | None) -> int:
        """Which pane the watermark has come to: whenever it is another one, evaluate is told."""
        if settings is None or not self._rows or newest_event_ms == NO_TIME:
            return NO_TIME
        return (newest_event_ms - settings.allowed_lateness_ms) // settings.pane_ms

    def samples(
        self, name: str, settings: LearningSettings | None, home: Callable[[ModelKey], Source]
    ) -> list[Outgoing]:
        """What was drawn since the last call, on its way to the owners of the models."""
        drawn, self._drawn = self._drawn, {}
        if settings is None:
            return []
        return [
            Outgoing(to=home(key), value=encode_sample(SampleRecord(name, *key, settings, chunk)))
            for key, rows in sorted(drawn.items())
            for chunk in _chunks(rows)
        ]

    def _count(self, prediction: UnknownPrediction, name: str, settings: LearningSettings) -> None:
        rows = self._rows[prediction.key] = self._rows.get(prediction.key, 0) + 1
        drawn = place_hash(name, prediction.offset, prediction.element)
        if drawn * rows >= OVERSAMPLING * settings.rows * HASHES or len(prediction.content) > MOST_ROW_BYTES:
            return
        pane_ms = prediction.event_time_ms - prediction.event_time_ms % settings.pane_ms
        self._drawn.setdefault(prediction.key, []).append(SampledRow(drawn, pane_ms, prediction.content))


def _is_late(prediction: UnknownPrediction, running_newest_ms: int, settings: LearningSettings) -> bool:
    end_ms = prediction.event_time_ms - prediction.event_time_ms % settings.pane_ms + settings.pane_ms
    return end_ms <= running_newest_ms - settings.allowed_lateness_ms


def _refusal(prediction: UnknownPrediction, settings: LearningSettings) -> Rejection:
    return Rejection(
        reason="unknown_model",
        detail=f"no baseline for model {shown(prediction.key.model)}, version {shown(prediction.key.version)}, and as "
        f"many are learned as `learning.models` allows ({settings.models}); register one with "
        "`driftline baseline create`",
        offset=prediction.offset,
        index=prediction.element,
        value=prediction.value,
    )


def _chunks(rows: list[SampledRow]) -> list[list[SampledRow]]:
    chunks: list[list[SampledRow]] = [[]]
    size = 0
    for row in rows:
        if chunks[-1] and size + len(row.content) > MOST_RECORD_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(row)
        size += len(row.content)
    return chunks
