"""The sources of the partials: how far each has come, and whom evaluate waits for.

Evaluate's watermark is the minimum over the sources that are not idle, and it waits for a
source that it has not heard of: a dead owner is not a silent topic. Only when every source is
idle does the newest of them decide.
"""

import msgspec

from stream.records.partial import NO_TIME, Partial


class SourceState(msgspec.Struct, array_like=True):
    """What one source last said."""

    incarnation: int
    next_offset: int
    newest_event_ms: int
    idle: bool
    lost: int


class Sources:
    """All sources of one partials partition."""

    def __init__(self, heard: dict[str, SourceState] | None = None, expected: int = 0) -> None:
        self.heard = heard if heard is not None else {}
        self.expected = expected

    def hear(self, partial: Partial) -> bool:
        """Note what a source says of itself; False if it speaks of an incarnation that is over."""
        self.expected = max(self.expected, partial.sources)
        state = self.heard.get(partial.source)
        if state is None or partial.incarnation > state.incarnation:
            self.heard[partial.source] = SourceState(
                partial.incarnation, partial.next_offset, partial.newest_event_ms, partial.idle, partial.lost
            )
            return True
        if partial.incarnation < state.incarnation:
            return False
        state.newest_event_ms = max(state.newest_event_ms, partial.newest_event_ms)
        state.lost = max(state.lost, partial.lost)
        # Less is a zombie's word: it is behind, or has not noticed that there is nothing more to read.
        if (partial.next_offset, partial.idle) >= (state.next_offset, state.idle):
            state.next_offset, state.idle = partial.next_offset, partial.idle
        return True

    @property
    def all_idle(self) -> bool:
        """Whether every source has been read to its end and is silent."""
        return 0 < self.expected <= len(self.heard) and all(state.idle for state in self.heard.values())

    def newest_event_ms(self, source: str) -> int:
        """How far one source has come; NO_TIME if it has had no event, or was not heard of."""
        state = self.heard.get(source)
        return NO_TIME if state is None else state.newest_event_ms

    def newly_lost(self, partial: Partial) -> int:
        """How many records its source has lost to retention beyond those known of."""
        state = self.heard.get(partial.source)
        known = state.lost if state is not None and state.incarnation == partial.incarnation else 0
        return max(partial.lost - known, 0)

    def is_newest_word(self, partial: Partial) -> bool:
        """Whether a partial just heard is whole, and what its source has said last; a replay repeats older ones."""
        whole = partial.newest_event_ms != NO_TIME or not partial.panes
        state = self.heard[partial.source]
        return whole and (partial.next_offset, partial.idle) >= (state.next_offset, state.idle)

    def newest_ms(self) -> int:
        """Event time that every source has reached; the watermark is this less the allowed lateness."""
        if len(self.heard) < self.expected:
            return NO_TIME
        speaking = [s.newest_event_ms for s in self.heard.values() if not s.idle]
        if speaking:
            return min(speaking)
        return max((s.newest_event_ms for s in self.heard.values()), default=NO_TIME)

    def waiting_for(self) -> list[str]:
        """The sources that hold the watermark back because they have said nothing of any event yet."""
        silent = [name for name, s in self.heard.items() if not s.idle and s.newest_event_ms == NO_TIME]
        unheard = self.expected - len(self.heard)
        return sorted(silent) + ([f"{unheard} sources not heard of"] if unheard > 0 else [])
