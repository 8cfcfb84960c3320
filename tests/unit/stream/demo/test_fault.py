"""The injected fault: when, and by how much."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from stream.demo.fault import FAULT_START_MS, KILOMETRES_PER_MILE, with_fault


def test_the_fault_begins_at_midnight_of_the_first_of_october_in_new_york() -> None:
    new_york = ZoneInfo("America/New_York")
    assert datetime.fromtimestamp(FAULT_START_MS / 1_000, new_york) == datetime(2013, 10, 1, tzinfo=new_york)


def test_only_rows_from_that_instant_on_come_in_kilometres() -> None:
    #              start
    #                |
    # [ miles       )[ kilometres
    at_ms = FAULT_START_MS + np.array([-1, 0, 1])
    published = with_fault(np.array([2_475.0, 2_475.0, 80.0]), at_ms)
    np.testing.assert_allclose(published, [2_475.0, 3_983.1264, 128.74752])


def test_a_mile_is_the_international_one() -> None:
    """5,280 feet of 12 inches of 2.54 cm."""
    assert KILOMETRES_PER_MILE * 1_000_000 == 5_280 * 12 * 254 / 10
