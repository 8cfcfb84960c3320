"""How often one test may alarm by chance: a model's false-alarm budget, split over all that is tested.

Promise: if every test alarms on healthy traffic no more often than its level says, the expected
number of false alarms of the whole model in the period is at most the budget, however its tests
depend on each other (each level is a share of a sum, as Bonferroni's). Alarms come in episodes,
so the number of episodes is well below it: evaluations overlap.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

PerSeries = npt.NDArray[np.float64]  # shape (series,)

EXAMPLE: Final = "1 per 30d"
LOWEST_LEVEL: Final = 1e-12  # below it a learned tail is a guess, and nothing but a catastrophe would alarm
HIGHEST_LEVEL: Final = 0.01  # above it an alarm is no evidence
ROWS_PER_BIN: Final = 20  # below it the G statistic's tail is up to six times too heavy
FEW_ROWS_SHARE: Final = 0.25  # of the level, there

# Of the budget; what a model does not have gives its share to the others.
DEFAULT_WEIGHTS: Final[Mapping[str, float]] = {
    "features": 0.5, "score": 0.15, "performance": 0.15, "latency": 0.1, "quality": 0.1,
}  # fmt: skip

_HAIR: Final = 1e-9  # what floating point may be off by
_UNITS_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PATTERN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) per ([0-9]+)(m|h|d)")


@dataclass(frozen=True, slots=True)
class FalseAlarmBudget:
    """So many false alarms of one model in a period of event time.

    >>> FalseAlarmBudget.parse("1 per 30d")
    FalseAlarmBudget(alarms=1.0, period_ms=2592000000)
    """

    alarms: float  # > 0, finite
    period_ms: int  # > 0

    def __post_init__(self) -> None:
        if not 0 < self.alarms < math.inf:
            raise ValueError(f"a budget must allow more than 0 alarms, got {self.alarms:g}; try {EXAMPLE}")
        if self.period_ms <= 0:
            raise ValueError(f"a budget must be per a time above 0; try {EXAMPLE}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The budget that is written as `1 per 30d`; minutes, hours and days are m, h and d.

        Raises:
            ValueError: it is not written so, or allows nothing.
        """
        found = _PATTERN.fullmatch(" ".join(text.split()))
        if not found:
            raise ValueError(f"a false-alarm budget must be written as '{EXAMPLE}', got {text!r}")
        alarms, length, unit = found.groups()
        return cls(float(alarms), int(length) * _UNITS_MS[unit])

    def __str__(self) -> str:
        unit, size = next((u, s) for u, s in [*reversed(_UNITS_MS.items()), ("ms", 1)] if self.period_ms % s == 0)
        return f"{_plain(self.alarms)} per {self.period_ms // size}{unit}"

    def level(self, share: float, interval_ms: int, tests: int = 1) -> float:
        """How often one test may alarm by chance: alarms * share * interval / period / tests.

        Args:
            share: of the budget that this kind of check has, 0 < share <= 1 (`shares`).
            interval_ms: from one evaluation to the next, > 0.
            tests: at each evaluation for that share: series times window lengths, >= 1.

        Raises:
            ValueError: the level would be no evidence, above 0.01, or beyond what can be told, below 1e-12;
                the message says which budget would do.

        Size to expect: 1.2e-6 for 1 per 30d, half of it for 10 features, evaluated every minute.

        >>> round(FalseAlarmBudget.parse("1 per 30d").level(0.5, 60_000, tests=10) * 43_200, 3)
        0.05
        """
        level = self.chance(share, interval_ms, tests)
        chance = level / self.alarms
        if level > HIGHEST_LEVEL * (1 + _HAIR):
            raise ValueError(
                f"{self} is a chance of {level:.2g} at each of {tests:,} tests, which is no evidence (at most "
                f"{HIGHEST_LEVEL:g}); try {_rounded(HIGHEST_LEVEL / chance, math.floor)} per {self._period()}"
            )
        if level < LOWEST_LEVEL * (1 - _HAIR):
            raise ValueError(
                f"{self} is a chance of {level:.2g} at each of {tests:,} tests, which no data can show (at least "
                f"{LOWEST_LEVEL:g}); try {_rounded(LOWEST_LEVEL / chance, math.ceil)} per {self._period()}"
            )
        return level

    def chance(self, share: float, interval_ms: int, tests: int = 1) -> float:
        """As `level`, whatever it comes to: for numbers of tests that nobody could know when the budget was set.

        Raises:
            ValueError: a share outside of (0, 1], or an interval or number of tests of 0.
        """
        if not 0 < share <= 1 or interval_ms <= 0 or tests < 1:
            raise ValueError(f"share in (0, 1], interval and tests above 0 are wanted: {share}, {interval_ms}, {tests}")
        return self.alarms * (share * interval_ms / self.period_ms / tests)

    def _period(self) -> str:
        return str(self).partition(" per ")[2]


def shares(present: Mapping[str, float]) -> dict[str, float]:
    """The share of the budget of each kind of check, from weights: they sum to 1.

    Raises:
        ValueError: a weight below 0 or not finite, or none above 0.

    >>> shares({"features": 3, "score": 1})
    {'features': 0.75, 'score': 0.25}
    """
    wrong = {kind: weight for kind, weight in present.items() if not 0 <= weight < math.inf}
    if wrong:
        raise ValueError(f"weights must be finite and >= 0, got {wrong}")
    whole = sum(present.values())
    if whole <= 0:
        raise ValueError("one weight at least must be above 0")
    return {kind: weight / whole for kind, weight in present.items() if weight > 0}


def level_of_rows(level: PerSeries | float, rows: PerSeries, bins: PerSeries) -> PerSeries:
    """The level of a histogram test: a quarter below 20 rows a bin, where the statistic's tail is too heavy.

    Args:
        level: of the test.
        rows: of the window, any shape; of rows that come alike, as many independent ones as they are worth.
        bins: that the baseline has rows in, broadcast against `rows`.

    >>> level_of_rows(1e-6, np.array([199.0, 200.0]), np.array([10.0, 10.0])).tolist()
    [2.5e-07, 1e-06]
    """
    found: PerSeries = np.where(rows < ROWS_PER_BIN * bins, FEW_ROWS_SHARE, 1.0) * level
    return found


def _rounded(number: float, toward: Callable[[float], int]) -> str:
    """To one digit, up or down; 0.1 / 0.1 may be a hair below 1."""
    step = 10.0 ** math.floor(math.log10(number))
    hair = _HAIR if toward is math.floor else -_HAIR
    return _plain(max(1, toward(number / step + hair)) * step)


def _plain(number: float) -> str:
    """As `parse` reads it: no exponent."""
    return f"{number:.15f}".rstrip("0").rstrip(".")
