"""What the replay publishes is what the contract of the topics predictions and labels says."""

from datetime import datetime

import numpy as np
import orjson

from stream.demo.flights import MINUTE_MS, NUMERIC, Flights
from stream.demo.messages import labels, predictions


def test_a_message_carries_the_row(flights: Flights) -> None:
    scores = np.linspace(0, 1, len(flights))
    row = 42
    message = orjson.loads(predictions(flights, scores).values[row])
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
    published = [orjson.loads(v)["ts"] for v in predictions(whole_seconds, np.zeros(len(flights))).values]
    assert [datetime.fromisoformat(ts).timestamp() * 1_000 for ts in published] == whole_seconds.event_time_ms.tolist()
    assert published[0].endswith("Z")


def test_a_missing_value_is_null(flights: Flights) -> None:
    missing = flights.replaced("temp", np.full(len(flights), np.nan))
    message = orjson.loads(predictions(missing, np.zeros(len(flights))).values[0])
    assert message["features"]["temp"] is None


def test_the_key_of_a_prediction_is_the_airline(flights: Flights) -> None:
    assert predictions(flights, np.zeros(len(flights))).keys[:5] == [c.encode() for c in flights.carrier[:5]]


def test_a_label_comes_when_the_flight_lands_and_names_its_prediction(flights: Flights) -> None:
    found = labels(flights)
    assert len(found) == len(flights)
    row_of = {prediction_id: i for i, prediction_id in enumerate(flights.prediction_id.tolist())}
    for key, value, at_ms in zip(found.keys, found.values, found.event_time_ms.tolist(), strict=True):
        message = orjson.loads(value)
        row = row_of[message["prediction_id"]]
        assert set(message) == {"prediction_id", "model", "label", "ts"}
        assert message["model"] == "flight-delay"
        assert message["label"] == flights.arrived_late[row]
        assert at_ms == flights.event_time_ms[row] + flights.air_minutes[row] * MINUTE_MS
        assert datetime.fromisoformat(message["ts"]).timestamp() == at_ms // 1_000
        assert key == message["prediction_id"].encode()


def test_labels_are_in_order_of_landing_not_of_departure(flights: Flights) -> None:
    found = labels(flights)
    assert (np.diff(found.event_time_ms) >= 0).all()
    assert [orjson.loads(v)["prediction_id"] for v in found.values] != flights.prediction_id.tolist()


def test_a_diverted_flight_gets_no_label(flights: Flights) -> None:
    unknown = np.where(np.arange(len(flights)) == 42, np.nan, 1.0)
    diverted = Flights(
        **{f: getattr(flights, f) for f in Flights.__slots__} | {"air_minutes": unknown, "arrived_late": unknown}
    )
    ids = {orjson.loads(v)["prediction_id"] for v in labels(diverted).values}
    assert ids == set(flights.prediction_id.tolist()) - {"f-42"}
