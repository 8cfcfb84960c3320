"""The definitions that an outcomes partition has heard of, each with a number that its rows carry.

Two definitions are one only if they are equal in every field: rows of an older one keep its times.
Those with one `id` count into the same registers. A number is never given again, so that what is
read back from the log means the same; they are part of `@`. Room for 16,384 of them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Sections

Ints = npt.NDArray[np.int64]

MOST_DEFINITIONS: Final = 1 << 14
BUCKETS_A_TTL: Final = 64  # a row is forgotten at the end of its bucket: up to 1/64 of its time to live late
LARGEST_GRID: Final = 1 << 12  # bins; what a row has room for


class Definitions:
    """Numbers and columns of the definitions; a column has shape (room,), indexed by number."""

    def __init__(self, known: Sequence[PerformanceDefinition] = ()) -> None:
        self.known: list[PerformanceDefinition] = []
        self.newest: dict[str, PerformanceDefinition] = {}  # by id
        self.longest_ttl_s = 0
        self.widest_bucket_s = 0
        self.smallest_pane_ms: int | None = None
        self._numbers: dict[PerformanceDefinition, int] = {}
        self._room(16)
        for definition in known:
            self.number(definition)

    def __len__(self) -> int:
        return len(self.known)

    def numbers(self, definitions: Sequence[PerformanceDefinition]) -> Ints:
        """The number of each definition of a record; shape (definitions,)."""
        return np.array([self.number(definition) for definition in definitions], np.int64)

    def number(self, definition: PerformanceDefinition) -> int:
        """The definition's number, a new one if it has none."""
        number = self._numbers.get(definition)
        if number is None:
            number = self._add(definition)
        return number

    def sections(self, definition_id: str) -> Sections:
        """Where what lies in the registers of a definition."""
        return Sections.of(self.newest[definition_id])

    def _add(self, definition: PerformanceDefinition) -> int:
        number = len(self.known)
        if number >= MOST_DEFINITIONS or definition.bins > LARGEST_GRID:
            raise ValueError(f"{definition.model}@{definition.version}: no room for definition {number} in the rows")
        if number >= len(self.ttl_s):
            self._room(2 * number)
        self._numbers[definition] = number
        self.known.append(definition)
        self.newest[definition.id] = definition
        ttl_s = max(1, definition.ttl_ms // 1000)
        self.ttl_s[number], self.width_s[number] = ttl_s, bucket_width_s(definition)
        self.revision_s[number] = definition.revision_ms // 1000
        self.dedupe[number], self.max_waiting[number] = definition.dedupe, definition.max_waiting
        self.is_regression[number] = definition.task == "regression"
        self.longest_ttl_s = max(self.longest_ttl_s, ttl_s)
        self.widest_bucket_s = max(self.widest_bucket_s, bucket_width_s(definition))
        self.smallest_pane_ms = min(self.smallest_pane_ms or definition.pane_ms, definition.pane_ms)
        return number

    def _room(self, size: int) -> None:
        self.ttl_s: Ints = np.zeros(size, np.int64)
        self.width_s: Ints = np.ones(size, np.int64)
        self.revision_s: Ints = np.zeros(size, np.int64)
        self.dedupe: npt.NDArray[np.bool_] = np.ones(size, np.bool_)
        self.max_waiting: Ints = np.zeros(size, np.int64)
        self.is_regression: npt.NDArray[np.bool_] = np.zeros(size, np.bool_)
        again, self.known, self._numbers = self.known, [], {}
        for definition in again:
            self._add(definition)


def bucket_width_s(definition: PerformanceDefinition) -> int:
    """How coarse rows are forgotten: a row goes when the watermark leaves the bucket of its time + ttl.

    >>> d = PerformanceDefinition("m", "1", "", "binary", "g", 4, 0.0, 1, 1, "m@1#1", 1, 86_400_000, 1, True, 1)
    >>> bucket_width_s(d)      # of one day
    1350
    """
    return max(1, definition.ttl_ms // 1000 // BUCKETS_A_TTL)
