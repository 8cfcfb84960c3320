"""Durations in the configuration: text with a unit outside, whole milliseconds inside."""

import re
from typing import Final

UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
UNITS: Final = "ms, s, m, h or d"
EXAMPLES: Final = "250ms, 30s, 5m, 24h or 30d"


def parse_duration_ms(text: str) -> int:
    """The milliseconds of a duration with its unit.

    Raises:
        ValueError: no unit, an unknown one, or a part of a millisecond.

    >>> parse_duration_ms("250ms"), parse_duration_ms("24h"), parse_duration_ms("1.5s")
    (250, 86400000, 1500)
    """
    compact = text.replace(" ", "")
    if not re.fullmatch(DURATION_PATTERN, compact):
        raise ValueError(f"must be a number with its unit, such as {EXAMPLES}")
    unit = compact.lstrip("0123456789.")
    whole, _, part = compact.removesuffix(unit).partition(".")
    denominator = int("1" + "0" * len(part))
    duration_ms, rest = divmod(int(whole + part) * UNITS_MS[unit], denominator)
    if rest:
        raise ValueError("must be a whole number of milliseconds")
    return duration_ms


def format_duration(duration_ms: int) -> str:
    """The duration in the largest unit that divides it.

    >>> format_duration(86_400_000), format_duration(90_000), format_duration(0)
    ('1d', '90s', '0s')
    """
    if duration_ms == 0:
        return "0s"
    unit, size = next((u, s) for u, s in reversed(UNITS_MS.items()) if duration_ms % s == 0)
    return f"{duration_ms // size}{unit}"
