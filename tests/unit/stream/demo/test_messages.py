"""What the replay publishes is what the contract of the predictions topic says."""

from datetime import datetime

import numpy as np
import orjson

from stream.demo.flights import NUMERIC, Flights
from stream.demo.messages import keys, values


def test_a_message_carries_the_row(flights: Flights) -> None:
    scores = np.linspace(0, 1, len(flights))
    row = 42
    message = orjson.loads(list(values(flights, scores))[row])
    assert message["score"] == scores[row]
    assert message["prediction_id"] == "f-42"
    assert (message["model"], message["version"]) == ("flight-delay", "3")
    assert message["features"].pop("carrier") == flights.carrier[row]
    assert message["features"] == {name: flights.numeric[name][row] for name in NUMERIC}


def test_its_time_has_a_zone_and_is_the_event_time(flights: Flights) -> None:
    whole_seconds = Flights(
        **{f: getattr(flights, f) for f in Flights.__slots__}
        | {"event_time_ms": flights.event_time_ms // 1_000 * 1_000}
    )
    published = [orjson.loads(v)["ts"] for v in values(whole_seconds, np.zeros(len(flights)))]
    assert [datetime.fromisoformat(ts).timestamp() * 1_000 for ts in published] == whole_seconds.event_time_ms.tolist()
    assert published[0].endswith("Z")


def test_a_missing_value_is_null(flights: Flights) -> None:
    missing = flights.replaced("temp", np.full(len(flights), np.nan))
    message = orjson.loads(next(values(missing, np.zeros(len(flights)))))
    assert message["features"]["temp"] is None


def test_the_key_is_the_airline(flights: Flights) -> None:
    assert keys(flights)[:5] == [c.encode() for c in flights.carrier[:5]]
