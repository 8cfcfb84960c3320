"""How alike the answers of one window are, learned from a model's own windows: no baseline knows it.

One slow database makes many answers slow together, so the number of answers over the SLA differs between healthy
windows by more than chance. Of each window the answers and those over the SLA are kept; what is learned of them, when,
and what is promised: `live_numbers`.

Weak: a fault in the first 24 windows is taken for healthy wander. Fewer than 20 answers over the SLA, or within it,
teach nothing.
"""

from typing import ClassVar, Final

import numpy as np

from detectors.evidence_learning import LEAST_ROWS
from detectors.rates import rate_overdispersion
from stream.evaluate.live_numbers import LiveNumbers

FEWEST: Final = 20  # answers over the SLA, and within it, that teach something
_DIGITS: Final = 6  # so that another machine's arithmetic does not show


class LiveLatency(LiveNumbers):
    """Of one definition and segment, for windows of one length."""

    AT: ClassVar = -2
    NUMBERS: ClassVar = 2

    def __init__(self, window_ms: int) -> None:
        super().__init__(window_ms)
        self.overdispersion: float | None = None  # rho of `detectors.rates`; None: not known

    def take(self, start_ms: int, answers: int, over: int, next_offset: int, *, in_breach: bool = False) -> bool:
        """Keep a window, and learn if it is time to; whether it was.

        Args:
            start_ms: a whole multiple of the window's length.
            answers: with a usable latency.
            over: of them, over the SLA.
            next_offset: of the partials partition, after the record that completed the window.
            in_breach: whether too many answers were over the SLA when the window was judged first.
        """
        return answers >= LEAST_ROWS and self._keep(start_ms, (answers, over), next_offset, in_breach=in_breach)

    def _learn(self, windows: list[tuple[int, tuple[int, ...]]]) -> None:
        answers, over = np.array([numbers for _, numbers in windows], np.int64).T
        known = min(int(over.sum()), int((answers - over).sum())) >= FEWEST
        self.overdispersion = round(rate_overdispersion(over, answers), _DIGITS) if known else None

    def _learned(self) -> float | None:
        return self.overdispersion

    def _relearn(self, learned: float | None) -> None:
        self.overdispersion = learned
