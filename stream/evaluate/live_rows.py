"""How many rows are usual, learned from a model's own windows: for a baseline without times.

Of each whole window the rows are kept, and how many windows without rows lay before it, which evaluate leaps over;
what is learned of them, when, and what is promised: `live_numbers`. A silence of every partition that was no alarm is
kept as well: where it has happened once it is no news the next time.

Weak: a model that answers less from its first day on is taken for a healthy one. In a replay nobody is silent: that
rows come in bursts is seen when they are live.
"""

from typing import Any, ClassVar, Final

import msgspec
import numpy as np

from stream.baselines.evidence import RowsEvidence
from stream.baselines.rates import rows_law
from stream.evaluate.live_numbers import LiveNumbers

MOST_EMPTY: Final = 10_000  # windows that are taken for empty between two with rows; of a longer stop no more counts


class LiveRows(LiveNumbers):
    """Of one definition, for windows of one length."""

    AT: ClassVar = -3
    NUMBERS: ClassVar = 2

    def __init__(self, window_ms: int) -> None:
        super().__init__(window_ms)
        self.usual: RowsEvidence | None = None  # None: not known yet
        self._silent_ms = 0  # the longest silence of every partition that was heard of

    def take(
        self, start_ms: int, rows: int, next_offset: int, *, in_breach: bool = False, none_in_breach: bool = False
    ) -> bool:
        """Keep a window, and learn if it is time to; whether it was.

        Args:
            start_ms: a whole multiple of the window's length.
            rows: of the window, 0 too.
            next_offset: of the partials partition, after the record that completed the window.
            in_breach: whether these were too few when the window was judged first.
            none_in_breach: whether no row at all would have been: then all windows between the last one that was kept
                and this one were an outage, and none of them was usual.
        """
        before_ms = max(self._windows, default=start_ms - self.window_ms)
        outage = none_in_breach and self.has_learned
        empty = 0 if outage else (start_ms - before_ms) // self.window_ms - 1
        return self._keep(start_ms, (rows, empty), next_offset, in_breach=in_breach)

    def fell_silent(self, silent_ms: int, next_offset: int) -> bool:
        """Keep that every partition was silent for so long, and nobody's fault; whether something was learned."""
        if silent_ms <= self._silent_ms:
            return False
        self._silent_ms = silent_ms
        self._note(next_offset)
        if self.usual is None:
            return False
        longest_ms = max(silent_ms, self.usual.longest_silence_ms)
        self.usual = msgspec.structs.replace(self.usual, longest_silence_ms=longest_ms)
        return True

    def _learn(self, windows: list[tuple[int, tuple[int, ...]]]) -> None:
        rows, empty = np.array([numbers for _, numbers in windows], np.int64).T
        every = np.append(rows, np.zeros(min(int(empty.sum()), MOST_EMPTY), np.int64))
        self.usual = rows_law(every, longest_silence_ms=max(self._silent_ms, int(empty.max()) * self.window_ms))

    def _learned(self) -> tuple[int, RowsEvidence | None]:
        return self._silent_ms, self.usual

    def _relearn(self, learned: Any) -> None:
        self._silent_ms, self.usual = msgspec.convert(learned, tuple[int, RowsEvidence | None])
