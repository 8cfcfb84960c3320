"""A fixed limit on a statistic: the plain rule "PSI > 0.25".

Weak: a fixed limit is noise at small n. By chance alone PSI of ten bins reads about
9 * (1/n_baseline + 1/n_current): 0.09 for 100 rows against a large baseline. So a
threshold has a minimum count, below which it does not judge.
"""

import math
from dataclasses import dataclass

from detectors.outcome import Undefined, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Upper limits of one statistic; a value *above* a limit breaches it, a value on it does not.

    Raises:
        ValueError: `warning` above `critical`, a limit that is NaN, or `min_count` below 0.

    >>> limits = Threshold(warning=0.1, critical=0.25, min_count=200)
    >>> [str(limits.judge(value, 500)) for value in (0.1, 0.11, 0.25, 0.26)]
    ['ok', 'warning', 'warning', 'critical']
    >>> limits.judge(0.9, 199)
    <Verdict.UNDEFINED: 'undefined'>
    """

    warning: float | None  # None: no warning is given
    critical: float | None  # None: nothing is critical
    min_count: int = 0  # rows in the window below which it does not judge

    def __post_init__(self) -> None:
        for name, limit in (("warning", self.warning), ("critical", self.critical)):
            if limit is not None and math.isnan(limit):
                raise ValueError(f"{name} must be a number, got nan")
        if self.warning is not None and self.critical is not None and self.warning > self.critical:
            raise ValueError(f"warning ({self.warning}) must not be above critical ({self.critical})")
        if self.min_count < 0:
            raise ValueError(f"min_count must be >= 0, got {self.min_count}")

    def judge(self, value: float | Undefined, n: int) -> Verdict:
        """The verdict on a statistic of n rows; a value that is NaN is as undefined as `Undefined`."""
        if isinstance(value, Undefined) or math.isnan(value) or n < self.min_count:
            return Verdict.UNDEFINED
        if self.critical is not None and value > self.critical:
            return Verdict.CRITICAL
        if self.warning is not None and value > self.warning:
            return Verdict.WARNING
        return Verdict.OK

    def limit_of(self, verdict: Verdict) -> float | None:
        """The limit that a verdict says was crossed; None for a verdict that crosses none.

        >>> Threshold(warning=0.1, critical=0.25).limit_of(Verdict.CRITICAL)
        0.25
        """
        return {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(verdict)
