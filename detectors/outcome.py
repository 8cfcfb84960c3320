"""What a statistic can say instead of a number, and what a rule says about a number."""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Undefined:
    """A statistic that the data do not determine. Never 0, NaN or None in its place.

    >>> Undefined("too few").reason
    'too few'
    """

    # "empty" | "too few" | "one class" | "constant labels" | "nothing above the threshold" | "not counted" |
    # "sums overflowed"
    reason: str


class Verdict(enum.StrEnum):
    """What a rule says about one statistic of one window; Alertmanager's severities are among the values."""

    OK = "ok"
    NOTICE = "info"  # told, and no more: it differs, by little
    WARNING = "warning"
    CRITICAL = "critical"
    UNDEFINED = "undefined"  # no number, or one from too few rows: neither good nor bad

    @property
    def is_breach(self) -> bool:
        """Whether an alert comes of it."""
        return self in (Verdict.NOTICE, Verdict.WARNING, Verdict.CRITICAL)
