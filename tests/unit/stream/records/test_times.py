"""Times and durations as people read them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.records.times import duration_words, rfc3339


@given(st.integers(0, 10**14 - 1))  # what ingest lets through
def test_a_time_is_read_back_to_the_millisecond(event_time_ms: int) -> None:
    read = datetime.fromisoformat(rfc3339(event_time_ms))
    assert read.tzinfo == UTC
    assert round(read.timestamp() * 1_000) == event_time_ms


@pytest.mark.parametrize(
    ("event_time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_380_585_600_000, "2013-10-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),  # a window may begin before its first pane could
        (951_782_400_000, "2000-02-29T00:00:00Z"),
    ],
)
def test_milliseconds_are_written_only_where_there_are_any(event_time_ms: int, text: str) -> None:
    assert rfc3339(event_time_ms) == text


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (86_400_000, "24 h"),
        (3_600_000, "1 h"),
        (5_400_000, "90 min"),
        (60_000, "1 min"),
        (90_000, "90 s"),
        (1_000, "1 s"),
        (1_500, "1500 ms"),
        (250, "250 ms"),
    ],
)
def test_a_duration_is_told_in_its_largest_whole_unit(duration_ms: int, words: str) -> None:
    assert duration_words(duration_ms) == words
