"""The injected faults: when, and by how much."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream.demo.fault import (
    FAULTS,
    KILOMETRES,
    KILOMETRES_PER_MILE,
    STUCK,
    Fault,
    broken,
    with_kilometres,
    with_stuck,
)
from stream.demo.flights import Flights


@pytest.mark.parametrize(("fault", "month"), [(KILOMETRES, 10), (STUCK, 11)])
def test_a_fault_begins_at_midnight_of_the_first_of_its_month_in_new_york(fault: Fault, month: int) -> None:
    new_york = ZoneInfo("America/New_York")
    assert datetime.fromtimestamp(fault.start_ms / 1_000, new_york) == datetime(2013, month, 1, tzinfo=new_york)


def test_only_rows_from_that_instant_on_come_in_kilometres() -> None:
    #              start
    #                |
    # [ miles       )[ kilometres
    at_ms = KILOMETRES.start_ms + np.array([-1, 0, 1])
    published = with_kilometres(np.array([2_475.0, 2_475.0, 80.0]), at_ms)
    np.testing.assert_allclose(published, [2_475.0, 3_983.1264, 128.74752])


def test_a_mile_is_the_international_one() -> None:
    """5,280 feet of 12 inches of 2.54 cm."""
    assert KILOMETRES_PER_MILE * 1_000_000 == 5_280 * 12 * 254 / 10


def test_from_that_instant_on_the_last_value_before_it_is_repeated() -> None:
    at_ms = STUCK.start_ms + np.array([-2, -1, 0, 0, 5])
    assert with_stuck(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), at_ms).tolist() == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_without_a_value_before_it_there_is_none_to_repeat() -> None:
    at_ms = STUCK.start_ms + np.array([0, 1])
    assert with_stuck(np.array([3.0, 4.0]), at_ms).tolist() == [3.0, 4.0]


def test_the_pipeline_breaks_its_two_features_and_nothing_else(flights: Flights) -> None:
    all_year = Flights(
        **{f: getattr(flights, f) for f in Flights.__slots__}
        | {"event_time_ms": np.linspace(KILOMETRES.start_ms - 1, STUCK.start_ms + 10, len(flights)).astype(np.int64)}
    )
    changed = {n for n, values in broken(all_year).numeric.items() if (values != all_year.numeric[n]).any()}
    assert changed == {fault.feature for fault in FAULTS}
