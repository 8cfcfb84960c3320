"""What a definition's own windows teach, where its baseline knows too little: each thing in an object of its own.

How much healthy windows differ (`live_evidence`), how alike slow answers are (`live_latency`), how many rows are usual
(`live_rows`). All are functions of the partials alone, and durable: one kind of register, told apart by its key's end.
Once something was learned, a window in breach of it teaches nothing more of that kind.
"""

from typing import NamedTuple

from stream.baselines.definition import Definition
from stream.durable.fold import Register
from stream.evaluate.evaluator import Evaluation
from stream.evaluate.latency_evaluator import LatencyCheck
from stream.evaluate.live_evidence import LiveEvidence
from stream.evaluate.live_latency import LiveLatency
from stream.evaluate.live_rows import LiveRows
from stream.evaluate.panes import ModelPanes
from stream.evaluate.settings import ModelSettings
from stream.evaluate.throughput_evaluator import ThroughputCheck, ThroughputYardstick
from stream.evaluate.yardstick import LearnedLive, is_learned_live, knows_rows


class WholeWindow(NamedTuple):
    """A window of which every pane was counted, as it was judged first."""

    evaluation: Evaluation
    throughput: ThroughputYardstick | None  # that its rows were judged with; None: they were not
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
        latency = self._latency_of(segment, window_ms)
        return LearnedLive(
            evidence=None if evidence is None else evidence.evidence,
            alike=None if latency is None else latency.overdispersion,
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

    def _latency_of(self, segment: str, window_ms: int) -> LiveLatency | None:
        if self._definition.layout.latency is None:
            return None
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

    def is_due(self, segment: str, settings: ModelSettings, window_ms: int, end_ms: int) -> bool:
        """Whether a window of a segment, or of the whole traffic where it is `""`, is to be kept if it ends here."""
        evidence, rows = self.evidence_of(segment, settings, window_ms), self._rows_of(segment, settings, window_ms)
        every = evidence, rows, self._latency_of(segment, window_ms)
        return any(live.is_due(end_ms) for live in every if live is not None)

    def take(self, segment: str, panes: ModelPanes, settings: ModelSettings, window: WholeWindow) -> bool:
        """Keep a window that is due; whether something was learned.

        Args:
            segment: whose `panes` these are; `""`: the whole traffic's.
            panes: of the definition.
            settings: how the model's windows are judged.
            window: of the segment.
        """
        of, throughput, next_offset = window
        learned, start_ms, window_ms = False, of.start_ms, of.end_ms - of.start_ms
        evidence, rows = self.evidence_of(segment, settings, window_ms), self._rows_of(segment, settings, window_ms)
        if evidence is not None:
            learned |= evidence.take(start_ms, panes.total_of, next_offset, in_breach=bool(of.breaches))
        latency, answers = self._latency_of(segment, window_ms), of.latency
        if latency is not None and answers is not None:
            slow = _is_breach(answers.check)
            learned |= latency.take(start_ms, answers.n, answers.violations, next_offset, in_breach=slow)
        if rows is not None:
            few, none = _is_breach(of.throughput), throughput is not None and throughput.none_in_breach
            learned |= rows.take(start_ms, of.n, next_offset, in_breach=few, none_in_breach=none)
        return learned

    def fell_silent(self, settings: ModelSettings, window_ms: int, silent_ms: int, next_offset: int) -> bool:
        """Keep that every partition was silent for so long, and it was no alarm; whether something was learned."""
        rows = self._rows_of("", settings, window_ms)
        return rows is not None and rows.fell_silent(silent_ms, next_offset)

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


def _is_breach(check: LatencyCheck | ThroughputCheck | None) -> bool:
    return check is not None and check.verdict.is_breach
