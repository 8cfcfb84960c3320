"""What the caps refuse: predictions and scored labels of a model of which enough is held, and labels that came first.

A prediction is refused at its row. What labels bring is bounded from the next record on: so one record
of labels may come on top of a cap.
"""

import numpy as np

from stream.join.definitions import Definitions, group_name
from stream.join.gate import LABELS_A_PREDICTION, LEAST_LABELS, OF_LABELS, OPENS_AT, Gates
from stream.join.grouping import groups
from stream.join.ledger import Ledger
from stream.join.table import Flags, Ints
from stream.join.waiting import Waiting
from stream.records.outcome import NO_MODEL, OutcomeRows


class Caps:
    """The gates, and when to close and to open them."""

    def __init__(self, definitions: Definitions, waiting: Waiting, ledger: Ledger) -> None:
        self.gates = Gates()
        self.ledger = ledger
        self.refuses_labels = False  # that would wait, in this record
        self._definitions = definitions
        self._waiting = waiting
        self._offset = 0  # of this record
        self._brought: set[str] = set()  # by labels in this record: scores of these

    def refused(self, rows: OutcomeRows, comes: Flags, places: Ints, offset: int, *, again: bool) -> Flags:
        """What a closed gate, or one that must close now, keeps out; `again`: the record is read back."""
        refused = np.zeros(len(rows), np.bool_)
        for _, mine in groups(self._definitions.group[rows.model]):
            name = self._name(rows.model[mine])
            from_row = self.gates.refuses_from(name, offset)
            if from_row is None and not again:
                most, held = self._cap(name)
                wanting = places[mine][comes[mine]]
                if len(wanting) > most - held:
                    from_row = int(np.sort(wanting)[max(most - held, 0)])
                    self.gates.close(name, offset, from_row)
            if from_row is not None:
                refused[mine] = comes[mine] & (places[mine] >= from_row)
        return refused

    def begin_labels(self, offset: int) -> None:
        """A record of labels comes."""
        self._offset = offset
        self.refuses_labels = self.gates.refuses_from(OF_LABELS, offset) is not None

    def kept_out(self, rows: OutcomeRows) -> Flags:
        """Which labels bring a score of a model of which no more may be held."""
        kept_out = np.zeros(len(rows), np.bool_)
        scored = np.flatnonzero(rows.model != NO_MODEL)
        for _, mine in groups(self._definitions.group[rows.model[scored]]):
            name = self._name(rows.model[scored[mine]])
            self._brought.add(name)
            kept_out[scored[mine]] = self.gates.refuses_from(name, self._offset) is not None
        return kept_out

    def set_gates(self, next_offset: int) -> None:
        """After a record: close where labels brought too much, and let in again where enough have gone."""
        closed = self.gates.all_closed()
        for name in sorted({OF_LABELS, *self._brought} - set(closed)):
            most, held = self._cap(name)
            if held > most:
                self.gates.close(name, next_offset, 0)
        for name in closed:
            most, held = self._cap(name)
            if held <= max(0, most - max(1, most // OPENS_AT)):
                self.gates.open(name, next_offset)
        self._brought.clear()

    def _cap(self, name: str) -> tuple[int, int]:
        """How many a gate lets in (the most that any definition says), and how many are held."""
        if name == OF_LABELS:
            largest = int(self._definitions.max_waiting[self._definitions.group >= 0].max(initial=0))
            return max(LEAST_LABELS, LABELS_A_PREDICTION * largest), self.ledger.waiting_labels
        numbers = self._definitions.of_group(name)
        return int(self._definitions.max_waiting[numbers].max(initial=0)), int(self._waiting.held[numbers].sum())

    def _name(self, numbers: Ints) -> str:
        return group_name(self._definitions.known[int(numbers[0])])
