"""The two faults that the replay injects, and says so.

From 1 October on `distance` comes in kilometres; from 1 November on `dep_delay` is stuck at its
last value. The producer's feature pipeline is what broke, both times: the published messages carry the
wrong numbers, and the model, which learned from the right ones, is fed the same. So its scores move
too: a little with the first fault, which stays; with the second they lose their meaning, since how
late a flight left is nearly all that the model goes by.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.demo.flights import Flights, Floats, Integers

KILOMETRES_PER_MILE: Final = 1.609344  # the international mile, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What breaks, and when."""

    start_ms: int
    feature: str
    briefly: str  # for the picture
    in_words: str


KILOMETRES: Final = Fault(
    start_ms=1_380_600_000_000,  # 2013-10-01T04:00:00Z, midnight in New York (EDT, UTC-4)
    feature="distance",
    briefly="distance in kilometres",
    in_words="distance comes in kilometres instead of miles (x 1.609344), to the model and to Kafka",
)
STUCK: Final = Fault(
    start_ms=1_383_278_400_000,  # 2013-11-01T04:00:00Z, midnight in New York (EDT, UTC-4)
    feature="dep_delay",
    briefly="dep_delay stuck",
    in_words="dep_delay is stuck at its last value, to the model and to Kafka",
)
FAULTS: Final = (KILOMETRES, STUCK)


def broken(flights: Flights) -> Flights:
    """The flights as the producer's pipeline sees them."""
    at_ms, numeric = flights.event_time_ms, flights.numeric
    in_kilometres = flights.replaced(KILOMETRES.feature, with_kilometres(numeric[KILOMETRES.feature], at_ms))
    return in_kilometres.replaced(STUCK.feature, with_stuck(numeric[STUCK.feature], at_ms))


def with_kilometres(distance_miles: Floats, event_time_ms: Integers) -> Floats:
    """The distances as the broken pipeline publishes them; both arrays have shape (rows,).

    >>> with_kilometres(np.array([100.0, 100.0]), np.array([KILOMETRES.start_ms - 1, KILOMETRES.start_ms]))
    array([100.    , 160.9344])
    """
    return np.where(event_time_ms >= KILOMETRES.start_ms, distance_miles * KILOMETRES_PER_MILE, distance_miles)


def with_stuck(values: Floats, event_time_ms: Integers) -> Floats:
    """The values as they come from a pipeline that repeats the last one before the fault, in order of event time.

    Both arrays have shape (rows,). Without a row before the fault nothing is stuck.

    >>> with_stuck(np.array([7.0, -3.0, 90.0, 12.0]), STUCK.start_ms + np.array([-2, -1, 0, 1])).tolist()
    [7.0, -3.0, -3.0, -3.0]
    """
    begin = stuck_from(event_time_ms)
    stuck: npt.NDArray[np.float64] = values.copy()
    if begin > 0:
        stuck[begin:] = values[begin - 1]
    return stuck


def stuck_from(event_time_ms: Integers) -> int:
    """The first row that is stuck."""
    return int(np.searchsorted(event_time_ms, STUCK.start_ms, side="left"))
