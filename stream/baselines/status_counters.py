"""Where a pane counts how answers went: `ok, failed, bad`, behind a layout's series and its latencies.

Cost: 3 counters a pane. A model without the check has none of them.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

COUNTERS: Final = 3  # the codes STATUS_OK, STATUS_FAILED, STATUS_BAD, in this order


class StatusCounts(NamedTuple):
    """The answers of one window, by what their `status` says."""

    ok: int
    failed: int
    bad: int  # their `status` is no text: whether they failed is not known

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64]) -> "StatusCounts":
        """From the counters, shape (COUNTERS,)."""
        return cls(*counts.tolist())

    @property
    def known(self) -> int:
        """The answers of which it is known."""
        return self.ok + self.failed
