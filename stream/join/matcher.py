"""Rows of one record meet what waits: the common cases a record at a time, the rare ones one by one.

Within a record rows of one id are taken in order of event time, whatever their order in it. A record of a
million labels for one id costs one sort and a few dozen rows: of those that meet the same, the newest 8.
"""

from dataclasses import dataclass

import numpy as np

from stream.join.caps import Caps
from stream.join.definitions import Definitions
from stream.join.grouping import rank_in_group
from stream.join.ledger import Ledger
from stream.join.one_id import OneId, Prediction
from stream.join.registers import Pairs, Registers
from stream.join.table import (
    EARLY,
    INLINE,
    LABELLED,
    POSITIVE,
    RETRACTED,
    STATE,
    WAITING,
    Flags,
    Floats,
    Hashes,
    Ints,
    Rows,
    Words,
    label_bits,
)
from stream.join.waiting import LABELS_KEPT, Waiting, label_rows, prediction_rows
from stream.records.outcome import NO_MODEL, Kind, OutcomeRows


@dataclass(slots=True)
class Matcher:
    """The rules of the join over the rows of one partition."""

    definitions: Definitions
    waiting: Waiting
    caps: Caps
    ledger: Ledger
    registers: Registers | None  # None while the log is read back: rows are rebuilt and nothing is counted
    early_s: int = 0  # how long before its prediction a label may lie

    def refuse(self, kind: Kind, count: int) -> None:
        """Rows whose definition has found no room."""
        if kind is Kind.PREDICTIONS:
            self.ledger.predictions += count
            self.ledger.refused += count
        else:
            self.ledger.labels += count
            self.ledger.refused_labels += count

    # -- predictions

    def take_predictions(self, rows: OutcomeRows, offset: int) -> None:
        """Rows of predictions whose `model` is the number of a definition; `offset` is the record's."""
        self.ledger.predictions += len(rows)
        places = self._newest_of_each(rows)
        self.ledger.duplicates += len(rows) - len(places)
        rows = rows.take(places)
        at, old, alive = self.waiting.find(rows.hash)
        of_prediction = alive & (old.state != EARLY)
        copy = of_prediction & (old.meta & INLINE == 0) & ~self._stands_before(rows, old)
        self.ledger.duplicates += int(copy.sum())
        refused = self.caps.refused(rows, ~copy, places, offset, again=self.registers is None)
        self.ledger.refused += int(refused.sum())
        comes = ~copy & ~refused
        early = comes & alive & ~of_prediction
        rare = comes & (of_prediction | self.waiting.beside(rows.hash))
        rare |= early & ((old.meta & RETRACTED != 0) | (old.time > rows.time_s + self.definitions.ttl_s[rows.model]))
        plain = comes & ~early & ~rare
        self._begin_to_wait(rows.take(plain), at[plain])
        self._meet_early(rows.take(early & ~rare), at[early & ~rare], old.take(early & ~rare))
        for row in np.flatnonzero(rare).tolist():
            known, place = self._take_out(int(rows.hash[row]))
            known.take_prediction(_prediction(self.definitions, rows, row, inline=False))
            self._put_back(known, *place)

    def _order(self, number: Ints, payload: Words) -> tuple[Words | Hashes, ...]:
        """What decides between copies of one time, the last first: it does not depend on which came first."""
        return self.definitions.rank[number], payload, self.definitions.id_rank[number]

    def _newest_of_each(self, rows: OutcomeRows) -> Ints:
        """Where the copies are that stand: of each id the last in order, of equal ones the first."""
        if not _has_equal(rows.hash):
            return np.arange(len(rows))
        first = -np.arange(len(rows))
        order = np.lexsort((first, *self._order(rows.model, rows.payload), rows.time_s, rows.hash))
        ordered = rows.hash[order]
        return np.sort(order[np.concatenate([ordered[1:] != ordered[:-1], [True]])])

    def _stands_before(self, rows: OutcomeRows, old: Rows) -> Flags:
        """Which of the copies take the place of those that are there."""
        newer, equal = rows.time_s > old.time, rows.time_s == old.time
        if not equal.any():
            return newer
        payload = np.where(self.definitions.is_regression[old.model], old.estimate, old.payload)
        mine, theirs = self._order(rows.model, rows.payload), self._order(old.model, payload)
        for a, b in zip(reversed(mine), reversed(theirs), strict=True):
            newer |= equal & (a > b)
            equal &= a == b
        return newer

    # -- predictions that are let in

    def _begin_to_wait(self, rows: OutcomeRows, at: Ints) -> None:
        if len(rows):
            self.ledger.waiting += len(rows)
            self._count_predictions(rows)
            self.waiting.hold(rows.hash, at, self._as_rows(rows))

    def _meet_early(self, rows: OutcomeRows, at: Ints, old: Rows) -> None:
        """Predictions for which exactly one label waits, that is no retraction and not too late."""
        if not len(rows):
            return
        self.waiting.release(rows.hash, old)
        self._count_predictions(rows)
        new = self._as_rows(rows)
        joined = old.time >= rows.time_s - self.early_s
        labelled = _labelled(new, old.time.astype(np.int64), old.value)
        self.ledger.waiting_labels -= len(rows)
        self.ledger.orphans += int((~joined).sum())
        self.ledger.joined += int(joined.sum())
        self.ledger.waiting += int((~joined).sum())
        new = Rows(*(np.where(joined, a, b) for a, b in zip(labelled, new, strict=True)))
        self._count_pairs(new.take(joined), 1)
        self.waiting.hold(rows.hash, at, new)

    def _as_rows(self, rows: OutcomeRows) -> Rows:
        regression = self.definitions.is_regression[rows.model]
        return prediction_rows(rows.time_s, rows.model, rows.payload, regression)

    # -- labels

    def take_labels(self, rows: OutcomeRows, offset: int) -> None:
        """Rows of labels; `model` is NO_MODEL, or the number of a definition if they bring their score."""
        self.ledger.labels += len(rows)
        self.caps.begin_labels(offset)
        if label_bits(rows.value)[1].any():
            self.waiting.table.want_numbers()
        if not _has_equal(rows.hash):
            self._take_labels(rows)
            return
        rows = self._few_of_each(self._in_order_of_time(rows))
        rank_from_end = rank_in_group(rows.hash[::-1])[::-1]
        for rank in range(int(rank_from_end.max(initial=-1)), -1, -1):
            self._take_labels(rows.take(rank_from_end == rank))

    def _in_order_of_time(self, rows: OutcomeRows) -> OutcomeRows:
        """By id, time and value, each label once: if any of the same ones brings a score, the last of those."""
        taken_back, scored = np.isnan(rows.value), rows.model != NO_MODEL
        value = np.where(taken_back, np.float32(0), rows.value)
        by_score = self._order(np.where(scored, rows.model, 0), rows.payload)
        order = np.lexsort((*by_score, scored, value, taken_back, rows.time_s, rows.hash))
        rows, taken_back, value = rows.take(order), taken_back[order], value[order]
        same = np.ones(len(rows), np.bool_)
        same[-1] = False
        for column in (rows.hash, rows.time_s, taken_back, value):
            same[:-1] &= column[1:] == column[:-1]
        self.ledger.duplicate_labels += int(same.sum())
        return rows.take(~same)

    def _few_of_each(self, rows: OutcomeRows) -> OutcomeRows:
        """Of the labels of an id that meet the same (they fit what is there, or are too early, or too late) the newest.

        The others change nothing but the ledger. Of those with a score the newest may be needed too.
        """
        if rank_in_group(rows.hash).max() < LABELS_KEPT:
            return rows
        _, old, alive = self.waiting.find(rows.hash)
        known, delay_s = alive & (old.state != EARLY), rows.time_s - old.time
        early, late = known & (delay_s < -self.early_s), known & (delay_s > self.definitions.ttl_s[old.model])
        meets = late.astype(np.int64) - early
        new = (rows.hash[1:] != rows.hash[:-1]) | (meets[1:] != meets[:-1])
        run = np.concatenate([[0], np.cumsum(new)])
        scored = rows.model != NO_MODEL
        kept = rank_in_group(run[::-1])[::-1] < LABELS_KEPT
        kept |= scored & (rank_in_group((2 * run + scored)[::-1])[::-1] == 0)
        taken_back = np.isnan(rows.value)
        in_force = known & ((old.state == LABELLED) | (old.meta & RETRACTED != 0))
        older = (rows.time_s < old.label_time) | (
            (rows.time_s == old.label_time) & ((old.meta & RETRACTED != 0) | (~taken_back & (rows.value <= old.value)))
        )
        fits = known & ~early & ~late
        orphan = ~kept & (early | (~fits & ~self.waiting.labels_are_alive(rows.time_s)))
        duplicate = ~kept & fits & in_force & older
        retracted = ~kept & fits & ~duplicate & taken_back
        self.ledger.orphans += int(orphan.sum())
        self.ledger.duplicate_labels += int(duplicate.sum())
        self.ledger.retracted += int(retracted.sum())
        self.ledger.revised += int((~kept & ~orphan & ~duplicate & ~retracted).sum())
        return rows.take(kept)

    def _take_labels(self, rows: OutcomeRows) -> None:
        """Rows of labels, each of another id."""
        at, old, alive = self.waiting.find(rows.hash)
        has_prediction = alive & (old.state != EARLY)
        delay_s = rows.time_s - old.time
        too_early = has_prediction & (delay_s < -self.early_s)
        too_late = has_prediction & (delay_s > self.definitions.ttl_s[old.model])
        taken_back, brings_score = np.isnan(rows.value), rows.model != NO_MODEL
        inline = has_prediction & (old.meta & INLINE != 0)
        refused = self.caps.kept_out(rows) & (~has_prediction | too_late | inline)
        self.ledger.refused_labels += int(refused.sum())
        too_early &= ~refused
        fits = has_prediction & ~too_early & ~too_late & ~refused
        beside = self.waiting.beside(rows.hash)
        rare = too_late | (alive & ~has_prediction) | (~has_prediction & beside)
        rare |= fits & (taken_back | (old.meta & RETRACTED != 0)) | (~alive & taken_back & brings_score)
        rare |= inline & brings_score & (rows.time_s >= old.time) & ~self._is_the_same(rows, old)
        rare &= ~refused
        self.ledger.orphans += int(too_early.sum())
        for chosen, act in (
            (fits & ~rare & (old.state == WAITING), self._join),
            (fits & ~rare & (old.state == LABELLED), self._revise),
            (~alive & ~rare & ~refused & ~brings_score, self._wait_for_prediction),
            (~alive & ~rare & ~refused & brings_score, self._stand_for_prediction),
        ):
            if chosen.any():
                act(rows.take(chosen), at[chosen], old.take(chosen))
        for row in np.flatnonzero(rare).tolist():
            own = _prediction(self.definitions, rows, row, inline=True) if brings_score[row] else None
            known, place = self._take_out(int(rows.hash[row]))
            known.take_label((int(rows.time_s[row]), float(rows.value[row])), own)
            self._put_back(known, *place)

    def _is_the_same(self, rows: OutcomeRows, old: Rows) -> Flags:
        """Which labels say again what a score in a label stands with."""
        payload = np.where(self.definitions.is_regression[old.model], old.estimate, old.payload)
        same: Flags = (rows.time_s == old.time) & (rows.time_s == old.label_time)
        same &= (rows.model == old.model) & (rows.payload == payload) & (rows.value == old.value)
        return same

    def _join(self, rows: OutcomeRows, at: Ints, old: Rows) -> None:
        self.ledger.joined += len(rows)
        self.ledger.waiting -= len(rows)
        self._relabel(rows, at, old)

    def _revise(self, rows: OutcomeRows, at: Ints, old: Rows) -> None:
        """The newest label is in force, in whatever order they come."""
        since_s = rows.time_s - old.label_time
        newer = (since_s > 0) | ((since_s == 0) & (rows.value > old.value))
        self.ledger.duplicate_labels += int((~newer).sum())
        self.ledger.revised += int(newer.sum())
        if newer.any():
            self._count_pairs(old.take(newer), -1)
            self._relabel(rows.take(newer), at[newer], old.take(newer))

    def _relabel(self, rows: OutcomeRows, at: Ints, old: Rows) -> None:
        self.waiting.release(rows.hash, old)
        new = _labelled(old, rows.time_s, rows.value)
        self._count_pairs(new, 1)
        self.waiting.hold(rows.hash, at, new)

    def _wait_for_prediction(self, rows: OutcomeRows, at: Ints, _: Rows) -> None:
        if self.caps.refuses_labels:
            self.ledger.refused_labels += len(rows)
            return
        self.ledger.waiting_labels += len(rows)
        self.waiting.hold(rows.hash, at, label_rows(rows.time_s, rows.value))

    def _stand_for_prediction(self, rows: OutcomeRows, at: Ints, _: Rows) -> None:
        self.ledger.inline += len(rows)
        self._count_predictions(rows)
        waits = self._as_rows(rows)
        new = _labelled(waits._replace(meta=waits.meta | INLINE), rows.time_s, rows.value)
        self._count_pairs(new, 1)
        self.waiting.hold(rows.hash, at, new)

    # -- one id

    def _take_out(self, key: int) -> tuple[OneId, tuple[Hashes, Ints]]:
        """Everything that is known of an id, out of all buckets, and where it goes back to."""
        keys = np.array([key], np.uint64)
        at, row, alive = self.waiting.find(keys)
        known = OneId(self.definitions, self.ledger, self.registers, self.early_s, self.caps.refuses_labels)
        known.waits = self.waiting.take_more(key)
        if alive[0]:
            self.waiting.release(keys, row)
            _load(known, row)
        return known, (keys, at)

    def _put_back(self, known: OneId, keys: Hashes, at: Ints) -> None:
        waits = [label for label in known.waits if self.waiting.label_is_alive(label[0])]
        gone = len(known.waits) - len(waits)
        self.ledger.orphans += gone
        self.ledger.waiting_labels -= gone
        if known.prediction is not None:
            self.waiting.hold(keys, at, self._row_of(known, known.prediction))
        elif waits:
            time_s, value = waits.pop(0)
            self.waiting.hold(keys, at, label_rows(np.array([time_s]), np.array([value], np.float32)))
        else:
            self.waiting.clear(at[at >= 0])
        self.waiting.keep_more(int(keys[0]), waits)

    def _row_of(self, known: OneId, p: Prediction) -> Rows:
        payload = p.estimate if self.definitions.is_regression[p.number] else p.payload
        number = np.array([p.number], np.int64)
        regression = self.definitions.is_regression[number]
        row = prediction_rows(np.array([p.time_s]), number, np.array([payload], np.uint32), regression)
        if p.inline:
            row = row._replace(meta=row.meta | INLINE)
        if known.label is None:
            return row
        return _labelled(row, np.array([known.label[0]], np.int64), np.array([known.label[1]], np.float32))

    # -- counting

    def _count_pairs(self, rows: Rows, sign: int) -> None:
        if self.registers is not None:
            self.registers.count_pairs(_pairs(rows), sign)

    def _count_predictions(self, rows: OutcomeRows) -> None:
        if self.registers is not None:
            self.registers.count_predictions(_pairs(self._as_rows(rows)), 1)


def _has_equal(keys: Hashes) -> bool:
    ordered = np.sort(keys)
    return bool((ordered[1:] == ordered[:-1]).any())


def _labelled(rows: Rows, time_s: Ints, value: Floats) -> Rows:
    """The rows with another label in force; a retraction leaves them waiting."""
    bits, rest = label_bits(value)
    state = np.where(bits & RETRACTED != 0, np.uint32(WAITING), np.uint32(LABELLED))
    kept = rows.meta & ~(STATE | POSITIVE | RETRACTED)
    return rows._replace(meta=kept | state | bits, label_time=time_s.astype(np.uint32), label=rest)


def _pairs(rows: Rows) -> Pairs:
    return Pairs(
        number=rows.model,
        time_s=rows.time.astype(np.int64),
        label_time_s=rows.label_time.astype(np.int64),
        payload=rows.payload,
        estimate=rows.estimate,
        value=rows.value,
    )


def _prediction(definitions: Definitions, rows: OutcomeRows, row: int, *, inline: bool) -> Prediction:
    number, payload = int(rows.model[row]), int(rows.payload[row])
    regression = bool(definitions.is_regression[number])
    return Prediction(int(rows.time_s[row]), number, 0 if regression else payload, payload if regression else 0, inline)


def _load(known: OneId, row: Rows) -> None:
    """Let an id know the row that the table has of it."""
    meta, time_s = int(row.meta[0]), int(row.time[0])
    value = float("nan") if meta & int(RETRACTED) else float(row.value[0])
    if meta & int(STATE) == EARLY:
        known.waits.append((time_s, value))
        return
    known.prediction = Prediction(
        time_s, int(row.model[0]), int(row.payload[0]), int(row.estimate[0]), bool(meta & int(INLINE))
    )
    if meta & int(STATE) == LABELLED or meta & int(RETRACTED):
        known.label = int(row.label_time[0]), value
