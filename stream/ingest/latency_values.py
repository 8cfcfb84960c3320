"""`latency_ms` of a prediction: how long its answer took, in milliseconds.

A finite number >= 0, or null. Whatever else stands there is *bad*: counted as such, and the row counts all the
same, for a wrong stop-watch says nothing about the answer. Both routes of decoding follow this rule.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream.ingest.feature_values import INVALID_NUMBER, MISSING_NUMBER

BAD_LATENCY = INVALID_NUMBER


def latency_value(value: object) -> float:
    """One JSON value: the number, NaN for null, +inf for what is no latency.

    >>> [latency_value(v) for v in (12.5, 0, -0.0, None, -1, 1e999, "12", True, [12])]
    [12.5, 0.0, 0.0, nan, inf, inf, inf, inf, inf]
    """
    if value is None:
        return MISSING_NUMBER
    if not isinstance(value, int | float) or isinstance(value, bool):
        return BAD_LATENCY
    number = float(value)
    return abs(number) if math.isfinite(number) and number >= 0 else BAD_LATENCY


def latency_column(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Many numbers at once, shape (rows,).

    >>> latency_column([12.5, None, -1.0]).tolist()
    [12.5, nan, inf]
    """
    column = np.array(values, np.float64)  # None becomes NaN
    column[(column < 0) | np.isinf(column)] = BAD_LATENCY
    return np.abs(column)
