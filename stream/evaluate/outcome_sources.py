"""The outcomes partitions as evaluate hears them: how far each join has come.

The watermark of performance is the minimum over all of them, and one that has not been heard of
is waited for. A join decides idleness by itself, so none is idle here.
"""

import msgspec

from stream.records.partial import NO_TIME
from stream.records.performance import PerformancePartial


class OutcomeSourceState(msgspec.Struct, array_like=True):
    """What one outcomes partition last said, whole, and how much of what it says next."""

    next_offset: int = 0
    watermark_ms: int = NO_TIME
    begun: int = 0  # the offset of what is being said
    chunks: int = 0  # how many messages of that have come
    forgiven: bool = False  # records of the partials were lost: whatever comes next is taken


class OutcomeSources:
    """All outcomes partitions, as one partials partition hears them."""

    def __init__(self, heard: dict[str, OutcomeSourceState] | None = None, expected: int = 0) -> None:
        self.heard = heard if heard is not None else {}
        self.expected = expected

    def is_news(self, partial: PerformancePartial) -> bool:
        """Whether this is what the join says next.

        What it says at an offset is a function of the outcomes before it: so what was heard before is a zombie's
        word, or a replay, with nothing new in it. And what follows something unheard comes again: its sender could
        not make it durable.
        """
        state = self.heard.get(partial.source)
        if state is None:
            return partial.chunk == 0
        if partial.next_offset <= state.next_offset:
            return False
        if state.forgiven:
            return partial.chunk == 0
        chunks = state.chunks if state.begun == partial.next_offset else 0
        return partial.chunk == chunks and partial.after <= state.next_offset

    def hear(self, partial: PerformancePartial) -> None:
        """Note news: how far a join has come, once all that it says at this offset has been heard."""
        self.expected = max(self.expected, partial.sources)
        state = self.heard.setdefault(partial.source, OutcomeSourceState())
        state.begun, state.chunks, state.forgiven = partial.next_offset, partial.chunk + 1, False
        if partial.last:
            state.next_offset = partial.next_offset
            state.watermark_ms = max(state.watermark_ms, partial.watermark_ms)

    def forgive(self) -> None:
        """Records of the partials are lost: take what each join says next."""
        for state in self.heard.values():
            state.forgiven = True

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
