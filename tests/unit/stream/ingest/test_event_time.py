"""`ts` is a time, or the detail says what it looks like; a batch is read as its rows are."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.event_time import UNDECIDED, event_time, event_times
from stream.ingest.fault import Fault
from tests.unit.stream.ingest.messages import RECORD_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_9999_MS = 253_402_300_799_999
SKEW_MS = 300_000


def time_of(ts: object, record_timestamp_ms: int = RECORD_MS) -> int | Fault:
    """One time, five minutes of skew allowed."""
    return event_time(ts, record_timestamp_ms=record_timestamp_ms, max_clock_skew_ms=SKEW_MS)


@pytest.mark.parametrize(
    ("ts", "time_ms"),
    [
        ("2013-04-01T05:15:00Z", 1_364_793_300_000),
        ("2013-04-01T05:15:00z", 1_364_793_300_000),
        ("2013-04-01t05:15:00Z", 1_364_793_300_000),
        ("2013-04-01 05:15:00Z", 1_364_793_300_000),
        ("2013-04-01T05:15:00.5Z", 1_364_793_300_500),
        ("2013-04-01T05:15:00.1239999999Z", 1_364_793_300_123),
        ("2013-04-01T05:15:00+00:00", 1_364_793_300_000),
        ("2013-04-01T05:15:00-00:00", 1_364_793_300_000),
        ("2013-04-01T01:15:00-04:00", 1_364_793_300_000),
        ("2013-04-01T10:45:00.250+05:30", 1_364_793_300_250),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),  # a leap second is the second after it
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("1970-01-01T00:00:00Z", 0),
        (1_364_793_300_000, 1_364_793_300_000),
        (1_364_793_300_000.999, 1_364_793_300_000),
        (100_000_000_000, 100_000_000_000),
        (None, RECORD_MS),
        (RECORD_MS + SKEW_MS, RECORD_MS + SKEW_MS),  # not more than the skew
    ],
)
def test_a_time_is_read(ts: object, time_ms: int) -> None:
    """RFC 3339 with a zone, or epoch milliseconds; absent, it is the record's."""
    assert time_of(ts) == time_ms


@pytest.mark.parametrize(
    ("ts", "reason", "says"),
    [
        (1_364_793_300, "bad_time", "looks like seconds"),
        (1_364_793_300.5, "bad_time", "looks like seconds"),
        (99_999_999_999, "bad_time", "looks like seconds"),
        (0, "bad_time", "looks like seconds"),
        (-1, "bad_time", "looks like seconds"),
        (1_364_793_300_000_000, "bad_time", "microseconds"),
        (1_364_793_300_000_000_000, "bad_time", "nanoseconds"),
        (2**63, "bad_time", "nanoseconds"),
        (float("inf"), "bad_time", "nanoseconds"),
        (10**400, "bad_time", "nanoseconds"),
        ("2013-04-01T05:15:00x5Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00.5xZ", "bad_time", "RFC 3339"),
        ("2013/04-01T05:15:00Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00.5+00:01x", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00", "bad_time", "no zone"),
        ("2013-04-01", "bad_time", "RFC 3339"),
        ("1364793300000", "bad_time", "RFC 3339"),
        ("", "bad_time", "RFC 3339"),
        ("20130401T051500Z", "bad_time", "RFC 3339"),
        ("2013-W14-1T05:15:00Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00.Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00,5Z", "bad_time", "RFC 3339"),
        ("2013-04-01T05:15:00Z\n", "bad_time", "RFC 3339"),
        ("٢٠١٣-04-01T05:15:00Z", "bad_time", "RFC 3339"),
        ("2013-02-29T05:15:00Z", "bad_time", "exists"),
        ("2013-13-01T05:15:00Z", "bad_time", "exists"),
        ("2013-00-01T05:15:00Z", "bad_time", "exists"),
        ("2013-04-00T05:15:00Z", "bad_time", "exists"),
        ("2013-04-01T24:00:00Z", "bad_time", "exists"),
        ("2013-04-01T05:60:00Z", "bad_time", "exists"),
        ("2013-04-01T05:15:61Z", "bad_time", "exists"),
        ("2013-04-01T05:15:00+24:00", "bad_time", "exists"),
        ("2013-04-01T05:15:00+00:60", "bad_time", "exists"),
        ("0000-01-01T00:00:00Z", "bad_time", "exists"),
        ("0001-01-01T00:00:00+23:59", "bad_time", "between 1970 and 5138"),
        ("1969-12-31T23:59:59.999Z", "bad_time", "between 1970 and 5138"),
        ("9999-12-31T23:59:59Z", "bad_time", "between 1970 and 5138"),
        (True, "bad_time", "got true"),
        ([], "bad_time", "got an array"),
        ({}, "bad_time", "got an object"),
        ("2025-01-01T00:05:00.001Z", "future", "300.001 s ahead"),
        (RECORD_MS + SKEW_MS + 1, "future", "300.001 s ahead"),
    ],
)
def test_what_is_no_time_is_named(ts: object, reason: str, says: str) -> None:
    """Nothing is guessed."""
    fault = time_of(ts)
    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert says in fault.detail
    batch = event_times([ts, ts], record_timestamps_ms=np.full(2, RECORD_MS), max_clock_skew_ms=SKEW_MS)
    assert batch.tolist() == [UNDECIDED, UNDECIDED]


def test_a_record_without_timestamp_cannot_judge_clocks() -> None:
    """-1 in Kafka; and it is no event time either."""
    assert time_of(RECORD_MS, record_timestamp_ms=-1) == RECORD_MS
    fault = time_of(None, record_timestamp_ms=-1)
    assert isinstance(fault, Fault)
    assert fault.reason == "bad_time"


moments = st.datetimes(datetime(1970, 1, 1), datetime(2024, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))


@given(moments, st.integers(-23 * 60, 23 * 60))
def test_any_moment_in_any_zone_reads_as_datetime_reads_it(moment: datetime, offset_min: int) -> None:
    """Oracle: the standard library, floored to milliseconds."""
    local = moment.astimezone(timezone(timedelta(minutes=offset_min)))
    assert time_of(local.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


ALMOST = (
    r"\A(1970|20[0-9]{2}|[09]{4})-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,4})?(Z|\+00:00)?\Z"
)
KINDS: list[st.SearchStrategy[object]] = [
    st.none(),
    st.integers(),
    st.floats(allow_nan=False),
    st.integers(10**11 - 5, RECORD_MS + SKEW_MS + 5),
    st.floats(1e11 - 5, RECORD_MS + SKEW_MS + 5),
    moments.map(lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")),
    moments.map(datetime.isoformat),
    st.from_regex(ALMOST),
    st.text(max_size=30),
    st.text(alphabet="0123456789-:TZ.+", min_size=18, max_size=26),
]


@given(st.one_of(*(st.lists(kind, min_size=1) for kind in [*KINDS, st.one_of(KINDS)])))
def test_a_batch_is_read_as_its_rows_are_or_left_undecided(ts: list[object]) -> None:
    """What the batch decides, the single time decides alike."""
    found = event_times(
        ts, record_timestamps_ms=np.full(len(ts), RECORD_MS, np.int64), max_clock_skew_ms=SKEW_MS
    ).tolist()
    for batch_time, one in zip(found, map(time_of, ts), strict=True):
        assert batch_time in (one, UNDECIDED)


@pytest.mark.parametrize(
    "text", ["2013-04-01T05:15:00Z", "2013-04-01T05:15:00.123Z", "2013-04-01T05:15:00.123456+00:00"]
)
def test_usual_texts_are_decided_in_a_batch(text: str) -> None:
    """Otherwise they would take the slow route, and no property would notice."""
    times = event_times([text] * 3, record_timestamps_ms=np.full(3, RECORD_MS), max_clock_skew_ms=0)
    assert times.tolist() == [time_of(text)] * 3


def test_texts_of_several_lengths_are_decided_in_a_batch() -> None:
    """Python's isoformat leaves a fraction of zero out."""
    texts: list[object] = ["2013-04-01T05:15:00+00:00", "2013-04-01T05:15:00.000001+00:00", "2013-04-01T05:15:01+00:00"]
    times = event_times(texts, record_timestamps_ms=np.full(3, RECORD_MS), max_clock_skew_ms=0)
    assert times.tolist() == [1_364_793_300_000, 1_364_793_300_000, 1_364_793_301_000]


@given(moments)
def test_every_utc_moment_is_decided_in_a_batch(moment: datetime) -> None:
    """Month ends and leap years too."""
    later = moment + timedelta(days=3 * 365 + 60)
    if 1974 <= later.year <= 2024:
        text = later.strftime("%Y-%m-%dT%H:%M:%SZ")
        times = event_times([text], record_timestamps_ms=np.full(1, RECORD_MS), max_clock_skew_ms=0)
        assert times.tolist() == [time_of(text)]
