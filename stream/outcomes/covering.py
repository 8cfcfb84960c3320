"""Covering records on their way out: what one source still has to tell each outcomes partition.

Promise: for each outcomes partition the records of a source form a chain, [begin, end) after
[begin, end), without a hole; rows, covered range and watermark of a record are one snapshot, taken
before the first await. `covered` lies in the source's `@`, so that after a crash the chain goes on
where it was durable, and what was sent beyond is repeated and recognised.
Cost: a partition hears of a checkpoint only if there are rows for it, and all of them when the
watermark has passed another TELL_EVERY_MS, or the source falls silent or speaks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.durable.log import Outgoing
from stream.records.outcome import (
    NO_MODEL,
    Covering,
    Hashes,
    Kind,
    OutcomeRows,
    PerformanceDefinition,
    encode_covering,
    joined_rows,
    pack_rows,
)
from stream.records.partial import NO_TIME
from stream.records.source import Source

TELL_EVERY_MS: Final = 2_000  # of event time
MAX_ROWS: Final = 20_000  # of one record: about 440 KB
Times = npt.NDArray[np.int64]

_TOP_32: Final = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesTopic:
    """Where outcomes go."""

    name: str
    partitions: int


NOWHERE: Final = OutcomesTopic(name="", partitions=0)  # of an app whose models have no labels


class OutboxProgress(msgspec.Struct, frozen=True, array_like=True):
    """What of an outbox lies in the source's `@`."""

    covered: list[int]
    watermark_ms: int


def outcomes_partition(hashes: Hashes, partitions: int) -> npt.NDArray[np.int64]:
    """The outcomes partition of each id, shape as given.

    >>> outcomes_partition(np.array([0, 1 << 63, (1 << 64) - 1], np.uint64), 4).tolist()
    [0, 2, 3]
    """
    top = hashes >> _TOP_32
    return ((top * np.uint64(partitions)) >> _TOP_32).astype(np.int64)


def is_sampled(hashes: Hashes, sample: float) -> npt.NDArray[np.bool_]:
    """Which ids belong to the sample, shape as given: the same ones at both sources, whatever else they are.

    Unlike the partition it goes by the low half of the hash, so that a sample fills every partition.

    >>> is_sampled(np.array([1, 0xFFFFFFFF], np.uint64), 0.5).tolist()
    [True, False]
    """
    low = (hashes & np.uint64(0xFFFFFFFF)).astype(np.float64)
    chosen: npt.NDArray[np.bool_] = low * 2.0**-32 < sample
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a source says of itself in the records of one checkpoint."""

    incarnation: int
    next_offset: int
    watermark_ms: int  # never below one that was told before
    idle: bool
    early_ms: int = 0


@dataclass
class Outbox:
    """The rows of one source that no record has covered yet.

    `sources` is how many partitions the source's topic has; `covered` is by outcomes partition the
    offset from which its next record covers.
    """

    source: Source
    kind: Kind
    sources: int
    to: OutcomesTopic
    covered: list[int] = field(default_factory=list)
    watermark_ms: int = NO_TIME  # the largest that was told
    _rows: list[tuple[OutcomeRows, list[PerformanceDefinition]]] = field(default_factory=list)
    _told: tuple[int, bool, int] | None = None  # what all partitions were told last

    def begin_at(self, offset: int) -> None:
        """Before anything was covered: the source begins here."""
        if not self.covered:
            self.covered = [offset] * self.to.partitions

    def add(self, rows: OutcomeRows, definitions: list[PerformanceDefinition]) -> None:
        """Rows in the source's order, after all that came before; `definitions` are those that they point into."""
        if len(rows):
            self._rows.append((rows, definitions))

    def late(self, time_ms: Times, running_watermark_ms: Times) -> npt.NDArray[np.bool_]:
        """Which rows lie below their source's watermark when they are read, shape as given.

        What was told counts as well: the watermark goes back when the allowed lateness is made longer.
        """
        return time_ms < np.maximum(running_watermark_ms, self.watermark_ms)

    def progress(self) -> OutboxProgress:
        """As of the records that were taken out last."""
        return OutboxProgress(list(self.covered), self.watermark_ms)

    def restore(self, progress: OutboxProgress | None) -> None:
        """Become what was durable; rows are read again. None: of a time before labels were joined."""
        self._rows.clear()
        self._told = None
        self.covered = [] if progress is None else list(progress.covered)
        self.watermark_ms = NO_TIME if progress is None else progress.watermark_ms

    def outgoing(self, said: Said) -> list[Outgoing]:
        """The records of a checkpoint, encoded now; those of one partition in the order of their chain."""
        self.watermark_ms = said.watermark_ms
        telling = (said.watermark_ms // TELL_EVERY_MS, said.idle, said.incarnation)
        tell_all, self._told = telling != self._told, telling
        if not (self._rows or tell_all):
            return []
        rows, definitions = _joined(self._rows)
        self._rows.clear()
        homes = outcomes_partition(rows.hash, self.to.partitions)
        records: list[Outgoing] = []
        for partition in range(self.to.partitions):
            mine = rows.take(homes == partition)
            if not (len(mine) or tell_all):
                continue
            to = Source(self.to.name, partition)
            chain = self._chain(partition, mine, definitions, said)
            # The join begins with whatever it hears first of a source: that must be the first link.
            records += [
                Outgoing(to=to, value=encode_covering(link), after_others=n > 0) for n, link in enumerate(chain)
            ]
            self.covered[partition] = said.next_offset
        return records

    def _chain(
        self, partition: int, rows: OutcomeRows, definitions: list[PerformanceDefinition], said: Said
    ) -> list[Covering]:
        begin = self.covered[partition]
        links: list[Covering] = []
        for piece, end in _pieces(rows, said.next_offset):
            last = end == said.next_offset
            used, named = _named(piece, definitions)
            links.append(
                Covering(
                    source=str(self.source),
                    incarnation=said.incarnation,
                    kind=self.kind,
                    sources=self.sources,
                    begin=begin,
                    end=end,
                    # The watermark is that of the end of all: it must not come before the rows below it.
                    watermark_ms=said.watermark_ms if last else NO_TIME,
                    idle=said.idle and last,
                    early_ms=said.early_ms,
                    definitions=named,
                    rows=len(used),
                    columns=pack_rows(used, self.kind, begin),
                )
            )
            begin = end
        return links


def _joined(
    added: Sequence[tuple[OutcomeRows, list[PerformanceDefinition]]],
) -> tuple[OutcomeRows, list[PerformanceDefinition]]:
    """All rows as one, over one list of definitions."""
    definitions: dict[PerformanceDefinition, int] = {}
    parts = []
    for rows, own in added:
        places = [definitions.setdefault(d, len(definitions)) for d in own]
        parts.append(replace(rows, model=np.array([*places, NO_MODEL], np.int64)[np.minimum(rows.model, len(own))]))
    return joined_rows(parts), list(definitions)


def _named(
    rows: OutcomeRows, definitions: list[PerformanceDefinition]
) -> tuple[OutcomeRows, list[PerformanceDefinition]]:
    """The rows over a list of only those definitions that they point into."""
    used = np.unique(rows.model[rows.model != NO_MODEL])
    places = np.full(len(definitions) + 1, NO_MODEL, np.int64)
    places[used] = np.arange(len(used))
    return replace(rows, model=places[np.minimum(rows.model, len(definitions))]), [
        definitions[i] for i in used.tolist()
    ]


def _pieces(rows: OutcomeRows, end: int) -> list[tuple[OutcomeRows, int]]:
    """The rows in pieces of about MAX_ROWS, each with the offset that it covers up to: offsets are not cut in two."""
    pieces: list[tuple[OutcomeRows, int]] = []
    start = 0
    while len(rows) - start > MAX_ROWS:
        next_offset = int(rows.offset[start + MAX_ROWS])
        stop = int(np.searchsorted(rows.offset, next_offset))
        if stop <= start:  # one message with more rows than that
            stop = int(np.searchsorted(rows.offset, next_offset, side="right"))
            if stop == len(rows):
                break
            next_offset = int(rows.offset[stop])
        pieces.append((rows.take(np.arange(start, stop)), next_offset))
        start = stop
    return [*pieces, (rows.take(np.arange(start, len(rows))), end)]
