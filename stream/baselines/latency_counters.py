"""Where a pane counts how long answers took: a sketch's bins, then `missing, bad`, behind a layout's series.

Promise: quantiles within 1 % from 1 us to 1 h, and an exact count of the answers over the SLA, and over the hard
limit, which have edges of their own. A model without the check has none of these counters.
Cost: some 1,106 counters a pane, 9 KB in memory; on the wire a byte each until a bin holds 256 rows.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.quantile_sketch import Counts, QuantileSketch, Values
from stream.config.key_types import LONGEST_LATENCY_MS

LOWEST_MS: Final = 0.001
HIGHEST_MS: Final = float(LONGEST_LATENCY_MS)  # an hour; slower answers are counted, and read as an hour
EXTRAS: Final = ("missing", "bad")


@dataclass(frozen=True)
class LatencyCounters:
    """The counters of one SLA."""

    sla_ms: float  # an answer that took exactly so long is within it
    hard_limit_ms: float | None = None  # likewise; None: there is none

    @cached_property
    def sketch(self) -> QuantileSketch:
        """The bins of usable latencies."""
        return QuantileSketch(lowest=LOWEST_MS, highest=HIGHEST_MS, exact=(self.sla_ms, *self._hard_limit))

    @property
    def _hard_limit(self) -> tuple[float, ...]:
        return () if self.hard_limit_ms is None else (self.hard_limit_ms,)

    @property
    def width(self) -> int:
        """How many counters."""
        return self.sketch.bins + len(EXTRAS)

    def index(self, latency_ms: Values) -> npt.NDArray[np.int64]:
        """The counter of each row, shape (rows,); NaN is missing, what is not finite or below 0 is bad."""
        at = self.sketch.index(latency_ms)
        at[np.isnan(latency_ms)] = self.sketch.bins
        at[np.isinf(latency_ms) | (latency_ms < 0)] = self.sketch.bins + 1
        return at

    def violations(self, counts: Counts) -> int:
        """How many answers took longer than the SLA; counts of shape (width,)."""
        return self.sketch.above(counts[: self.sketch.bins], self.sla_ms)

    def over_hard_limit(self, counts: Counts) -> int:
        """How many took longer than the hard limit; 0 where there is none."""
        return sum(self.sketch.above(counts[: self.sketch.bins], limit_ms) for limit_ms in self._hard_limit)
