"""How much the performance of healthy windows differs, learned from a model's own windows, where no baseline says it.

Of windows that do not overlap, cut at whole multiples of their length since 1970, the readings of each check are summed
up; at 24 of them their deviation is learned, anew at 48, 96 and 168; then it stays. What a window should read is what
the baseline reads: a model that was bad from its first day on is not taken for a healthy one.

Promise: a function of the evaluations alone, each as it was when it was first made. What is learned holds for the
windows that end later than the one that completed it, so that a revision is judged as the window was.
From the first time on that something was learned, windows in breach are left out: they are told of, not learned from.
Weak: a fault that falls into the first 24 windows is taken for healthy wander, and makes the checks blunter. A baseline
that was made with times and labels knows better.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from detectors.wander import lasting
from stream.evaluate.live_evidence import MILESTONES
from stream.evaluate.performance_checks import PerformanceCheck

_DIGITS: Final = 9  # so that another machine's arithmetic does not show


class Deviation(msgspec.Struct, frozen=True, array_like=True):
    """What was learned of one check."""

    after_ms: int  # end of the window that completed it
    windows: int
    deviation: float  # between windows, beyond sampling, on the scale of `detectors.wander.Reading`
    lasting: float  # windows that one spell of wander lasts, >= 1


class _Sums(msgspec.Struct, array_like=True):
    windows: int = 0
    badness: float = 0.0
    squared: float = 0.0
    neighbours: float = 0.0  # products with the one before
    sampling: float = 0.0  # of se^2
    first: float = 0.0  # what the others are summed up from
    last: float = 0.0
    learned: list[Deviation] = []


class LivePerformance(msgspec.Struct, array_like=True):
    """Of one model version (and segment); begins anew with another baseline or window."""

    baseline_id: str = ""
    window_ms: int = 0
    checks: dict[str, _Sums] = {}

    def known(self, baseline_id: str, window_ms: int, end_ms: int) -> Mapping[str, Deviation]:
        """By check, what holds for the window that ends at `end_ms`; checks of which it is not known are left out."""
        if (baseline_id, window_ms) != (self.baseline_id, self.window_ms):
            return {}
        held = {check: [one for one in sums.learned if one.after_ms < end_ms] for check, sums in self.checks.items()}
        return {check: learned[-1] for check, learned in held.items() if learned}

    def take(
        self, baseline_id: str, window_ms: int, end_ms: int, checks: Iterable[PerformanceCheck], *, complete: bool
    ) -> None:
        """Sum up the readings of a window that was evaluated, where that is due.

        Args:
            baseline_id: that it was compared with.
            window_ms: its length.
            end_ms: its end; windows of which this is no whole multiple of the length overlap others.
            checks: of its labels.
            complete: whether labels were counted in all of it.
        """
        if not complete or end_ms % window_ms:
            return
        if (baseline_id, window_ms) != (self.baseline_id, self.window_ms):
            self.baseline_id, self.window_ms, self.checks = baseline_id, window_ms, {}
        for check in checks:
            sums = self.checks.setdefault(check.check, _Sums())
            if check.reading is not None and not (sums.learned and check.verdict.is_breach):
                self._add(sums, end_ms, *check.reading)

    def _add(self, sums: _Sums, end_ms: int, badness: float, se: float) -> None:
        if sums.windows == MILESTONES[-1]:
            return
        if sums.windows == 0:
            sums.first = badness
        value = badness - sums.first
        sums.neighbours += value * sums.last
        sums.windows, sums.last = sums.windows + 1, value
        sums.badness += value
        sums.squared += value**2
        sums.sampling += se**2
        if sums.windows in MILESTONES:
            sums.learned = [*sums.learned, _learned(sums, end_ms)]


def _learned(sums: _Sums, end_ms: int) -> Deviation:
    n = sums.windows
    beyond = max((sums.squared - sums.badness**2 / n) / (n - 1) - sums.sampling / n, 0.0)
    mean = sums.badness / n
    covariance = (sums.neighbours - mean * (2 * sums.badness - sums.last) + (n - 1) * mean**2) / (n - 1)
    return Deviation(end_ms, n, round(math.sqrt(beyond), _DIGITS), round(lasting(covariance, beyond), 3))
