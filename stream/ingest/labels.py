"""A fetch of label messages becomes columns and rejections, with the promises of `decode.Decoder`.

Promise: `received == labels + rejections + ignored`; nothing raises, whatever the bytes are; what a message
becomes depends on its own bytes, its record's timestamp and the decoder's settings only.
Cost: about 0.9 us a label, 5 us for one that needs a careful look.
A label is `{"prediction_id", "model", "label", "ts"?, "score"?, "version"?}`; `fields` and `constants` of the
settings are about predictions and are not applied.
"""

from collections.abc import Mapping

import numpy as np

from stream.ingest.assemble import with_times
from stream.ingest.careful_labels import CarefulLabels, LabelRule
from stream.ingest.chunk import message_of
from stream.ingest.envelope import DEFAULT_VERSION
from stream.ingest.settings import IngestSettings
from stream.ingest.two_routes import TwoRoutes
from stream.ingest.typed_labels import LabelChunk, TypedLabels, label_chunks
from stream.records.label import LabelBatch
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
        typed = TypedLabels({} if only_careful else rules, settings)
        self._routes = TwoRoutes(
            fast=typed.read,
            careful=CarefulLabels(rules, settings).read,
            shaped=lambda parsed: parsed,
            settings=settings,
        )

    def decode(self, batch: MessageBatch) -> LabelBatch:
        """Every label of the batch, exactly once, in log order."""
        found = self._routes.read(batch)
        chunks = [chunk for chunk in (*found.chunks, *label_chunks(found.rows)) if len(chunk.place)]
        models = sorted({chunk.model for chunk in chunks})
        versions = sorted({DEFAULT_VERSION, *(version for chunk in chunks for version in chunk.versions)})
        place = np.concatenate([np.empty(0, np.int64), *(chunk.place for chunk in chunks)])
        order = np.argsort(place, kind="stable")
        place = place[order]
        times = np.concatenate([np.empty(0, np.int64), *(chunk.event_time_ms for chunk in chunks)])[order]
        time_place, time_ms = with_times(place, times, found.times) if found.times else (place, times)
        return LabelBatch(
            place=place,
            offset=batch.offsets[message_of(place)],
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
            rejections=[found.rejections[at] for at in sorted(found.rejections)],
            ignored=found.ignored,
            received=len(place) + len(found.rejections) + found.ignored,
        )


def _codes(chunk: LabelChunk, versions: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Index into `versions` of each row."""
    code_of = {version: i for i, version in enumerate(versions)}
    if not chunk.versions:
        return np.full(len(chunk.place), code_of[DEFAULT_VERSION], np.int32)
    return np.array([code_of[version] for version in chunk.versions], np.int32)
