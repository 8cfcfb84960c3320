"""The join in plain dicts, a row at a time: slow, and without anything to expire lazily or to vectorise."""

from collections import Counter
from math import isnan
from typing import Any

import msgspec

from stream.join.definitions import bucket_width_s
from stream.records.outcome import NO_MODEL, Covering, Kind, PerformanceDefinition, decode_covering
from stream.records.partial import NO_TIME

Label = tuple[int, float]


def rank(label: Label) -> tuple[int, bool, float]:
    return label[0], isnan(label[1]), 0.0 if isnan(label[1]) else label[1]


class Id:
    """One id: at most one prediction, at most one label in force, and labels that wait."""

    def __init__(self) -> None:
        self.prediction: tuple[int, PerformanceDefinition, int] | None = None
        self.label: Label | None = None
        self.waits: list[Label] = []


class Oracle:
    """Every row that the join has not forgotten, and what became of all."""

    def __init__(self) -> None:
        self.ids: dict[int, Id] = {}
        self.counts: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, int, int, int, float]] = Counter()  # id, times, bin, value
        self.cohorts: Counter[tuple[str, int, int]] = Counter()  # id, time, bin
        self.sources: dict[str, Covering] = {}
        self.wp = self.wl = NO_TIME
        self.early_s = 0

    # -- records

    def read(self, value: bytes) -> None:
        covering = decode_covering(value)
        last = self.sources.get(covering.source)
        if last and (covering.begin > last.end or covering.end < last.end):
            return
        rows, seen = covering.outcome_rows(), last.end if last else covering.begin
        if covering.kind is Kind.LABELS:
            self.early_s = covering.early_ms // 1000
        fresh = [
            (int(rows.hash[i]), int(rows.time_s[i]), int(rows.model[i]), int(rows.payload[i]), float(rows.value[i]))
            for i in range(len(rows))
            if rows.offset[i] >= seen
        ]
        if covering.kind is Kind.PREDICTIONS:
            for key, t, model, payload, _ in fresh:
                self.prediction(key, (t, covering.definitions[model], payload))
        else:
            for key, t, model, _, v in sorted(fresh, key=lambda r: rank((r[1], r[4]))):
                assert model == NO_MODEL
                self.counts["labels"] += 1
                self.label(key, (t, v))
        newest_ms = max(covering.watermark_ms, last.watermark_ms) if last else covering.watermark_ms
        self.sources[covering.source] = msgspec.structs.replace(covering, watermark_ms=newest_ms)
        self.advance(covering.kind)

    def advance(self, _: Kind) -> None:
        marks: dict[Kind, tuple[int, bool]] = {}
        for kind in Kind:
            mine = [c for c in self.sources.values() if c.kind is kind]
            heard = bool(mine) and len(mine) >= mine[-1].sources
            awake = [c.watermark_ms for c in mine if not c.idle]
            idle = heard and not awake
            marks[kind] = (
                (min(awake) if awake else max(c.watermark_ms for c in mine)) if heard else NO_TIME,
                idle,
            )
        self.wp = max(self.wp, marks[Kind.PREDICTIONS][0])
        self.wl = max(self.wl, self.wp if marks[Kind.LABELS][1] else marks[Kind.LABELS][0])
        for known in self.ids.values():
            self.forget(known)

    def is_dead(self, known: Id) -> bool:
        assert known.prediction is not None
        t, definition, _ = known.prediction
        expiry_s = t + definition.ttl_ms // 1000
        if not definition.dedupe and known.label and not isnan(known.label[1]):
            expiry_s = min(expiry_s, known.label[0] + definition.revision_ms // 1000)
        width_s = bucket_width_s(definition)
        return expiry_s // width_s < min(self.wp, self.wl) // 1000 // width_s

    def forget(self, known: Id) -> None:
        if known.prediction and self.is_dead(known):
            if not known.label or isnan(known.label[1]):
                self.counts["expired"] += 1
                self.counts["waiting"] -= 1
            known.prediction = known.label = None
        kept = [x for x in known.waits if x[0] // 60 >= (self.wp // 1000 - self.early_s) // 60]
        self.counts["orphans"] += len(known.waits) - len(kept)
        self.counts["waiting_labels"] -= len(known.waits) - len(kept)
        known.waits = kept

    # -- rows

    def prediction(self, key: int, new: tuple[int, PerformanceDefinition, int]) -> None:
        known = self.ids.setdefault(key, Id())
        self.counts["predictions"] += 1
        again = known.waits
        self.counts["waiting_labels"] -= len(again)
        if known.prediction:
            if new[0] <= known.prediction[0]:
                self.counts["duplicates"] += 1
                self.counts["waiting_labels"] += len(again)
                return
            self.counts["duplicates"] += 1
            self.cohorts[self._cohort(known.prediction)] -= 1
            if known.label:
                again = [*again, known.label]
                self.put(known, None, "retracted" if isnan(known.label[1]) else "joined", -1)
            self.counts["waiting"] -= 1
        known.prediction, known.label, known.waits = new, None, []
        self.counts["waiting"] += 1
        self.cohorts[self._cohort(new)] += 1
        for label in sorted(again, key=rank):
            self.label(key, label)
        self.forget(known)

    def label(self, key: int, label: Label) -> None:
        known = self.ids.setdefault(key, Id())
        p = known.prediction
        if p and label[0] - p[0] < -self.early_s:
            self.counts["orphans"] += 1
        elif not p or label[0] - p[0] > p[1].ttl_ms // 1000:
            if rank(label) in [rank(x) for x in known.waits]:
                self.counts["duplicate_labels"] += 1
            else:
                known.waits = sorted([*known.waits, label], key=rank)
                self.counts["waiting_labels"] += 1
                if len(known.waits) > 8:
                    known.waits.pop(0)
                    self.counts["waiting_labels"] -= 1
                    self.counts["revised"] += 1
        else:
            self.offer(known, p, label)
        self.forget(known)

    def offer(self, known: Id, p: Any, label: Label) -> None:
        old = known.label
        in_force = old is not None and not isnan(old[1])
        if old and rank(label) <= rank(old):
            self.counts["duplicate_labels"] += 1
        else:
            if in_force:
                self.put(known, None, "joined", -1)
                self.counts["revised"] += 1
            known.label = label
            self.put(known, label, "retracted" if isnan(label[1]) else "joined", 1)

    def put(self, known: Id, _: Label | None, kind: str, sign: int) -> None:
        assert known.prediction is not None
        assert known.label is not None
        self.counts[kind] += sign
        if kind == "joined":
            self.counts["waiting"] -= sign
            t, definition, payload = known.prediction
            self.pairs[definition.id, t, known.label[0], payload, known.label[1]] += sign

    @staticmethod
    def _cohort(p: tuple[int, PerformanceDefinition, int]) -> tuple[str, int, int]:
        return p[1].id, p[0], p[2]

    # -- what to compare

    def joined(self) -> dict[int, tuple[int, int, float]]:
        """Every pair that is still known: id -> times of prediction and label, value."""
        return {
            key: (known.prediction[0], *known.label)
            for key, known in self.ids.items()
            if known.prediction and known.label and not isnan(known.label[1])
        }
