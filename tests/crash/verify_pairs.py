"""Joined pairs: every pane of performance, by score bin, class and delay, against the truth."""

from dataclasses import dataclass

import msgspec
import numpy as np

from stream.evaluate.performance_courses import REGISTER
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import unpack_sparse
from stream.records.source import Source
from tests.crash.deployment import Deployment
from tests.crash.evidence import changelog, join_progress, performance_partials
from tests.crash.findings import Findings
from tests.crash.join_truth import PANE_WIDTH, Integers, PairPane, Settled
from tests.crash.models import Model
from tests.crash.scenario import COHORT_MS, PANE_MS, REVISION_S, TTL_S, WINDOW_PANES
from tests.crash.tail import Tail

NOTHING = np.zeros(PANE_WIDTH, np.int64)


@dataclass
class PairCheck:
    """Compares the pairs that one app counted with the truth."""

    settled: Settled
    watermark_ms: int  # where every join ends
    models: list[Model]
    deployment: Deployment
    tail: Tail
    findings: Findings

    def run(self, begins: dict[Source, int]) -> None:
        """All comparisons; `begins`: where each partition of a changelog begins since it was trimmed."""
        self._model_of: dict[str, int] = {}
        self._check_parts()
        self._check_registers(begins)
        self._check_sums(begins)

    def _learn(self, definition: PerformanceDefinition) -> None:
        keys = [model.key for model in self.models]
        self._model_of[definition.id] = keys.index(f"{definition.model}@{definition.version}")

    def _check_parts(self) -> None:
        """The last part of every pane that has closed; copies of one part are equal."""
        copies: dict[tuple[PairPane, int], bytes] = {}
        last: dict[PairPane, int] = {}
        for o, partial in performance_partials(self.tail, self.deployment):
            for definition in partial.definitions.values():
                self._learn(definition)
            for part in partial.panes:
                pane = PairPane(o, self._model_of[part.definition], part.cohort, part.start_ms)
                held = copies.setdefault((pane, part.next_offset), part.counts)
                self.findings.expect("copies of one part of pairs", part.counts, held, (pane, part.next_offset))
                last[pane] = max(last.get(pane, 0), part.next_offset)
        found = {
            pane: unpack_sparse(copies[pane, offset], PANE_WIDTH)
            for pane, offset in last.items()
            if self._is_closed(pane)
        }
        self._compare("panes of pairs", found, {p: c for p, c in self.settled.panes.items() if self._is_closed(p)})
        self.findings.numbers["panes of pairs closed"] = len(found)

    def _check_registers(self, begins: dict[Source, int]) -> None:
        """What a recovery of a join would read now: the panes that it keeps, also those that are open."""
        for o, records in self.tail.of(self.deployment.join_changelog).items():
            log, begin = changelog(records), begins[Source(self.deployment.join_changelog, o)]
            newest = log.newest(begin)
            for definition in (known.definition for known in join_progress(newest).definitions):
                self._learn(definition)
            found = {}
            for key, (_, value) in log.registers_as_of(newest).items():
                definition_id, cohort, start_ms = msgspec.msgpack.decode(key)
                pane = PairPane(o, self._model_of[definition_id], cohort, start_ms)
                if self._is_kept(pane):
                    found[pane] = unpack_sparse(value, PANE_WIDTH)
            expected = {p: c for p, c in self.settled.panes.items() if p.partition == o and self._is_kept(p)}
            self._compare("registers of pairs", found, expected)

    def _check_sums(self, begins: dict[Source, int]) -> None:
        """What evaluate would recover now: the parts of two windows, over all outcomes partitions."""
        found: dict[PairPane, Integers] = {}
        for q, records in self.tail.of(self.deployment.evaluate_changelog).items():
            log, begin = changelog(records), begins[Source(self.deployment.evaluate_changelog, q)]
            for key, (_, value) in log.registers_as_of(log.newest(begin)).items():
                identity = msgspec.msgpack.decode(key)
                if identity[0] != REGISTER:
                    continue
                _, definition_id, cohort, start_ms, source = identity
                pane = PairPane(int(source.rpartition("/")[2]), self._model_of[definition_id], cohort, start_ms)
                if self._is_kept(pane) and self._is_closed(pane):
                    found[pane] = unpack_sparse(msgspec.msgpack.decode(value)[1], PANE_WIDTH)
        expected = {p: c for p, c in self.settled.panes.items() if self._is_kept(p) and self._is_closed(p)}
        self._compare("pairs in evaluate's changelog", found, expected)

    def _is_closed(self, pane: PairPane) -> bool:
        length_ms = COHORT_MS if pane.cohort else PANE_MS
        return pane.start_ms + length_ms <= self.watermark_ms // PANE_MS * PANE_MS

    def _is_kept(self, pane: PairPane) -> bool:
        """Whether joins and evaluate certainly have it still."""
        if pane.cohort:
            return pane.start_ms + COHORT_MS + (TTL_S + REVISION_S) * 1_000 >= self.watermark_ms
        return pane.start_ms + 2 * WINDOW_PANES * PANE_MS >= self.watermark_ms

    def _compare(self, kind: str, found: dict[PairPane, Integers], expected: dict[PairPane, Integers]) -> None:
        for pane in sorted(found.keys() | expected.keys()):
            mine, other = found.get(pane, NOTHING), expected.get(pane, NOTHING)
            self.findings.expect(kind, mine.tolist(), other.tolist(), pane)
