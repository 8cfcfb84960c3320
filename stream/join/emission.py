"""What a join tells evaluate, and when: counts of closed panes, cohorts, and how far event time has come.

At the record at which the watermark leaves a pane (of the smallest length there is), and encoded at
once: so a message is a pure function of the log's prefix, and a zombie's copy of it is identical.
Each says what it follows: one that came although the one before it was lost is no news yet, and comes again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from stream.durable.log import Outgoing
from stream.join.definitions import Definitions
from stream.join.registers import PaneKey, Registers
from stream.records.outcome import PerformanceDefinition
from stream.records.partial import NO_TIME
from stream.records.performance import PerformancePart, PerformancePartial, encode_performance
from stream.records.prediction import ModelKey
from stream.records.source import Source

MAX_PARTIAL_BYTES: Final = 512 * 1024  # below Kafka's default limit of 1 MiB a message
DEFAULT_PANE_MS: Final = 60_000  # while no definition says otherwise
COHORT_STEPS: Final = 24  # a cohort's pane is told so often while it fills, but not more often than a pane


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOutputs:
    """Where a join sends what it counted."""

    partials: str  # the topic
    partials_partitions: int
    home: Callable[[ModelKey], int]  # the partials partition whose owner evaluates a model


class Said(msgspec.Struct, array_like=True):
    """When something was last told."""

    next_offset: int = 0
    watermark_ms: int = NO_TIME


class Emission:
    """What has been told, and what is to be told next."""

    def __init__(
        self, source: Source, sources: int, outputs: JoinOutputs, definitions: Definitions, registers: Registers
    ) -> None:
        self.panes = Said()
        self.cohorts: dict[str, Said] = {}  # by id of the definition
        self.opening = True  # nothing has been sent yet, or what is sent next has the first message in it
        self._source = source
        self._sources = sources
        self._to = outputs
        self._definitions = definitions
        self._registers = registers
        self._homes: dict[str, int] = {}  # by id of the definition

    def due(self, watermark_ms: int) -> bool:
        """Whether the watermark has left a pane since it was last told."""
        return _crossed(
            self.panes.watermark_ms, watermark_ms, self._definitions.reach.smallest_pane_ms or DEFAULT_PANE_MS
        )

    def take(self, watermark_ms: int, next_offset: int) -> list[Outgoing]:
        """The messages of now; what they hold is not told again unless it changes."""
        cohorts = {i for i, d in self._definitions.newest.items() if self._cohorts_due(i, d, watermark_ms)}
        untold = self._registers.untold
        told = sorted(key for key in untold if self._is_due(key, cohorts, watermark_ms))
        untold.difference_update(told)
        parts: list[list[PerformancePart]] = [[] for _ in range(self._to.partials_partitions)]
        for key in told:
            parts[self._home(key.definition)].append(self._part(key))
        messages = [m for p, mine in enumerate(parts) for m in self._messages(p, mine, watermark_ms, next_offset)]
        self._registers.cool(self.panes.next_offset)
        self.panes = Said(next_offset, watermark_ms)
        self.cohorts |= {definition: Said(next_offset, watermark_ms) for definition in sorted(cohorts)}
        return messages

    def find_untold(self) -> None:
        """After a restart: which panes have changed since they were told, or were not told because they were open."""
        for key, pane in self._registers.panes.items():
            said = self.cohorts.get(key.definition, Said()) if key.cohort else self.panes
            was_open = not key.cohort and self._end_ms(key) > said.watermark_ms
            if was_open or pane.next_offset > said.next_offset:
                self._registers.untold.add(key)

    def _cohorts_due(self, definition_id: str, definition: PerformanceDefinition, watermark_ms: int) -> bool:
        step_ms = max(definition.pane_ms, definition.cohort_ms // COHORT_STEPS)
        return _crossed(self.cohorts.get(definition_id, Said()).watermark_ms, watermark_ms, step_ms)

    def _is_due(self, key: PaneKey, cohorts: set[str], watermark_ms: int) -> bool:
        return key.definition in cohorts if key.cohort else self._end_ms(key) <= watermark_ms

    def _end_ms(self, key: PaneKey) -> int:
        return key.start_ms + self._definitions.newest[key.definition].pane_ms

    def _home(self, definition_id: str) -> int:
        found = self._homes.get(definition_id)
        if found is None:
            definition = self._definitions.newest[definition_id]
            found = self._homes[definition_id] = self._to.home(ModelKey(definition.model, definition.version))
        return found

    def _part(self, key: PaneKey) -> PerformancePart:
        pane = self._registers.panes[key]
        return PerformancePart(key.definition, key.cohort, key.start_ms, pane.next_offset, pane.pack())

    def _messages(
        self, partition: int, parts: list[PerformancePart], watermark_ms: int, next_offset: int
    ) -> list[Outgoing]:
        known = self._definitions.newest
        chunks = _chunked(parts)
        messages = []
        for number, chunk in enumerate(chunks):
            last = number == len(chunks) - 1
            partial = PerformancePartial(
                source=str(self._source),
                sources=self._sources,
                next_offset=next_offset,
                watermark_ms=watermark_ms if last else NO_TIME,
                definitions={part.definition: known[part.definition] for part in chunk},
                panes=chunk,
                last=last,
                after=self.panes.next_offset,
                chunk=number,
            )
            to = Source(self._to.partials, partition)
            # Who has heard nothing yet takes whatever comes first: the first message must be the first.
            follows = self.opening and (number > 0 or self.panes.next_offset > 0)
            messages.append(Outgoing(to=to, value=encode_performance(partial), after_others=follows))
        return messages


def _crossed(before_ms: int, now_ms: int, step_ms: int) -> bool:
    return now_ms // step_ms > before_ms // step_ms


def _chunked(parts: list[PerformancePart]) -> list[list[PerformancePart]]:
    """At least one chunk, each as full as a record may be."""
    chunks: list[list[PerformancePart]] = [[]]
    size = 0
    for part in parts:
        if chunks[-1] and size + len(part.counts) > MAX_PARTIAL_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(part)
        size += len(part.counts) + 64
    return chunks
