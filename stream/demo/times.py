"""Event time as text for people."""

from datetime import UTC, datetime


def utc(at_ms: int) -> str:
    """A time for people, to the minute.

    >>> utc(1_380_600_000_000)
    '2013-10-01 04:00'
    """
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
