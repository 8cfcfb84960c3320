"""Limits on a statistic: the plain rule "PSI > 0.25", and how large an effect is where evidence is asked for as well.

Weak: a fixed limit is noise at small n. By chance alone PSI of ten bins reads about
9 * (1/n_baseline + 1/n_current): 0.09 for 100 rows against a large baseline. So a
threshold has a minimum count, below which it does not judge.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Final

from detectors.outcome import Undefined, Verdict

_SEVERITIES: Final = {"notice": Verdict.NOTICE, "warning": Verdict.WARNING, "critical": Verdict.CRITICAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Upper limits of one statistic; a value *above* a limit breaches it, a value on it does not.

    Raises:
        ValueError: a limit above the next more severe one, a limit that is NaN, or `min_count` below 0.

    >>> limits = Threshold(warning=0.1, critical=0.25, min_count=200)
    >>> [str(limits.judge(value, 500)) for value in (0.1, 0.11, 0.25, 0.26)]
    ['ok', 'warning', 'warning', 'critical']
    >>> limits.judge(0.9, 199)
    <Verdict.UNDEFINED: 'undefined'>
    """

    warning: float | None  # None: no warning is given
    critical: float | None  # None: nothing is critical
    min_count: int = 0  # rows in the window below which it does not judge
    notice: float | None = None  # None: nothing is told below a warning

    def __post_init__(self) -> None:
        given = [(name, limit) for name, limit in self._ascending if limit is not None]
        for name, limit in given:
            if math.isnan(limit):
                raise ValueError(f"{name} must be a number, got nan")
        for (name, limit), (severer, its_limit) in itertools.pairwise(given):
            if limit > its_limit:
                raise ValueError(f"{name} ({limit}) must not be above {severer} ({its_limit})")
        if self.min_count < 0:
            raise ValueError(f"min_count must be >= 0, got {self.min_count}")

    def judge(self, value: float | Undefined, n: int) -> Verdict:
        """The verdict on a statistic of n rows; a value that is NaN is as undefined as `Undefined`."""
        if isinstance(value, Undefined) or math.isnan(value) or n < self.min_count:
            return Verdict.UNDEFINED
        crossed = [name for name, limit in self._ascending if limit is not None and value > limit]
        return _SEVERITIES[crossed[-1]] if crossed else Verdict.OK

    def size_of(self, effect: float) -> Verdict:
        """The severity of an effect whose evidence is given: it needs to *reach* a limit, not to be above it.

        >>> limits = Threshold(notice=0.02, warning=0.1, critical=0.25)
        >>> [str(limits.size_of(effect)) for effect in (0.019, 0.02, 0.1, 0.25)]
        ['ok', 'info', 'warning', 'critical']
        """
        reached = [name for name, limit in self._ascending if limit is not None and effect >= limit]
        return _SEVERITIES[reached[-1]] if reached else Verdict.OK

    @property
    def least(self) -> float | None:
        """The lowest limit: an effect below it says nothing; None: no effect ever does."""
        if self.notice is not None:
            return self.notice
        return self.critical if self.warning is None else self.warning

    def limit_of(self, verdict: Verdict) -> float | None:
        """The limit that a verdict says was crossed; None for a verdict that crosses none.

        >>> Threshold(warning=0.1, critical=0.25).limit_of(Verdict.CRITICAL)
        0.25
        """
        return {Verdict.NOTICE: self.notice, Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(
            verdict
        )

    @property
    def _ascending(self) -> tuple[tuple[str, float | None], ...]:
        return (("notice", self.notice), ("warning", self.warning), ("critical", self.critical))
