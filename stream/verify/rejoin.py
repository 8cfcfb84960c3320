"""The labels that an alert has seen, joined again with their predictions.

A join is a function of its log, so a fresh one that reads the log from its very start, up to the offset that the
alert cites, holds the pairs that the alert was made of: without a changelog, registers restored or rows read back.
If the log has been trimmed it cannot be said: what lay before decides which prediction a label met.
Cost: as joining everything that the log keeps, 1 to 2 us a row, once for all alerts that are taken in order.
"""

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
from stream.records.performance import Counts, Sections, unpack_sparse
from stream.records.source import Source
from stream.verify.claim import Cannot, LabelClaim, source_of
from stream.verify.recount import Recount, batches

NOWHERE: Final = JoinOutputs(partials="", partials_partitions=1, home=lambda _: 0)  # what it tells is thrown away


class Joins:
    """Fresh joins, each as far as it was needed last: claims in the order of their offsets take one pass of the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._folds: dict[Source, JoinFold] = {}

    async def at(self, source: Source, following: int) -> JoinFold | Cannot:
        """The join of a partition as it was when it had read the offsets below `following`."""
        missing = await _missing(self._log, source, following)
        if missing is not None:
            return missing
        fold = self._folds.get(source)
        if fold is None or fold.next_offset > following:
            fold = self._folds[source] = JoinFold(source=source, sources=1, outputs=NOWHERE)
        async for batch in batches(self._log, source, fold.next_offset, following):
            fold.fold(batch)
            fold.outputs()
        return fold


async def rejoin(joins: Joins, claim: LabelClaim) -> tuple[PerformanceDefinition, Recount] | Cannot:
    """Count a window of labels again; also what its pairs are counted with."""
    definition: PerformanceDefinition | None = None
    found = Recount(np.zeros(0, np.int64))
    for name, following in claim.outcomes.items():
        source = source_of(name)
        fold = await joins.at(source, following)
        if isinstance(fold, Cannot):
            return fold
        found.messages += following
        for known in fold.definitions.newest.values():
            part = msgspec.structs.replace(known, segments=(claim.segment,) if claim.segment else ())
            if part.id == claim.definition_id and (not claim.segment or claim.segment in known.segments):
                definition = part
                counts = _window(fold, known, claim)
                found.counts = counts if not len(found.counts) else found.counts + counts
        found.spans[name] = Span(0, following, NO_TIME)
    if definition is None:
        return Cannot(
            f"definition {claim.definition_id} is not in the join's log: it is of several classes together, "
            "or the log is another one"
        )
    found.rows = labelled(found.counts, Sections.of(definition))
    return definition, found


def _window(fold: JoinFold, definition: PerformanceDefinition, claim: LabelClaim) -> Counts:
    """The sum of a join's panes of label arrival, shape (width,)."""
    width = Sections.of(definition).width
    keys = (
        PaneKey(definition.id, False, start_ms) for start_ms in range(claim.start_ms, claim.end_ms, definition.pane_ms)
    )
    panes = (fold.registers.panes[key] for key in keys if key in fold.registers.panes)
    return sum((unpack_sparse(pane.pack(), width) for pane in panes), start=np.zeros(width, np.int64))


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
