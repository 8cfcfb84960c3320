"""The fault that the replay injects, and says so: from 1 October on `distance` comes in kilometres.

The producer's feature pipeline is what broke: the published messages carry kilometres, and the
model, which learned from miles, is fed the same kilometres. So its scores move too.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

FAULT_START_MS: Final = 1_380_600_000_000  # 2013-10-01T04:00:00Z, midnight in New York (EDT, UTC-4)
FAULT_FEATURE: Final = "distance"
KILOMETRES_PER_MILE: Final = 1.609344  # the international mile, exact

FAULT_IN_WORDS: Final = "distance comes in kilometres instead of miles (x 1.609344), to the model and to Kafka"


def with_fault(
    distance_miles: npt.NDArray[np.float64], event_time_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The distances as the broken pipeline publishes them; both arrays have shape (rows,).

    >>> with_fault(np.array([100.0, 100.0]), np.array([FAULT_START_MS - 1, FAULT_START_MS]))
    array([100.    , 160.9344])
    """
    return np.where(event_time_ms >= FAULT_START_MS, distance_miles * KILOMETRES_PER_MILE, distance_miles)
