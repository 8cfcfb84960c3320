"""How alike the answers of one window are, learned from a model's own windows: no baseline knows it.

One slow database makes many answers slow together, so the number of answers over the SLA differs between healthy
windows by more than chance. Of each window the answers and those over the SLA are kept; at 24 of them their
overdispersion is learned, anew at 48, 96 and 168; then it stays, and the windows are dropped.

Promise: a function of the partials alone, as `live_evidence` is: windows that do not overlap, cut at whole multiples of
their length since 1970. What is learned holds from the window on that completed it.
Cost: two numbers a window.
Weak: a fault in these windows is taken for healthy wander. Fewer than 20 answers over the SLA, or within it, teach
nothing.
"""

from typing import Final

import msgspec
import numpy as np

from detectors.evidence_learning import LEAST_ROWS
from detectors.rates import rate_overdispersion
from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES, REGISTER

LATENCY: Final = -2  # in the key of its register, where that of a window of `live_evidence` has its start
FEWEST: Final = 20  # answers over the SLA, and within it, that teach something
_DIGITS: Final = 6  # so that another machine's arithmetic does not show


class _State(msgspec.Struct, frozen=True, array_like=True):
    """As it lies in its register."""

    windows: tuple[tuple[int, int, int], ...]  # start, answers, over the SLA; none once it is done
    learned_from: int  # windows; 0: nothing was learned yet
    overdispersion: float | None  # None: not known


class LiveLatency:
    """Of one definition and segment, for windows of one length."""

    def __init__(self, window_ms: int) -> None:
        self.window_ms: Final = window_ms
        self._windows: dict[int, tuple[int, int]] = {}  # by start
        self._learned_from = 0
        self.overdispersion: float | None = None  # rho of `detectors.rates`; None: not known
        self._next_offset = 0
        self._changed = False

    @property
    def done(self) -> bool:
        """Whether it stays as it is."""
        return self._learned_from >= MILESTONES[-1]

    def is_due(self, end_ms: int) -> bool:
        """Whether a window that is to be kept ends here."""
        return not self.done and end_ms % self.window_ms == 0

    def take(self, start_ms: int, answers: int, over: int, next_offset: int) -> bool:
        """Keep a window, and learn if it is time to; whether it was.

        Args:
            start_ms: a whole multiple of the window's length.
            answers: with a usable latency.
            over: of them, over the SLA.
            next_offset: of the partials partition, after the record that completed the window.
        """
        if self.done or start_ms in self._windows or answers < LEAST_ROWS:
            return False
        self._windows[start_ms] = answers, over
        self._next_offset, self._changed = next_offset, True
        if len(self._windows) not in MILESTONES:
            return False
        self._learn()
        return True

    def _learn(self) -> None:
        answers, over = np.array([self._windows[start] for start in sorted(self._windows)], np.int64).T
        self._learned_from = len(self._windows)
        known = min(int(over.sum()), int((answers - over).sum())) >= FEWEST
        self.overdispersion = round(rate_overdispersion(over, answers), _DIGITS) if known else None
        if self.done:
            self._windows = {}

    # -- what is durable

    def registers(self, prefix: tuple[str, str], *, only_changed: bool) -> list[Register]:
        """The one that holds all of it; `prefix`: definition and segment."""
        wanted = self._changed if only_changed else bool(self._windows or self._learned_from)
        self._changed = False
        if not wanted:
            return []
        windows = tuple((start, *self._windows[start]) for start in sorted(self._windows))
        state = _State(windows, self._learned_from, self.overdispersion)
        key = msgspec.msgpack.encode((REGISTER, *prefix, self.window_ms, LATENCY))
        return [Register(key, self._next_offset, msgspec.msgpack.encode(state))]

    def restore(self, _at: int, register: Register) -> None:
        """Become what the register says; there is but one."""
        state = msgspec.msgpack.decode(register.value, type=_State)
        self._windows = {start: (answers, over) for start, answers, over in state.windows}
        self._learned_from, self.overdispersion = state.learned_from, state.overdispersion
        self._next_offset = register.next_offset
