"""How many rows are usual, learned from a model's own windows: for a baseline without times.

Of each whole window the rows are kept, the empty ones too; at 24 of them it is learned how many are usual, anew at 48,
96 and 168; then it stays, and the windows are dropped. A silence of every partition that was no alarm is kept as well:
where it has happened once it is no news the next time.

Promise: a function of the partials alone, as `live_evidence` is: windows that do not overlap, cut at whole multiples of
their length since 1970. What is learned holds from the window on that completed it.
Cost: two numbers a window.
Weak: a model that answers less from its first day on is taken for a healthy one. In a replay nobody is silent: that
rows come in bursts is seen when they are live.
"""

from typing import Final

import msgspec
import numpy as np

from stream.baselines.evidence import RowsEvidence
from stream.baselines.rates import rows_law
from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES, REGISTER

ROWS: Final = -3  # in the key of its register, where that of a window of `live_evidence` has its start
MOST_EMPTY: Final = 10_000  # windows that are taken for empty between two with rows; of a longer stop no more counts


class _State(msgspec.Struct, frozen=True, array_like=True):
    """As it lies in its register."""

    windows: tuple[tuple[int, int], ...]  # start, rows; none once it is done
    silent_ms: int  # the longest silence of every partition that was heard of
    learned: RowsEvidence | None


class LiveRows:
    """Of one definition, for windows of one length."""

    def __init__(self, window_ms: int) -> None:
        self.window_ms: Final = window_ms
        self.usual: RowsEvidence | None = None  # None: not known yet
        self._windows: dict[int, int] = {}  # rows by start
        self._silent_ms = 0
        self._next_offset = 0
        self._changed = False

    @property
    def done(self) -> bool:
        """Whether it stays as it is."""
        return self.usual is not None and not self._windows

    def is_due(self, end_ms: int) -> bool:
        """Whether a window that is to be kept ends here."""
        return not self.done and end_ms % self.window_ms == 0

    def take(self, start_ms: int, rows: int, next_offset: int) -> bool:
        """Keep a window, and learn if it is time to; whether it was.

        Args:
            start_ms: a whole multiple of the window's length.
            rows: of the window, 0 too.
            next_offset: of the partials partition, after the record that completed the window.
        """
        if self.done or start_ms in self._windows:
            return False
        self._windows[start_ms] = rows
        self._next_offset, self._changed = next_offset, True
        if len(self._windows) not in MILESTONES:
            return False
        self._learn()
        return True

    def fell_silent(self, silent_ms: int, next_offset: int) -> bool:
        """Keep that every partition was silent for so long, and nobody's fault; whether something was learned."""
        if silent_ms <= self._silent_ms:
            return False
        self._silent_ms = silent_ms
        self._next_offset, self._changed = next_offset, True
        if self.usual is not None:
            self.usual = msgspec.structs.replace(self.usual, longest_silence_ms=self._longest_ms(self.usual))
        return self.usual is not None

    def _longest_ms(self, usual: RowsEvidence) -> int:
        return max(self._silent_ms, usual.longest_silence_ms)

    def _learn(self) -> None:
        starts = sorted(self._windows)
        gaps = np.diff(starts, prepend=starts[0] - self.window_ms) // self.window_ms - 1  # evaluate leaps over a stop
        empty = min(int(gaps.sum()), MOST_EMPTY)
        rows = np.array([self._windows[start] for start in starts] + [0] * empty, np.int64)
        self.usual = rows_law(rows, longest_silence_ms=max(self._silent_ms, int(gaps.max()) * self.window_ms))
        if len(starts) >= MILESTONES[-1]:
            self._windows = {}

    # -- what is durable

    def registers(self, prefix: tuple[str, str], *, only_changed: bool) -> list[Register]:
        """The one that holds all of it; `prefix`: definition and segment."""
        wanted = self._changed if only_changed else bool(self._windows or self.usual or self._silent_ms)
        self._changed = False
        if not wanted:
            return []
        windows = tuple(sorted(self._windows.items()))
        key = msgspec.msgpack.encode((REGISTER, *prefix, self.window_ms, ROWS))
        return [Register(key, self._next_offset, msgspec.msgpack.encode(_State(windows, self._silent_ms, self.usual)))]

    def restore(self, _at: int, register: Register) -> None:
        """Become what the register says; there is but one."""
        state = msgspec.msgpack.decode(register.value, type=_State)
        self._windows, self._silent_ms, self.usual = dict(state.windows), state.silent_ms, state.learned
        self._next_offset = register.next_offset
