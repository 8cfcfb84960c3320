"""What was published, and the truth behind it: what the results are compared with."""

from dataclasses import dataclass

import numpy as np

from stream.demo import messages
from stream.demo.flights import Flights, Floats, Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Scores and outcomes of the flights that land, in order of landing; all of shape (labels,)."""

    landed_ms: Integers  # ascending
    departed_ms: Integers
    scores: Floats
    late: Floats  # 1 or 0

    @classmethod
    def of(cls, flights: Flights, scores: Floats) -> "Truth":
        """Of flights in order of departure."""
        landed_ms, row = messages.landings(flights)
        return cls(
            landed_ms=landed_ms,
            departed_ms=flights.event_time_ms[row],
            scores=scores[row],
            late=flights.arrived_late[row],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was published, for comparison."""

    event_time_ms: Integers  # of the predictions, shape (predictions,), ascending
    truth: Truth
    stuck_at: float  # minutes: the `dep_delay` that the second fault repeats
    cancelled: int  # flights of the year that were never scored
    dead_letters: int  # messages that the service could not count


def rows_in(event_time_ms: Integers, start_ms: int, end_ms: int) -> int:
    """How many of the times, ascending, lie in [start_ms, end_ms).

    >>> rows_in(np.array([1, 2, 2, 5]), 2, 5)
    2
    """
    begin, end = np.searchsorted(event_time_ms, [start_ms, end_ms], side="left").tolist()
    return int(end - begin)
