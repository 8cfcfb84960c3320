"""Event time as people and Alertmanager write it."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(event_time_ms: int) -> str:
    """UTC, with milliseconds only where there are any.

    >>> rfc3339(1_380_585_600_000)
    '2013-10-01T00:00:00Z'
    >>> rfc3339(1_500)
    '1970-01-01T00:00:01.500Z'
    """
    moment = _EPOCH + timedelta(milliseconds=event_time_ms)
    precision = "milliseconds" if event_time_ms % 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def epoch_ms(text: str) -> int:
    """The milliseconds of an RFC 3339 time.

    >>> epoch_ms("2013-10-01T04:00:00Z"), epoch_ms("1970-01-01T00:00:01.500Z")
    (1380600000000, 1500)
    """
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def duration_words(duration_ms: int) -> str:
    """A duration in its largest whole unit.

    >>> duration_words(86_400_000), duration_words(90_000), duration_words(1_500)
    ('24 h', '90 s', '1500 ms')
    """
    for unit_ms, unit in ((3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms} {unit}"
    return f"{duration_ms} ms"
