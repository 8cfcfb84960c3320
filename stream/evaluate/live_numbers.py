"""Numbers of a model's first windows, and what is learned of them: at 24 windows, anew at 48, 96 and 168.

Then it stays, and the windows are dropped. Of which numbers, and what they teach, say `live_latency` and `live_rows`.

Promise: a function of the partials alone, as `live_evidence` is: windows that do not overlap, cut at whole multiples of
their length since 1970. What is learned holds from the window on that completed it. Once something was learned, a
window in breach of it teaches nothing, and counts for no milestone.
Cost: two numbers a window.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

import msgspec

from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES, REGISTER


class _State(msgspec.Struct, frozen=True, array_like=True):
    """As it lies in its register."""

    windows: tuple[tuple[int, ...], ...]  # start, then its numbers; none once it is done
    learned_from: int  # windows; 0: nothing was learned yet
    learned: Any


class LiveNumbers(ABC):
    """Of one definition and segment, for windows of one length."""

    AT: ClassVar[int]  # in the key of its register, where that of a window of `live_evidence` has its start
    NUMBERS: ClassVar[int]  # of each window

    def __init__(self, window_ms: int) -> None:
        self.window_ms: Final = window_ms
        self._windows: dict[int, tuple[int, ...]] = {}  # by start
        self._learned_from = 0
        self._next_offset = 0  # 0: nothing was kept yet
        self._changed = False

    @property
    def done(self) -> bool:
        """Whether it stays as it is."""
        return self._learned_from >= MILESTONES[-1]

    def is_due(self, end_ms: int) -> bool:
        """Whether a window that is to be kept ends here."""
        return not self.done and end_ms % self.window_ms == 0

    @property
    def has_learned(self) -> bool:
        """Whether the first milestone is behind it: from then on a window in breach is not kept."""
        return self._learned_from > 0

    def _keep(self, start_ms: int, numbers: tuple[int, ...], next_offset: int, *, in_breach: bool) -> bool:
        """Keep a window, and learn if it is time to; whether it was."""
        if self.done or start_ms in self._windows or (in_breach and self.has_learned):
            return False
        self._windows[start_ms] = numbers
        self._note(next_offset)
        if len(self._windows) not in MILESTONES:
            return False
        self._learned_from = len(self._windows)
        self._learn(sorted(self._windows.items()))
        if self._learned_from == MILESTONES[-1]:
            self._windows = {}
        return True

    def _note(self, next_offset: int) -> None:
        """Something has changed by the record before this offset of the partials partition."""
        self._next_offset, self._changed = next_offset, True

    @abstractmethod
    def _learn(self, windows: list[tuple[int, tuple[int, ...]]]) -> None:
        """Learn of the windows' numbers, which come with their starts and in their order."""

    @abstractmethod
    def _learned(self) -> Any:
        """What is kept besides the windows, as it lies in the register."""

    @abstractmethod
    def _relearn(self, learned: Any) -> None:
        """Take that back."""

    # -- what is durable

    def registers(self, prefix: tuple[str, str], *, only_changed: bool) -> list[Register]:
        """The one that holds all of it; `prefix`: definition and segment."""
        wanted = self._changed if only_changed else self._next_offset > 0
        self._changed = False
        if not wanted:
            return []
        windows = tuple((start, *numbers) for start, numbers in sorted(self._windows.items()))
        state = _State(windows, self._learned_from, self._learned())
        key = msgspec.msgpack.encode((REGISTER, *prefix, self.window_ms, self.AT))
        return [Register(key, self._next_offset, msgspec.msgpack.encode(state))]

    def restore(self, _at: int, register: Register) -> None:
        """Become what the register says; there is but one. Windows with other numbers, of before, are dropped."""
        state = msgspec.msgpack.decode(register.value, type=_State)
        self._windows = {window[0]: window[1:] for window in state.windows if len(window) == 1 + self.NUMBERS}
        self._learned_from, self._next_offset = state.learned_from, register.next_offset
        self._relearn(state.learned)
