"""Counts: every register and every part ever written against the exact fold of the prefix that it names."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import msgspec

from stream.baselines.baseline import Baseline
from stream.evaluate.panes import PaneSum
from stream.records.ledger import Ledger
from stream.records.partial import pack_counts, unpack_counts
from stream.records.source import Source
from tests.crash.deployment import Deployment
from tests.crash.evidence import Changelog, RegisterCopy, changelog, count_progress, part_of, partials, register_copy
from tests.crash.findings import Findings
from tests.crash.fleet import Samples
from tests.crash.models import LEARNED, SCORE_START, Model
from tests.crash.scenario import PANE_MS, WINDOW_PANES
from tests.crash.tail import Tail
from tests.crash.truth import PaneId, PartitionTruth, Truth


@dataclass
class CountCheck:
    """Compares what one app counted with the truth."""

    truth: Truth
    models: list[Model]
    deployment: Deployment
    tail: Tail
    findings: Findings
    learned: int | None = None  # the model whose baseline is learned: of it rows are compared, not bins

    def run(self, begins: dict[Source, int]) -> None:
        """All comparisons; `begins`: where each partition of a changelog begins since it was trimmed."""
        self._definitions = self._model_of_definition()
        self._check_parts()
        for p, records in self.tail.of(self.deployment.count_changelog).items():
            begin = begins[Source(self.deployment.count_changelog, p)]
            self._check_changelog(p, self.truth.partitions[p], changelog(records), begin)
        self._check_sums(begins)

    def _model_of_definition(self) -> dict[str, int]:
        index = {f"{m.key}#{0 if i == self.learned else 1}": i for i, m in enumerate(self.models)}
        found: dict[str, set[int]] = {}
        for _, partial in partials(self.tail, self.deployment):
            for definition, active in partial.definitions.items():
                found.setdefault(definition, set()).add(index[active.baseline_id])
        known = {i for of_definition in found.values() for i in of_definition} - {self.learned}
        self.findings.expect("definitions", len(known), len(self.models) - (self.learned is not None), "of models")
        model_of = {definition: models.pop() for definition, models in found.items()}
        self.findings.expect("definitions of a model", len(model_of), len(set(model_of.values())), "one for each")
        return model_of

    def _check_parts(self) -> None:
        """The parts of closed panes: each is there, all copies are equal, and all hold the exact counts."""
        final: dict[tuple[int, PaneId], set[bytes]] = {}
        for p, partial in partials(self.tail, self.deployment):
            for part in partial.panes:
                copy = part_of(part)
                pane = self._check_copy("parts", p, copy)
                if partial.provisional:
                    continue
                held = final.setdefault((p, pane), set())
                self.findings.numbers["ignored duplicates: parts of closed panes"] += bool(held)
                held.add(copy.packed)
                last = self.truth.partitions[p].span(pane, self.truth.partitions[p].next_offset)
                self.findings.expect("whole panes", (copy.first_offset, copy.next_offset), last, (p, pane))
        expected = {
            (p, pane)
            for p, truth in enumerate(self.truth.partitions)
            for pane in truth.panes
            if truth.is_closed(pane) and pane.model != self.learned
        }
        of_known = {(p, pane) for p, pane in final if pane.model != self.learned}
        self.findings.expect("panes that were closed", sorted(of_known ^ expected), [])
        self.findings.numbers["panes of the learned model closed"] = len(final) - len(of_known)
        unequal = [key for key, copies in final.items() if len(copies) > 1]
        self.findings.expect("copies of one part", unequal, [], "unequal")
        self.findings.numbers["panes closed"] = len(final)

    def _check_changelog(self, p: int, truth: PartitionTruth, log: Changelog, begin: int) -> None:
        seen: Counter[tuple[bytes, int]] = Counter()
        for _, delta in log.deltas:
            for key, next_offset, value in delta.registers:
                self._check_copy("registers", p, register_copy(key, next_offset, value))
                seen[key, next_offset] += 1
        self.findings.numbers["register copies"] += seen.total()
        self.findings.numbers["ignored duplicates: registers"] += seen.total() - len(seen)
        for _, progress in log.progress:
            ledger = count_progress(progress).ledger
            self.findings.expect("ledger balance at every @", ledger.balance(), 0, (p, progress.next_offset))
            words = ledger_words(ledger, learns=self.learned is not None)
            self.findings.expect("ledger at every @", words, truth.ledger(progress.next_offset), p)
            slow_and_failed = {name: getattr(ledger, name) for name in ("over_sla", "over_hard_limit", "failed")}
            expected = by_version(truth.answers(progress.next_offset), self.models)
            self.findings.expect("slow and failed answers at every @", slow_and_failed, expected, p)
        self._check_final_state(p, truth, log, begin)

    def _check_final_state(self, p: int, truth: PartitionTruth, log: Changelog, begin: int) -> None:
        """What a recovery would read now: `@` at the end, and exactly the panes that are open, whole."""
        newest = log.newest(begin)
        self.findings.expect("@ at the end", newest.next_offset, truth.next_offset, p)
        held: dict[PaneId, bytes] = {}
        for key, (next_offset, value) in log.registers_as_of(newest).items():
            copy = register_copy(key, next_offset, value)
            pane = pane_id(key, self._definitions)
            if not truth.is_closed(pane) and pane.model != self.learned:
                held[pane] = copy.packed
        still_open = [pane for pane in truth.panes if not truth.is_closed(pane) and pane.model != self.learned]
        expected = {pane: _packed(truth, pane) for pane in still_open}
        self.findings.expect("open panes in the changelog", held, expected, p)
        self.findings.numbers["panes open at the end"] += len(held)

    def _check_sums(self, begins: dict[Source, int]) -> None:
        """What evaluate would recover now: the panes of two windows, each the sum over all partitions."""
        keep_from_ms = self.truth.window_ends_ms()[-1] - 2 * WINDOW_PANES * PANE_MS
        held: dict[PaneId, list[int]] = {}
        for q, records in self.tail.of(self.deployment.evaluate_changelog).items():
            log, begin = changelog(records), begins[Source(self.deployment.evaluate_changelog, q)]
            for key, (next_offset, value) in log.registers_as_of(log.newest(begin)).items():
                if msgspec.msgpack.decode(key)[0] not in self._definitions:
                    continue  # of pairs, of what is learned of windows or of a model
                held[pane_id(key, self._definitions)] = PaneSum.from_bytes(value, next_offset).total().tolist()
        for pane, counts in self.truth.panes.items():
            if pane.start_ms >= keep_from_ms and pane.model != self.learned:
                self.findings.expect("sums in evaluate's changelog", held.get(pane), counts.tolist(), pane)

    def _check_copy(self, kind: str, p: int, copy: RegisterCopy) -> PaneId:
        """A copy holds exactly the rows below its own next offset."""
        truth, model = self.truth.partitions[p], self._definitions[copy.definition]
        pane = PaneId(model, copy.start_ms, copy.segment)
        counts = truth.counts(pane, copy.next_offset)
        if model == self.learned:
            rows = int(unpack_counts(copy.packed).sum()) // self._learned_series
            expected_rows = None if counts is None else int(counts[SCORE_START:].sum())
            self.findings.expect(f"rows of the learned model: {kind}", rows, expected_rows, (p, pane, copy.next_offset))
            return pane
        expected = None if counts is None else pack_counts(counts)
        self.findings.expect(kind, copy.packed, expected, (p, pane, copy.next_offset))
        return pane

    @cached_property
    def _learned_series(self) -> int:
        """How many series the learned baseline has: each row is counted once in each."""
        records = self.tail.of(self.deployment.config.topics.baselines)[0]
        learned = (Baseline.from_bytes(r.value or b"") for r in records if r.key == f"{LEARNED.key}#0".encode())
        return len(next(learned).series)


def pane_id(key: bytes, definitions: dict[str, int]) -> PaneId:
    """Whose register it is, in count's changelog and in evaluate's."""
    definition, segment, start_ms = msgspec.msgpack.decode(key)
    return PaneId(definitions[definition], start_ms, segment)


def check_metrics(
    samples: Samples, topic: str, what: str, sent: Counter[str], findings: Findings, *, learns: bool = False
) -> None:
    """The sum of the workers' counters of predictions, or of labels, is the total of what was sent."""
    found: Counter[str] = Counter()
    for name in ("received", "counted", "late", "ignored", "learning"):
        found[name] = int(sum(samples.get(f"driftline_{what}_{name}_total", {}).values()))
    if learns:
        findings.numbers["predictions that were learned from, or came before the first whole pane"] = (
            found["learning"] + found["ignored"]
        )
        found = _with_learned(found)
    for (_, reason, of_topic), value in samples.get("driftline_dead_letters_total", {}).items():
        if of_topic == topic:
            found[f"dead:{reason}"] += int(value)
    for name in sorted(found.keys() | sent.keys()):
        findings.expect("metrics", found[name], sent[name], (what, name))
    outcomes = sum(count for name, count in found.items() if name != "received")
    findings.expect("received = counted + late + ignored + dead letters", found["received"], outcomes, what)


def _packed(truth: PartitionTruth, pane: PaneId) -> bytes:
    counts = truth.counts(pane, truth.next_offset)
    assert counts is not None
    return pack_counts(counts)


def by_version(answers: dict[str, dict[int, int]], models: list[Model]) -> dict[str, dict[str, dict[str, int]]]:
    """Sums by the index of their model, by its name and version."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for name, sums in answers.items():
        held = found.setdefault(name, {})
        for index, count in sums.items():
            held.setdefault(models[index].name, {})[models[index].version] = count
    return found


def ledger_words(ledger: Ledger, *, learns: bool = False) -> Counter[str]:
    """A ledger in the words of the truth."""
    words = Counter({name: getattr(ledger, name) for name in ("received", "counted", "late", "ignored", "learning")})
    words.update({f"dead:{reason}": count for reason, count in ledger.dead.items()})
    return +(_with_learned(words) if learns else words)


def _with_learned(found: Counter[str]) -> Counter[str]:
    """From where on the learned model is counted differs from run to run; every row of it is in one of the three."""
    together = found["counted"] + found["learning"] + found["ignored"]
    return Counter(found | {"counted": together, "learning": 0, "ignored": 0})
