"""Durations: what is written and what is meant are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config.durations import UNITS_MS, format_duration, parse_duration_ms


@given(st.integers(min_value=0, max_value=10**13))
def test_what_is_formatted_is_read_back_the_same(duration_ms: int) -> None:
    assert parse_duration_ms(format_duration(duration_ms)) == duration_ms


@given(st.integers(min_value=0, max_value=10_000), st.sampled_from(sorted(UNITS_MS)))
def test_a_whole_number_of_any_unit_is_that_many_times_the_unit(number: int, unit: str) -> None:
    assert parse_duration_ms(f"{number}{unit}") == parse_duration_ms(f"{number} {unit}") == number * UNITS_MS[unit]


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "-5m", "5m3s", "1e3s", "5 minutes", "٣s", ".5s", "5.s", "5m\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number with its unit"):
        parse_duration_ms(text)


def test_a_part_of_a_millisecond_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of milliseconds"):
        parse_duration_ms("0.5ms")
