"""The join in plain dicts, a row at a time: slow, and without anything to expire lazily or to vectorise."""

from collections import Counter
from hashlib import sha256
from math import isnan

import msgspec

from stream.join.definitions import bucket_width_s
from stream.records.outcome import NO_MODEL, Covering, Kind, PerformanceDefinition, decode_covering
from stream.records.partial import NO_TIME

Label = tuple[int, float]
Answer = tuple[int, PerformanceDefinition, int]  # time, what it is counted into, grid bin


def rank(label: Label) -> tuple[int, bool, float]:
    return label[0], isnan(label[1]), 0.0 if isnan(label[1]) else label[1]


def order(answer: Answer) -> tuple[int, str, int, bytes]:
    """The last of the copies stands."""
    t, definition, payload = answer
    return t, definition.id, payload, sha256(msgspec.msgpack.encode(definition)).digest()[:8]


class Id:
    """One id: at most one prediction, at most one label in force, and labels that wait."""

    def __init__(self) -> None:
        self.prediction: Answer | None = None
        self.inline = False  # a label's own score stands for it
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
            said = [
                (key, (t, v), None if model == NO_MODEL else (t, covering.definitions[model], payload))
                for key, t, model, payload, v in fresh
            ]
            for key, label, own in sorted(said, key=lambda r: (rank(r[1]), order(r[2]) if r[2] else ())):
                self.counts["labels"] += 1
                self.take_label(key, label, own)
        newest_ms = max(covering.watermark_ms, last.watermark_ms) if last else covering.watermark_ms
        idle = covering.idle or (last is not None and last.idle and covering.end == last.end)  # or a zombie's word
        self.sources[covering.source] = msgspec.structs.replace(covering, watermark_ms=newest_ms, idle=idle)
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
            if (not known.label or isnan(known.label[1])) and not known.inline:
                self.counts["expired"] += 1
                self.counts["waiting"] -= 1
            known.prediction = known.label = None
        kept = [x for x in known.waits if x[0] // 60 >= (self.wp // 1000 - self.early_s) // 60]
        self.counts["orphans"] += len(known.waits) - len(kept)
        self.counts["waiting_labels"] -= len(known.waits) - len(kept)
        known.waits = kept

    # -- rows

    def prediction(self, key: int, new: Answer) -> None:
        known = self.ids.setdefault(key, Id())
        self.counts["predictions"] += 1
        if known.prediction and not known.inline:
            self.counts["duplicates"] += 1
            if order(new) <= order(known.prediction):
                return
        self.replace(known, new, [], inline=False)
        self.forget(known)

    def take_label(self, key: int, label: Label, own: Answer | None) -> None:
        known = self.ids.setdefault(key, Id())
        if own and self.stands(known, label, own):
            self.counts["waiting_labels"] += 1
            self.replace(known, own, [label], inline=True)
        else:
            self.label(known, label)
        self.forget(known)

    def stands(self, known: Id, label: Label, own: Answer) -> bool:
        held = known.prediction
        if held is None:
            return True
        if label[0] > held[0] + held[1].ttl_ms // 1000:
            if not known.inline and (not known.label or isnan(known.label[1])):
                self.counts["expired"] += 1
                self.counts["waiting"] -= 1
            known.prediction = known.label = None
            return True
        assert known.label or not known.inline
        if not known.inline or own[0] < held[0]:
            return False
        if known.label and own[0] == held[0] == known.label[0] and rank(label) != rank(known.label):
            return rank(label) > rank(known.label)
        return order(own) > order(held)

    def replace(self, known: Id, new: Answer, again: list[Label], *, inline: bool) -> None:
        again = [*again, *known.waits]
        if known.prediction:
            self.cohorts[self._cohort(known.prediction)] -= 1
            if known.label:
                again.append(known.label)
                self.counts["waiting_labels"] += 1
                self.put(known, "retracted" if isnan(known.label[1]) else "joined", -1)
            self.counts["waiting"] -= not known.inline
        known.prediction, known.label, known.waits, known.inline = new, None, [], inline
        self.counts["waiting"] += not inline
        self.cohorts[self._cohort(new)] += 1
        for label in sorted(again, key=rank):
            self.counts["waiting_labels"] -= 1
            self.label(known, label)

    def label(self, known: Id, label: Label) -> None:
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
            self.offer(known, label)

    def offer(self, known: Id, label: Label) -> None:
        old = known.label
        if old and rank(label) <= rank(old):
            self.counts["duplicate_labels"] += 1
            return
        if old and not isnan(old[1]):
            self.put(known, "joined", -1)
            self.counts["revised"] += 1
        known.label = label
        self.put(known, "retracted" if isnan(label[1]) else "joined", 1)

    def put(self, known: Id, kind: str, sign: int) -> None:
        assert known.prediction is not None
        assert known.label is not None
        self.counts["inline" if known.inline and kind == "joined" else kind] += sign
        if kind == "joined":
            self.counts["waiting"] -= 0 if known.inline else sign
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
