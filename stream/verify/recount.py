"""The rows that an alert cites, read and counted again.

It shares decoding and bins with the service, and nothing of what makes the service survive: no panes, no registers, no
partials, no changelog. The window is one sum over all its rows. So it would notice a row that was lost, or counted
twice, on the way from a partition to an alert.
Cost: as reading the cited offsets once; it holds one batch and one vector of counters.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.baselines.definition import Definition
from stream.baselines.layout import Counts
from stream.durable.log import Log
from stream.evaluate.panes import Span
from stream.ingest.decode import Decoder
from stream.ingest.feature_looks import FeatureLooks
from stream.ingest.settings import IngestSettings
from stream.records.feature_names import FeatureNames
from stream.records.prediction import ModelColumns, PredictionBatch
from stream.records.source import Message, MessageBatch, Source
from stream.verify.claim import Cannot, CitedRows, Claim

MESSAGES_AT_ONCE: Final = 4_096
BYTES_AT_ONCE: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class Recount:
    """What was found in the cited offsets."""

    counts: Counts  # of the window, shape (layout.width,)
    messages: int = 0
    rows: int = 0  # counted in the window
    rows_by_pane: dict[int, int] = field(default_factory=dict)  # by the panes' starts
    late: int = 0  # of the window, but too late for it
    spans: dict[str, Span] = field(default_factory=dict)  # by source: where its rows were found
    names_by_pane: dict[tuple[str, int], FeatureNames] = field(default_factory=dict)  # by source and pane

    @property
    def names(self) -> FeatureNames:
        """Of the features, in the rows of the window that were looked at."""
        found = FeatureNames()
        for names in self.names_by_pane.values():
            found.add(names)
        return found


async def recount(
    log: Log, claim: Claim, definition: Definition, ingest: IngestSettings, *, ids: bool
) -> Recount | Cannot:
    """Count the window of a claim again.

    Args:
        log: where the sources are.
        claim: which rows, and what they were counted with.
        definition: the claim's, with its baseline.
        ingest: how messages are read, besides what the claim says of it.
        ids: whether `prediction_id` is read, as it is where labels are joined: a wrong one is a dead letter then.
    """
    counting = claim.counting
    as_counted = msgspec.structs.replace(
        ingest, max_clock_skew_ms=counting.max_clock_skew_ms, fields=counting.fields, constants=counting.constants
    )
    schema = definition.schema
    decoder = Decoder({claim.key: replace(schema, ids=ids and schema.answer is not None)}, as_counted)
    found = Recount(np.zeros(definition.layout.width, np.int64))
    for cited in claim.rows:
        missing = await not_kept(log, cited)
        if missing is not None:
            return missing
        window = _Window(claim, definition, found, cited)
        async for batch in batches(log, cited.source, cited.first, cited.next):
            window.add(decoder.decode(batch), FeatureLooks(batch, as_counted))
            found.messages += len(batch.values)
    return found


class _Window:
    """Adds one source's rows to the sum."""

    def __init__(self, claim: Claim, definition: Definition, into: Recount, cited: CitedRows) -> None:
        self._claim = claim
        self._definition = definition
        self._into = into
        self._name = cited.name
        self._newest_ms = cited.newest_ms

    def add(self, decoded: PredictionBatch, looks: FeatureLooks) -> None:
        """Take those of the window that are not late."""
        newest = np.maximum.accumulate(np.maximum(decoded.time_ms, self._newest_ms))
        running = newest[np.searchsorted(decoded.time_place, decoded.place)]
        self._newest_ms = int(newest[-1]) if len(newest) else self._newest_ms
        columns = decoded.columns.get(self._claim.key)
        if columns is None:
            return
        time_ms = decoded.event_time_ms[columns.row]
        inside = (self._claim.start_ms <= time_ms) & (time_ms < self._claim.end_ms) & self._of_segment(columns)
        counting = self._claim.counting
        pane_ends = time_ms - time_ms % counting.pane_ms + counting.pane_ms
        late = pane_ends <= running[columns.row] - counting.allowed_lateness_ms
        taken = inside & ~late
        layout = self._definition.layout
        self._into.counts += np.bincount(layout.flat_bins(columns)[taken].ravel(), minlength=layout.width)
        self._into.rows += int(taken.sum())
        pane_starts = pane_ends[taken] - counting.pane_ms
        starts, rows = np.unique(pane_starts, return_counts=True)
        for start, n in zip(starts.tolist(), rows.tolist(), strict=True):
            self._into.rows_by_pane[start] = self._into.rows_by_pane.get(start, 0) + n
        where = columns.row[taken]
        if not self._claim.segment:
            looks.note(
                decoded.offset[where],
                decoded.place[where],
                pane_starts,
                known=layout.features,
                names_of=lambda start_ms: self._into.names_by_pane.setdefault((self._name, start_ms), FeatureNames()),
            )
        self._into.late += int((inside & late).sum())
        if taken.any():
            offsets = decoded.offset[columns.row[taken]]
            here = Span(int(offsets[0]), int(offsets[-1]) + 1, int(running[columns.row[taken]][0]))
            held = self._into.spans.setdefault(self._name, here)
            self._into.spans[self._name] = Span(held.first, here.next, held.newest_ms)

    def _of_segment(self, columns: ModelColumns) -> npt.NDArray[np.bool_]:
        """Which rows lie in the claim's segment, shape (rows,)."""
        every = np.ones(len(columns.row), np.bool_)
        if not self._claim.segment:
            return every
        parts = dict(self._definition.segmentation.parts(columns, every))
        mine = np.zeros(len(columns.row), np.bool_)
        mine[parts.get(self._claim.segment, slice(0))] = True
        return mine


async def not_kept(log: Log, cited: CitedRows) -> Cannot | None:
    """Why the cited rows cannot be read: the first and the last message of them were counted, so both must be there."""
    kept_from = await log.begin(cited.source)
    if kept_from > cited.first:
        return Cannot(
            f"{cited.source} is kept from offset {kept_from} on only: retention has cut away "
            f"{min(kept_from, cited.next) - cited.first} of the offsets [{cited.first}, {cited.next})"
        )
    for offset in (cited.first, cited.next - 1):
        message = await log.first_at(cited.source, offset)
        if message is None or message.offset != offset:
            return Cannot(
                f"{cited.source} does not hold offset {offset} any more, which was counted: "
                "the topic was made anew, or was compacted"
            )
    return None


async def batches(log: Log, source: Source, first: int, following: int) -> AsyncIterator[MessageBatch]:
    """The messages with offsets in [first, following), some thousands at a time."""
    held: list[Message] = []
    size = 0
    async with aclosing(log.read(source, first)) as messages:
        async for message in messages:
            if message.offset >= following:
                break
            held.append(message)
            size += len(message.value or b"")
            if len(held) >= MESSAGES_AT_ONCE or size >= BYTES_AT_ONCE:
                yield MessageBatch.of(source, held, chained=False)
                held, size = [], 0
    if held:
        yield MessageBatch.of(source, held, chained=False)
