"""The labels that an alert has seen, joined again with their predictions.

A join is a function of its log, so a fresh one that reads the log from its very start, up to the offset that the
alert cites, holds the pairs that the alert was made of, or has told of them and let go of their panes since, as it does
when one record brings event time a long way: without a changelog, registers restored or rows read back.
If the log has been trimmed it cannot be said: what lay before decides which prediction a label met.
Cost: as joining everything that the log keeps, 1 to 2 us a row, once for all alerts that are taken in order.
Memory: as a join, and what it told of the panes that the claims are about.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from stream.durable.log import Log
from stream.evaluate.panes import Span
from stream.evaluate.performance_panes import labelled
from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.join.registers import PaneKey
from stream.records.outcome import PerformanceDefinition
from stream.records.partial import NO_TIME
from stream.records.performance import Counts, PerformancePart, Sections, decode_performance, unpack_sparse
from stream.records.source import Source
from stream.verify.claim import Cannot, LabelClaim, source_of
from stream.verify.recount import Recount, batches

NOWHERE: Final = JoinOutputs(partials="", partials_partitions=1, home=lambda _: 0)  # what it tells is thrown away


@dataclass(slots=True)
class Join:
    """A fresh join of one partition, as far as its log has been read, and what it has told of the wanted panes."""

    fold: JoinFold
    definitions: dict[str, PerformanceDefinition] = field(default_factory=dict)  # by id, those that it told of
    told: dict[PaneKey, bytes] = field(default_factory=dict)  # counts, packed: the newest word on each pane

    def pane(self, key: PaneKey) -> bytes | None:
        """The counts of a pane, packed: as they are, or as they were last told if it is over; None: it has none."""
        held = self.fold.registers.panes.get(key)
        return self.told.get(key) if held is None else held.pack()

    @property
    def known(self) -> dict[str, PerformanceDefinition]:
        """The definitions by id: those that rows may still be of, and those that are over."""
        return self.definitions | self.fold.definitions.newest


class Joins:
    """Fresh joins, each as far as it was needed last: claims in the order of their offsets take one pass of the log."""

    def __init__(self, log: Log, claims: Iterable[LabelClaim]) -> None:
        """`claims`: all that will be asked for; of the panes of others nothing is kept once they are over."""
        self._log = log
        self._joins: dict[Source, Join] = {}
        self._wanted = _merged((claim.start_ms, claim.end_ms) for claim in claims)

    async def at(self, source: Source, following: int) -> Join | Cannot:
        """The join of a partition as it was when it had read the offsets below `following`."""
        missing = await _missing(self._log, source, following)
        if missing is not None:
            return missing
        join = self._joins.get(source)
        if join is None or join.fold.next_offset > following:
            join = self._joins[source] = Join(JoinFold(source=source, sources=1, outputs=NOWHERE))
        async for batch in batches(self._log, source, join.fold.next_offset, following):
            join.fold.fold(batch)
            self._keep(join)
        return join

    def _keep(self, join: Join) -> None:
        for outgoing in join.fold.outputs():
            partial = decode_performance(outgoing.value or b"")
            for part in filter(self._is_wanted, partial.panes):
                join.told[PaneKey(part.definition, part.cohort, part.start_ms)] = part.counts
                join.definitions[part.definition] = partial.definitions[part.definition]

    def _is_wanted(self, part: PerformancePart) -> bool:
        if part.cohort:
            return False
        behind = bisect_right(self._wanted, part.start_ms, key=lambda span: span[0])
        return behind > 0 and part.start_ms < self._wanted[behind - 1][1]


async def rejoin(joins: Joins, claim: LabelClaim) -> tuple[PerformanceDefinition, Recount] | Cannot:
    """Count a window of labels again; also what its pairs are counted with."""
    definition: PerformanceDefinition | None = None
    found = Recount(np.zeros(0, np.int64))
    for name, following in claim.outcomes.items():
        source = source_of(name)
        join = await joins.at(source, following)
        if isinstance(join, Cannot):
            return join
        found.messages += following
        for known in join.known.values():
            part = msgspec.structs.replace(known, segments=(claim.segment,) if claim.segment else ())
            if part.id == claim.definition_id and (not claim.segment or claim.segment in known.segments):
                definition = part
                counts = _window(join, known, claim)
                found.counts = counts if not len(found.counts) else found.counts + counts
        found.spans[name] = Span(0, following, NO_TIME)
    if definition is None:
        return Cannot(
            f"definition {claim.definition_id} is not in the join's log: it is of several classes together, "
            "or the log is another one"
        )
    found.rows = labelled(found.counts, Sections.of(definition))
    return definition, found


def _window(join: Join, definition: PerformanceDefinition, claim: LabelClaim) -> Counts:
    """The sum of a join's panes of label arrival, shape (width,)."""
    width = Sections.of(definition).width
    keys = (
        PaneKey(definition.id, False, start_ms) for start_ms in range(claim.start_ms, claim.end_ms, definition.pane_ms)
    )
    panes = (packed for key in keys if (packed := join.pane(key)) is not None)
    return sum((unpack_sparse(packed, width) for packed in panes), start=np.zeros(width, np.int64))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What lies in any of the spans [start, end), as few as there can be, in order.

    >>> _merged([(5, 9), (0, 3), (2, 4), (6, 7)])
    [(0, 4), (5, 9)]
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


async def _missing(log: Log, source: Source, following: int) -> Cannot | None:
    kept_from = await log.begin(source)
    if kept_from > 0:
        return Cannot(
            f"{source}, in which labels meet their predictions, is kept from offset {kept_from} on only: "
            "it is trimmed when nothing needs it any more, and what lay before decides which pairs there are"
        )
    last = await log.first_at(source, following - 1)
    if last is None or last.offset != following - 1:
        return Cannot(f"{source} does not hold offset {following - 1} any more, which was counted: it was made anew")
    return None
