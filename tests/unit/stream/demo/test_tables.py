"""The flights as tables: what the producer sent, and the labels with their times where there are any."""

from dataclasses import replace

import numpy as np

from stream.demo.flights import MINUTE_MS, NUMERIC, Flights
from stream.demo.tables import table_of


def test_a_flight_is_a_row_with_its_label_and_when_it_came(flights: Flights) -> None:
    diverted = np.arange(len(flights)) % 10 == 0
    dep_delay = np.where(diverted, np.nan, flights.numeric["dep_delay"])
    some = replace(flights, air_minutes=np.where(diverted, np.nan, flights.air_minutes)).replaced(
        "dep_delay", dep_delay
    )
    scores = np.linspace(0, 1, len(flights))
    table = table_of(some, scores)
    assert table.column_names == [*NUMERIC, "carrier", "score", "ts", "late", "landed"]
    assert table.num_rows == len(flights)
    rows = table.to_pylist()
    assert [row["score"] for row in rows] == scores.tolist()
    assert [row["late"] is None for row in rows] == [row["landed"] is None for row in rows] == diverted.tolist()
    assert [row["dep_delay"] is None for row in rows] == diverted.tolist()  # null, never NaN
    second = rows[1]
    assert second["late"] is bool(flights.arrived_late[1])
    landed_ms = flights.event_time_ms[1] + flights.air_minutes[1] * MINUTE_MS
    assert round(second["landed"].timestamp() * 1_000) == landed_ms
    assert round(second["ts"].timestamp() * 1_000) == flights.event_time_ms[1]
