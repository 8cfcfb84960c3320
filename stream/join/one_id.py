"""Everything that is known of one id, and what one more row of it means: the rules in full, one at a time.

`Matcher` takes the common cases a record at a time; what is rare comes here (a retraction, several
labels that wait, a label out of time, a copy of a prediction with a later time). Both must agree.
Cost: about 20 us a row, whatever else is known of the id: at most 8 labels of it wait.
"""

from dataclasses import dataclass, field
from math import isnan

import numpy as np

from stream.join.definitions import Definitions
from stream.join.ledger import Ledger
from stream.join.registers import Pairs, Registers
from stream.join.waiting import LABELS_KEPT

Label = tuple[int, float]  # time in seconds, value; NaN: takes back what was said before


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer that waits for its label, or has it."""

    time_s: int
    number: int  # of its definition
    payload: int
    estimate: int  # of a regression: the bits of a float32
    inline: bool  # a label's own score stands for it


@dataclass(slots=True)
class OneId:
    """The state of one id: the newest prediction, the label in force, and the labels that wait."""

    definitions: Definitions
    ledger: Ledger
    registers: Registers | None  # None: nothing is counted
    early_s: int
    refuses: bool = False  # no more labels may wait
    prediction: Prediction | None = None
    label: Label | None = None  # the newest within the prediction's window; a retraction leaves it waiting
    waits: list[Label] = field(default_factory=list)  # for a prediction that may come

    # -- a row comes

    def take_prediction(self, new: Prediction) -> None:
        """The newest copy stands, so that it does not matter which of them a reader has seen."""
        old = self.prediction
        if old is not None and not old.inline:
            self.ledger.duplicates += 1
            if prediction_rank(self.definitions, new) <= prediction_rank(self.definitions, old):
                return
        self._put_in(new, [])

    def take_label(self, label: Label, own: Prediction | None) -> None:
        """A label, with the score that it may bring; `labels` has been counted."""
        if own is not None and self._has_room_for(own, label):
            self.ledger.waiting_labels += 1
            self._put_in(own, [label])
        else:
            self._meet(label, waited=False)

    def _put_in(self, new: Prediction, labels: list[Label]) -> None:
        """Let another prediction stand: all labels, also those that were there, meet it anew."""
        candidates = sorted([*self.waits, *self._withdraw(), *labels], key=rank)
        self.prediction, self.waits = new, []
        self._count_prediction(new, 1)
        if not new.inline:
            self.ledger.waiting += 1
        for label in candidates:
            self._meet(label)

    def _has_room_for(self, own: Prediction, label: Label) -> bool:
        """Whether the score that a label brings is to stand: the newest does, unless a prediction has come.

        One that is beyond the time to live of what is there finds that over, whether it has been forgotten or not.
        """
        held = self.prediction
        if held is None:
            return True
        if label[0] - held.time_s > int(self.definitions.ttl_s[held.number]):
            self._end(held)
            return True
        if not held.inline or own.time_s < held.time_s:
            return False
        if own.time_s == held.time_s and self.label is not None and self.label[0] == own.time_s:
            ranks = rank(label), rank(self.label)
            if ranks[0] != ranks[1]:
                return ranks[0] > ranks[1]
        return prediction_rank(self.definitions, own) > prediction_rank(self.definitions, held)

    def _end(self, held: Prediction) -> None:
        """What is there is over; what it counted stays counted."""
        if not held.inline and (self.label is None or isnan(self.label[1])):
            self.ledger.expired += 1
            self.ledger.waiting -= 1
        self.prediction, self.label = None, None

    # -- what follows

    def _meet(self, label: Label, *, waited: bool = True) -> None:
        """Let a label find its prediction, or wait, or go; if it `waited` it was counted so."""
        if waited:
            self.ledger.waiting_labels -= 1
        if self.prediction is None:
            self._wait(label, waited=waited)
            return
        delay_s = label[0] - self.prediction.time_s
        if delay_s < -self.early_s:
            self.ledger.orphans += 1
        elif delay_s > int(self.definitions.ttl_s[self.prediction.number]):
            self._wait(label, waited=waited)  # as if the prediction were absent
        else:
            self._offer(self.prediction, label)

    def _wait(self, label: Label, *, waited: bool) -> None:
        if any(rank(label) == rank(held) for held in self.waits):
            self.ledger.duplicate_labels += 1
            return
        if self.refuses and not waited:
            self.ledger.refused_labels += 1
            return
        self.waits = sorted([*self.waits, label], key=rank)
        self.ledger.waiting_labels += 1
        if len(self.waits) > LABELS_KEPT:
            del self.waits[0]
            self.ledger.waiting_labels -= 1
            self.ledger.revised += 1

    def _offer(self, prediction: Prediction, label: Label) -> None:
        """The newest label is in force, in whatever order they come."""
        old, taken_back = self.label, isnan(label[1])
        if old is None or isnan(old[1]):
            if old is not None and rank(label) <= rank(old):
                self.ledger.duplicate_labels += 1
                return
            self.label = label
            if taken_back:
                self.ledger.retracted += 1
            else:
                self._count_joined(prediction, 1)
                self._count_pair(prediction, label, 1)
            return
        if rank(label) <= rank(old):
            self.ledger.duplicate_labels += 1
            return
        self._count_pair(prediction, old, -1)
        self._count_joined(prediction, -1)
        self.ledger.revised += 1
        self.label = label
        if taken_back:
            self.ledger.retracted += 1
        else:
            self._count_joined(prediction, 1)
            self._count_pair(prediction, label, 1)

    def _withdraw(self) -> list[Label]:
        """Take the prediction out as if it had not come; its label waits again."""
        old, label = self.prediction, self.label
        self.prediction, self.label = None, None
        if old is None:
            return []
        self._count_prediction(old, -1)
        if label is None or isnan(label[1]):
            self.ledger.retracted -= label is not None
        else:
            self._count_pair(old, label, -1)
            self._count_joined(old, -1)
        if not old.inline:
            self.ledger.waiting -= 1
        self.ledger.waiting_labels += label is not None
        return [label] if label is not None else []

    # -- counting

    def _count_joined(self, prediction: Prediction, sign: int) -> None:
        if prediction.inline:
            self.ledger.inline += sign
        else:
            self.ledger.joined += sign
            self.ledger.waiting -= sign

    def _count_pair(self, prediction: Prediction, label: Label, sign: int) -> None:
        if self.registers is not None:
            self.registers.count_pairs(_pair(prediction, label), sign)

    def _count_prediction(self, prediction: Prediction, sign: int) -> None:
        if self.registers is not None:
            self.registers.count_predictions(_pair(prediction, (prediction.time_s, 0.0)), sign)


def rank(label: Label) -> tuple[int, bool, float]:
    """Order of labels: by time, then by value, a retraction last.

    >>> sorted([(5, 1.0), (5, float("nan")), (4, 1.0), (5, 0.0)], key=rank)
    [(4, 1.0), (5, 0.0), (5, 1.0), (5, nan)]
    """
    time_s, value = label
    return time_s, isnan(value), 0.0 if isnan(value) else value


def prediction_rank(definitions: Definitions, p: Prediction) -> tuple[int, int, int, int]:
    """Order of copies of a prediction: by time, then by what is counted how, then by score. The last one stands."""
    return p.time_s, int(definitions.id_rank[p.number]), p.payload | p.estimate, int(definitions.rank[p.number])


def _pair(prediction: Prediction, label: Label) -> Pairs:
    return Pairs(
        number=np.array([prediction.number], np.int64),
        time_s=np.array([prediction.time_s], np.int64),
        label_time_s=np.array([label[0]], np.int64),
        payload=np.array([prediction.payload], np.int64),
        estimate=np.array([prediction.estimate], np.uint32),
        value=np.array([label[1]], np.float32),
    )
