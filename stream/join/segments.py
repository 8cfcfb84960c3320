"""The places in the log of outcomes where reading back may begin, with what was known there.

Where they lie is a function of the log alone: else a number would be given again at another offset after a crash.
"""

from collections import deque
from typing import Final

import msgspec

from stream.join.definitions import Definitions
from stream.join.waiting import LONG_AGO
from stream.join.watermarks import Heard

SEGMENT_ROWS: Final = 20_000  # of a segment
RECORD_WORTH: Final = 8  # rows that a record without rows counts for


class Segment(msgspec.Struct, array_like=True):
    """A place in the log where reading back may begin, with what was known there."""

    offset: int
    heard: Heard
    label_limit: int
    newest_s: int = LONG_AGO  # event time of its rows
    rows: int = 0
    named: set[int] = set()  # numbers of the definitions that its records name
    scores: bool = False  # whether any of its labels brings a score

    def has_rows(self, count: int, newest_s: int) -> None:
        """Rows of a record in it, the newest of which has that event time."""
        self.rows += count
        self.newest_s = max(self.newest_s, newest_s)


class Segments:
    """From the first that matters to the one that is being read."""

    def __init__(self, definitions: Definitions, rows: int = SEGMENT_ROWS) -> None:
        self.held: deque[Segment] = deque()
        self.with_scores = 0
        self._definitions = definitions
        self._rows = rows

    def __len__(self) -> int:
        return len(self.held)

    def is_full(self) -> bool:
        """Whether the next record begins a new one."""
        return not self.held or self.held[-1].rows >= self._rows

    def begin(self, segment: Segment) -> None:
        """A new one, to which records belong from now on."""
        self.held.append(segment)

    def name(self, numbers: set[int], *, scores: bool) -> None:
        """A record of the last one names definitions; `scores`: its labels bring them."""
        segment = self.held[-1]
        fresh = numbers - segment.named
        self._definitions.name(fresh)
        segment.named |= fresh
        if scores and not segment.scores:
            segment.scores = True
            self.with_scores += 1

    def forget_first(self) -> None:
        """The oldest is needed no more."""
        segment = self.held.popleft()
        self._definitions.forget(segment.named)
        self.with_scores -= segment.scores
