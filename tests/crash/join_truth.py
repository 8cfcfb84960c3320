"""What must become of every prediction with an id and of every label; no production code takes part.

Each id is settled by itself, from all that was ever said of it: the rules of the join do not depend on
the order in which its rows meet, and neither does this.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from tests.crash.models import SCORE_BINS, SCORES, Model
from tests.crash.scenario import COHORT_MS, EARLY_S, LABEL_PARTITIONS, PANE_MS, PARTITIONS, TTL_S
from tests.crash.truth import BrokenOne

Integers = npt.NDArray[np.int64]

RETRACTED: Final = 2  # for the value of a label
NO_SCORE: Final = -1
LABEL_BUCKET_S: Final = 60  # labels without a prediction are given up so coarsely
DELAY_EDGES_S: Final = sorted({round(2 ** (k / 4)) for k in range(128)})

NEGATIVES: Final = SCORE_BINS  # where it begins in a pane's counters
POSITIVES: Final = 2 * SCORE_BINS
DELAYS: Final = 3 * SCORE_BINS
PANE_WIDTH: Final = DELAYS + len(DELAY_EDGES_S) + 1


def id_text(id_: int) -> bytes:
    """An id as it is written: of digits only, or not."""
    return b"p-%d" % id_ if id_ % 3 else b"%d" % id_


class Said(NamedTuple):
    """One label."""

    time_s: int
    value: int  # 0, 1 or RETRACTED, which ranks last
    inline: tuple[int, int] | None = None  # model and index of the score that it brings


class Prediction(NamedTuple):
    """One prediction, or what a label says in place of it."""

    time_s: int
    model: int
    score: int  # index


class PairPane(NamedTuple):
    """A pane of pairs, as one outcomes partition counts it."""

    partition: int
    model: int
    cohort: bool
    start_ms: int


@dataclass
class LabelPartitionTruth:
    """Everything that was sent to one partition of labels."""

    next_offset: int = 0
    counted: list[int] = field(default_factory=list)  # offsets
    ignored: list[int] = field(default_factory=list)
    broken: list[BrokenOne] = field(default_factory=list)

    def ledger(self, before: int) -> Counter[str]:
        """What became of the labels below offset `before`; dead letters as `dead:reason`."""
        found = Counter(counted=bisect_left(self.counted, before), ignored=bisect_left(self.ignored, before))
        found.update(f"dead:{one.reason}" for one in self.broken[: bisect_left(self._dead_offsets, before)])
        found["received"] = found.total()
        return +found

    @cached_property
    def _dead_offsets(self) -> list[int]:
        return [one.offset for one in self.broken]


@dataclass
class Outcome:
    """What became of one id."""

    standing: Prediction | None = None
    label: Said | None = None  # in force; None: it waits, or has expired
    ledger: Counter[str] = field(default_factory=Counter)


@dataclass
class Settled:
    """What became of all ids."""

    ledgers: list[Counter[str]]  # by outcomes partition
    pairs: Integers  # shape (pairs, 6): partition, model, score, label, time_s, label_time_s
    standing: Integers  # shape (predictions, 4): partition, model, score, time_s

    @cached_property
    def panes(self) -> dict[PairPane, Integers]:
        """By arrival and by cohort, shape (PANE_WIDTH,) each."""
        partition, model, score, label, time_s, label_time_s = self.pairs.T
        delay = DELAYS + np.searchsorted(DELAY_EDGES_S, label_time_s - time_s, side="right")
        counters = np.stack([np.where(label == 1, POSITIVES, NEGATIVES) + score // 2, delay], axis=1)
        found: dict[PairPane, Integers] = {}
        arrival_ms = np.maximum(time_s, label_time_s) * 1_000
        _add(found, partition, model, False, arrival_ms // PANE_MS * PANE_MS, counters)
        _add(found, partition, model, True, time_s * 1_000 // COHORT_MS * COHORT_MS, counters)
        partition, model, score, time_s = self.standing.T
        _add(found, partition, model, True, time_s * 1_000 // COHORT_MS * COHORT_MS, score[:, None] // 2)
        return found

    def classes(self, model: int) -> tuple[int, Integers]:
        """Labels by arrival: start of the first pane, and the counts, shape (panes, scores, classes)."""
        mine = self.pairs[self.pairs[:, 1] == model]
        pane = np.maximum(mine[:, 4], mine[:, 5]) * 1_000 // PANE_MS
        first = int(pane.min())
        counts = np.zeros((int(pane.max()) - first + 1, len(SCORES), 2), np.int64)
        np.add.at(counts, (pane - first, mine[:, 2], mine[:, 3]), 1)
        return first * PANE_MS, counts


class JoinTruth:
    """All that was sent of predictions with ids and of labels."""

    def __init__(self, models: list[Model]) -> None:
        self.names = sorted({model.name for model in models})
        self.models = models
        self.partitions = [LabelPartitionTruth() for _ in range(LABEL_PARTITIONS)]
        self._predictions = [array("q") for _ in range(5)]  # id, name, time, model, score
        self._labels = [array("q") for _ in range(6)]  # id, name, time, value, inline model, inline score
        self._name_of = [self.names.index(model.name) for model in models]

    def add_prediction(self, id_: int, model: int, time_s: int, score: int) -> None:
        """One that has an id and a score."""
        for column, value in zip(self._predictions, (id_, self._name_of[model], time_s, model, score), strict=True):
            column.append(value)

    def add_label(
        self, partition: int, id_: int, name: int, time_s: int, value: int, inline: tuple[int, int] | None
    ) -> None:
        """One that can be joined; in log order of its partition."""
        self.partitions[partition].counted.append(self.partitions[partition].next_offset)
        row = (id_, name, time_s, value, *(inline or (NO_SCORE, NO_SCORE)))
        for column, item in zip(self._labels, row, strict=True):
            column.append(item)

    def ledger(self) -> Counter[str]:
        """Of all partitions of labels."""
        return sum((p.ledger(p.next_offset) for p in self.partitions), start=Counter())

    def flip(self) -> None:
        """Turn the class of one label of the middle of the run round: the negative control."""
        ids, _, _, values, *_ = self._labels
        said = Counter(ids)
        plain = [i for i in range(len(ids)) if said[ids[i]] == 1 and values[i] != RETRACTED and self._is_met(i)]
        at = plain[len(plain) // 2]
        values[at] = 1 - values[at]

    def _is_met(self, at: int) -> bool:
        key = self._labels[0][at], self._labels[1][at]
        return 0 <= self._labels[2][at] - self._times.get(key, 1 << 40) <= TTL_S

    @cached_property
    def _times(self) -> dict[tuple[int, int], int]:
        ids, names, times, *_ = self._predictions
        return dict(zip(zip(ids, names, strict=True), times, strict=True))

    def settled(self, watermark_ms: int) -> Settled:
        """What became of everything once both watermarks are there, the last that anybody hears of.

        About 4 us an id.
        """
        ledgers: list[Counter[str]] = [Counter() for _ in range(PARTITIONS)]
        pairs, standing = array("q"), array("q")
        seeds = [xxh3_64_intdigest(name.encode()) for name in self.names]
        watermark_s = watermark_ms // 1_000
        for (id_, name), predictions, labels in self._by_id():
            home = (xxh3_64_intdigest(id_text(id_), seeds[name]) >> 32) * PARTITIONS >> 32
            outcome = settle(predictions, labels, watermark_s)
            ledgers[home].update(outcome.ledger)
            if outcome.standing is not None:
                time_s, model, score = outcome.standing
                standing.extend((home, model, score, time_s))
                if outcome.label is not None:
                    pairs.extend((home, model, score, outcome.label.value, time_s, outcome.label.time_s))
        return Settled(
            ledgers, np.frombuffer(pairs, np.int64).reshape(-1, 6), np.frombuffer(standing, np.int64).reshape(-1, 4)
        )

    def _by_id(self) -> Iterator[tuple[tuple[int, int], list[Prediction], list[Said]]]:
        rows: list[tuple[int, int, Prediction | Said]] = [
            (id_, name, Prediction(*rest)) for id_, name, *rest in zip(*self._predictions, strict=True)
        ]
        rows += [
            (id_, name, Said(time_s, value, None if model == NO_SCORE else (model, score)))
            for id_, name, time_s, value, model, score in zip(*self._labels, strict=True)
        ]
        rows.sort(key=lambda row: row[:2])
        for key, group in groupby(rows, key=lambda row: row[:2]):
            said = [row[2] for row in group]
            yield key, [s for s in said if isinstance(s, Prediction)], [s for s in said if isinstance(s, Said)]


def settle(predictions: list[Prediction], labels: list[Said], watermark_s: int) -> Outcome:
    """What becomes of one id.

    >>> settle([Prediction(10, 0, 3)], [Said(12, 0), Said(14, 1)], 99).label
    Said(time_s=14, value=1, inline=None)
    >>> settle([Prediction(10, 0, 3)], [Said(12, 0), Said(14, RETRACTED)], 99).ledger["expired"]
    1
    """
    found = Outcome(ledger=Counter(predictions=len(predictions), labels=len(labels)))
    if predictions:
        found.standing = max(predictions, key=lambda p: p.time_s)
        found.ledger["duplicates"] = len(predictions) - 1
    elif inline := [label for label in labels if label.inline is not None]:
        found.standing = Prediction(inline[0].time_s, *(inline[0].inline or (0, 0)))
    in_force = None if found.standing is None else found.standing.time_s
    label = _in_force(found, labels, in_force, watermark_s)
    found.label = None if label is None or label.value == RETRACTED else label
    if predictions:
        expired = max(p.time_s for p in predictions) + TTL_S < watermark_s
        found.ledger["joined" if found.label else "expired" if expired else "waiting"] += 1
    elif found.label is not None:
        found.ledger["inline"] += 1
    return found


def _in_force(found: Outcome, labels: Iterable[Said], time_s: int | None, watermark_s: int) -> Said | None:
    """The label that counts; what became of the others goes into the ledger."""
    newest: Said | None = None
    for label in sorted(labels, key=lambda said: said[:2]):
        if time_s is not None and label.time_s < time_s - EARLY_S:
            found.ledger["orphans"] += 1
        elif time_s is None or label.time_s > time_s + TTL_S:
            given_up = label.time_s // LABEL_BUCKET_S < (watermark_s - EARLY_S) // LABEL_BUCKET_S
            found.ledger["orphans" if given_up else "waiting_labels"] += 1
        elif newest is not None and label[:2] == newest[:2]:
            found.ledger["duplicate_labels"] += 1
        else:
            found.ledger["revised"] += newest is not None and newest.value != RETRACTED
            found.ledger["retracted"] += label.value == RETRACTED
            newest = label
    return newest


def _add(
    found: dict[PairPane, Integers],
    partition: Integers,
    model: Integers,
    cohort: bool,
    start_ms: Integers,
    counters: Integers,
) -> None:
    keys, place = np.unique(np.stack([partition, model, start_ms], axis=1), axis=0, return_inverse=True)
    counts = np.zeros((len(keys), PANE_WIDTH), np.int64)
    np.add.at(counts, (place.reshape(-1, 1), counters), 1)
    for (p, m, start), row in zip(keys.tolist(), counts, strict=True):
        key = PairPane(p, m, cohort, start)
        found[key] = found[key] + row if key in found else row
