"""Event time as text, and back."""

from datetime import UTC, datetime


def epoch_ms(text: str) -> int:
    """The milliseconds of an RFC 3339 time.

    >>> epoch_ms("2013-10-01T04:00:00Z")
    1380600000000
    """
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def utc(at_ms: int) -> str:
    """A time for people, to the minute.

    >>> utc(1_380_600_000_000)
    '2013-10-01 04:00'
    """
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
