"""The outcomes partitions as evaluate hears them: how far each join has come.

The watermark of performance is the minimum over all of them, and one that has not been heard of
is waited for. A join decides idleness by itself, so none is idle here.
"""

import msgspec

from stream.records.partial import NO_TIME
from stream.records.performance import PerformancePartial


class OutcomeSourceState(msgspec.Struct, array_like=True):
    """What one outcomes partition last said, whole."""

    next_offset: int
    watermark_ms: int


class OutcomeSources:
    """All outcomes partitions, as one partials partition hears them."""

    def __init__(self, heard: dict[str, OutcomeSourceState] | None = None, expected: int = 0) -> None:
        self.heard = heard if heard is not None else {}
        self.expected = expected

    def is_repeat(self, partial: PerformancePartial) -> bool:
        """Whether all that was said at this offset has been heard: a zombie's word, or a replay.

        What a join says at an offset is a function of the outcomes before it, so nothing in it is new.
        """
        state = self.heard.get(partial.source)
        return state is not None and partial.next_offset <= state.next_offset

    def hear(self, partial: PerformancePartial) -> None:
        """Note how far a join has come, once all that it says at this offset has been heard."""
        self.expected = max(self.expected, partial.sources)
        if not partial.last:
            return
        state = self.heard.get(partial.source)
        watermark_ms = partial.watermark_ms if state is None else max(state.watermark_ms, partial.watermark_ms)
        self.heard[partial.source] = OutcomeSourceState(partial.next_offset, watermark_ms)

    def watermark_ms(self) -> int:
        """Event time that every join has passed; NO_TIME until all have been heard."""
        if not self.heard or len(self.heard) < self.expected:
            return NO_TIME
        return min(state.watermark_ms for state in self.heard.values())

    def waiting_for(self) -> list[str]:
        """The joins that hold the watermark back because they have no time yet."""
        silent = sorted(name for name, state in self.heard.items() if state.watermark_ms == NO_TIME)
        unheard = self.expected - len(self.heard)
        return silent + ([f"{unheard} outcomes partitions not heard of"] if unheard > 0 else [])
