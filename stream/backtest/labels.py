"""The labels of a file's rows, and when each became known."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream.baselines.columns import time_column_ms
from stream.errors import InputError

Values = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

NEVER: Final = np.iinfo(np.int64).max
"""When the label of a row without one comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLabels:
    """The labels of a file's rows."""

    value: Values  # shape (rows,): 0 or 1, or a regression's number; NaN: not labelled yet
    came_ms: Times | None  # shape (rows,): when it became known, NEVER without one; None: with its row

    @property
    def n(self) -> int:
        """How many rows have one."""
        return int((~np.isnan(self.value)).sum())


def label_times_ms(name: str, column: pa.ChunkedArray, labels: Values) -> Times:
    """When each label became known, shape (rows,); NEVER where there is no label.

    Raises:
        InputError: a label without a time, or what is no time.
    """
    timeless = column.is_null(nan_is_null=True).to_numpy()
    lost = timeless & ~np.isnan(labels)
    if lost.any():
        raise InputError(
            f"label time column {name!r}, row {np.argmax(lost)}: there is a label but no time of it; fill it in, or "
            "leave the label empty where it is not known yet"
        )
    if timeless.all():
        return np.full(len(labels), NEVER)
    return np.where(np.isnan(labels), NEVER, time_column_ms(name, column, gaps=True))
