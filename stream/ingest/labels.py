"""A fetch of label messages becomes columns and rejections, with the promises of `decode.Decoder`.

Promise: `received == labels + rejections + ignored`; nothing raises, whatever the bytes are; what a message
becomes depends on its own bytes, its record's timestamp and the decoder's settings only.
Cost: about 0.9 us a label, 5 us for one that needs a careful look.
A label is `{"prediction_id", "model", "label", "ts"?, "score"?, "version"?}`; `fields` and `constants` of the
settings are about predictions and are not applied.
"""

from collections.abc import Mapping

import numpy as np

from stream.ingest.assemble import rejection, with_times
from stream.ingest.careful_labels import CarefulLabels, Label, LabelRule, Outcome
from stream.ingest.chunk import Units, message_of
from stream.ingest.envelope import DEFAULT_VERSION, time_of
from stream.ingest.fault import Fault
from stream.ingest.json_text import parse_json
from stream.ingest.routes import Unit, read_all
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_labels import LabelChunk, TypedLabels, label_chunks
from stream.records.label import LabelBatch
from stream.records.rejection import Rejection
from stream.records.source import MessageBatch

__all__ = ["LabelDecoder", "LabelRule"]


class LabelDecoder:
    """Reads labels of the models in `rules`; another set of rules is another decoder.

    Args:
        rules: what a label is, by the model's name.
        settings: clock skew, unknown models, the largest message.
        only_careful: leave out the fast route. The result is the same; for tests and benchmarks.
    """

    def __init__(self, rules: Mapping[str, LabelRule], settings: IngestSettings, *, only_careful: bool = False) -> None:
        self._settings = settings
        self._careful = CarefulLabels(rules, settings)
        self._typed = TypedLabels({} if only_careful else rules, settings)

    def decode(self, batch: MessageBatch) -> LabelBatch:
        """Every label of the batch, exactly once; the steps are those of `read_all`."""
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
        """One label by the slow route; with its event time if it is no row."""
        parsed = parse_json(unit.value or b"")
        if isinstance(parsed, Fault):
            return parsed, None
        outcome = self._careful.read(parsed, unit.timestamp_ms)
        if isinstance(outcome, Label):
            return outcome, None
        return outcome, time_of(parsed, unit.timestamp_ms, self._settings)


class _Found:
    """What the messages of one batch have become so far."""

    def __init__(self, batch: MessageBatch) -> None:
        self._batch = batch
        self.chunks: list[LabelChunk] = []
        self._labels: list[tuple[int, Label]] = []
        self._rejections: dict[int, Rejection] = {}
        self._times: list[tuple[int, int]] = []
        self._ignored = 0

    def add(self, unit: Unit, outcome: Outcome, event_time_ms: int | None) -> None:
        """One label, as the slow route judged it; with its event time if it is no row but has one."""
        if event_time_ms is not None:
            self._times.append((unit.place, event_time_ms))
        if isinstance(outcome, Label):
            self._labels.append((unit.place, outcome))
        elif isinstance(outcome, Fault):
            self._rejections[unit.place] = rejection(outcome, unit.place, unit.value, self._batch)
        else:
            self._ignored += 1

    def as_batch(self) -> LabelBatch:
        """All of it in log order."""
        chunks = [chunk for chunk in (*self.chunks, *label_chunks(self._labels)) if len(chunk.place)]
        models = sorted({chunk.model for chunk in chunks})
        versions = sorted({DEFAULT_VERSION, *(version for chunk in chunks for version in chunk.versions)})
        place = np.concatenate([np.empty(0, np.int64), *(chunk.place for chunk in chunks)])
        order = np.argsort(place, kind="stable")
        place = place[order]
        times = np.concatenate([np.empty(0, np.int64), *(chunk.event_time_ms for chunk in chunks)])[order]
        time_place, time_ms = with_times(place, times, self._times) if self._times else (place, times)
        return LabelBatch(
            place=place,
            offset=self._batch.offsets[message_of(place)],
            event_time_ms=times,
            time_place=time_place,
            time_ms=time_ms,
            model=np.repeat(
                np.array([models.index(chunk.model) for chunk in chunks], np.int32), [len(c.place) for c in chunks]
            )[order],
            models=models,
            id_hash=np.concatenate([np.empty(0, np.uint64), *(chunk.id_hash for chunk in chunks)])[order],
            value=np.concatenate([np.empty(0), *(chunk.value for chunk in chunks)])[order],
            score=np.concatenate([np.empty(0), *(chunk.score for chunk in chunks)])[order],
            version=np.concatenate([np.empty(0, np.int32), *(_codes(chunk, versions) for chunk in chunks)])[order],
            versions=versions,
            rejections=[self._rejections[at] for at in sorted(self._rejections)],
            ignored=self._ignored,
            received=len(place) + len(self._rejections) + self._ignored,
        )


def _codes(chunk: LabelChunk, versions: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Index into `versions` of each row."""
    code_of = {version: i for i, version in enumerate(versions)}
    if not chunk.versions:
        return np.full(len(chunk.place), code_of[DEFAULT_VERSION], np.int32)
    return np.array([code_of[version] for version in chunk.versions], np.int32)
