"""What a definition's own windows teach, where its baseline knows too little: each thing in an object of its own.

How much healthy windows differ (`live_evidence`), how alike slow answers are (`live_latency`), how many rows are usual
(`live_rows`). All are functions of the partials alone, and durable: one kind of register, told apart by its key's end.
"""

from typing import NamedTuple

import numpy as np

from stream.baselines.definition import Definition
from stream.baselines.layout import Counts
from stream.durable.fold import Register
from stream.evaluate.live_evidence import LiveEvidence
from stream.evaluate.live_latency import LiveLatency
from stream.evaluate.live_rows import LiveRows
from stream.evaluate.panes import ModelPanes
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import LearnedLive, is_learned_live, knows_rows


class WholeWindow(NamedTuple):
    """A window of which every pane was counted."""

    start_ms: int
    end_ms: int
    next_offset: int  # of the partials partition, after the record that completed it


class LiveWindows:
    """Of one definition, whole traffic and segments."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._evidence: dict[str, LiveEvidence] = {}  # by segment, where the baseline knows too little
        self._latency: dict[str, LiveLatency] = {}  # by segment
        self._rows: LiveRows | None = None

    def learned(self, segment: str, settings: ModelSettings, window_ms: int) -> LearnedLive:
        """What is known by now of a segment, or of the whole traffic where it is `""`."""
        evidence, rows = self.evidence_of(segment, settings, window_ms), self._rows_of(segment, settings, window_ms)
        return LearnedLive(
            evidence=None if evidence is None else evidence.evidence,
            alike=self._latency_of(segment, window_ms).overdispersion,
            rows=None if rows is None else rows.usual,
        )

    def evidence_of(self, segment: str, settings: ModelSettings, window_ms: int) -> LiveEvidence | None:
        """How much its windows differ; None where the baseline knows enough."""
        held = self._evidence.get(segment)
        if held is None or held.window_ms != window_ms:
            definition = self._definition
            if not is_learned_live(definition, settings, window_ms, segment):
                return None
            held = self._evidence[segment] = LiveEvidence(
                definition.layout_of(segment),
                window_ms=window_ms,
                pane_ms=definition.settings.pane_ms,
                shared_by=1 + len(definition.segmentation.names),
            )
        return held

    def _latency_of(self, segment: str, window_ms: int) -> LiveLatency:
        held = self._latency.get(segment)
        if held is None or held.window_ms != window_ms:
            held = self._latency[segment] = LiveLatency(window_ms)
        return held

    def _rows_of(self, segment: str, settings: ModelSettings, window_ms: int) -> LiveRows | None:
        held = self._rows
        if segment or settings.throughput is None:
            return None
        if held is None or held.window_ms != window_ms:
            if knows_rows(self._definition, window_ms):
                return None
            held = self._rows = LiveRows(window_ms)
        return held

    def take(self, segment: str, panes: ModelPanes, settings: ModelSettings, window: WholeWindow) -> bool:
        """Keep a window where that is due; whether something was learned.

        Args:
            segment: whose `panes` these are; `""`: the whole traffic's.
            panes: of the definition.
            settings: how the model's windows are judged.
            window: every pane of it was counted.
        """
        start_ms, end_ms, next_offset = window
        learned, window_ms = False, end_ms - start_ms
        evidence = self.evidence_of(segment, settings, window_ms)
        if evidence is not None and evidence.is_due(end_ms):
            learned |= evidence.take(start_ms, panes.total_of, next_offset)
        latency, rows = self._latency_of(segment, window_ms), self._rows_of(segment, settings, window_ms)
        timed = self._definition.layout.latency is not None and latency.is_due(end_ms)
        if not timed and (rows is None or not rows.is_due(end_ms)):
            return learned
        counts = self._counts(panes, window)
        if timed:
            learned |= latency.take(start_ms, *self._answers(counts), next_offset)
        if rows is not None and rows.is_due(end_ms):
            in_first_series = counts[: int(self._definition.layout.starts[1])]  # each row has one entry in every series
            learned |= rows.take(start_ms, int(in_first_series.sum()), next_offset)
        return learned

    def fell_silent(self, settings: ModelSettings, window_ms: int, silent_ms: int, next_offset: int) -> bool:
        """Keep that every partition was silent for so long, and it was no alarm; whether something was learned."""
        rows = self._rows_of("", settings, window_ms)
        return rows is not None and rows.fell_silent(silent_ms, next_offset)

    def _counts(self, panes: ModelPanes, window: WholeWindow) -> Counts:
        pane_ms = self._definition.settings.pane_ms
        each = (panes.total_of(start) for start in range(window.start_ms, window.end_ms, pane_ms))
        return sum((one for one in each if one is not None), np.zeros(self._definition.layout.width, np.int64))

    def _answers(self, counts: Counts) -> tuple[int, int]:
        """With a usable latency, and of them those over the SLA."""
        latency = self._definition.layout.latency
        assert latency is not None, "asked only where latencies are counted"
        of_latency = self._definition.layout.latency_counts(counts)
        return int(of_latency[: latency.sketch.bins].sum()), latency.violations(of_latency)

    # -- what is durable

    def registers(self, *, only_changed: bool) -> list[Register]:
        """What was learned, and what it is learned from."""
        found: list[Register] = []
        for segment in sorted({*self._evidence, *self._latency, ""}):
            rows = None if segment else self._rows
            for live in (self._evidence.get(segment), self._latency.get(segment), rows):
                if live is not None:
                    found += live.registers((self._definition.id, segment), only_changed=only_changed)
        return found

    def restore(self, named: tuple[str, int, int], register: Register, settings: ModelSettings, window_ms: int) -> None:
        """Take one of these registers; `named`: segment, window's length and the rest of its key."""
        segment, length_ms, at = named
        live: LiveEvidence | LiveLatency | LiveRows | None
        if at == LiveLatency.AT:
            live = self._latency_of(segment, window_ms)
        elif at == LiveRows.AT:
            live = self._rows_of(segment, settings, window_ms)
        else:
            live = self.evidence_of(segment, settings, window_ms)
        if live is not None and length_ms == window_ms:
            live.restore(at, register)
