"""`status` of a prediction: whether its answer is one, or what went wrong.

A text: `ok`, or anything else for an answer that failed. Null or absent is `ok`, for who says nothing complains of
nothing. Whatever else stands there is *bad*: counted as such, and the row counts all the same. Both routes of decoding
follow this rule.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.records.prediction import STATUS_BAD, STATUS_FAILED, STATUS_OK

OK: Final = "ok"


def status_code(value: object) -> int:
    """One JSON value.

    >>> [status_code(v) for v in ("ok", None, "timeout", "OK", "", 200, True, ["ok"])]
    [0, 0, 1, 1, 1, 2, 2, 2]
    """
    if value is None:
        return STATUS_OK
    if not isinstance(value, str):
        return STATUS_BAD
    return STATUS_OK if value == OK else STATUS_FAILED


def status_column(values: Sequence[str | None]) -> npt.NDArray[np.int8]:
    """Many texts at once, shape (rows,).

    >>> status_column(["ok", None, "timeout"]).tolist()
    [0, 0, 1]
    """
    return np.array([STATUS_OK if value is None or value == OK else STATUS_FAILED for value in values], np.int8)
