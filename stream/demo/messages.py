"""Flights as Kafka carries them: a prediction for each departure, a label for each landing; JSON objects.

The label says whether the flight arrived more than 15 minutes late, and comes when it lands; a diverted
flight gets none. Predictions are keyed by airline, so that the flights of one stay in order; labels
by their prediction's id: the two topics need nothing in common.
Cost: about 310 bytes and 10 microseconds a prediction, 130 bytes and 3 microseconds a label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson

from stream.demo.flights import MINUTE_MS, NUMERIC, Flights, Floats, Integers

MODEL: Final = "flight-delay"
VERSION: Final = "3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Messages for one topic, in order of event time."""

    event_time_ms: Integers  # shape (messages,), ascending
    keys: Sequence[bytes]
    values: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.values)


def predictions(flights: Flights, scores: Floats) -> Messages:
    """One for each flight, when it departs."""
    return Messages(
        event_time_ms=flights.event_time_ms,
        keys=[carrier.encode() for carrier in flights.carrier.tolist()],
        values=list(_predictions(flights, scores)),
    )


def labels(flights: Flights) -> Messages:
    """One for each flight whose arrival is known, when it lands."""
    landed_ms, row = landings(flights)
    landed = flights.rows(row)
    return Messages(
        event_time_ms=landed_ms,
        keys=[prediction_id.encode() for prediction_id in landed.prediction_id.tolist()],
        values=list(_labels(landed, landed_ms)),
    )


def landings(flights: Flights) -> tuple[Integers, Integers]:
    """When flights land, in order, and which row each is; diverted ones are left out. Both of shape (labels,)."""
    known = np.flatnonzero(~np.isnan(flights.air_minutes) & ~np.isnan(flights.arrived_late))
    landed_ms = flights.event_time_ms[known] + flights.air_minutes[known].astype(np.int64) * MINUTE_MS
    order = np.argsort(landed_ms, kind="stable")
    return landed_ms[order], known[order]


def _predictions(flights: Flights, scores: Floats) -> Iterator[bytes]:
    """The values in the order of the flights; a missing value is null, never NaN."""
    features = zip(*(_nullable(flights.numeric[name]) for name in NUMERIC), flights.carrier.tolist(), strict=True)
    names = (*NUMERIC, "carrier")
    columns = zip(
        flights.prediction_id.tolist(),
        _times(flights.event_time_ms),
        scores.tolist(),
        features,
        flights.origin.tolist(),
        strict=True,
    )
    for prediction_id, time, score, row, origin in columns:
        yield _compact(
            {
                "prediction_id": prediction_id,
                "model": MODEL,
                "version": VERSION,
                "ts": f"{time}Z",
                "score": score,
                "features": dict(zip(names, row, strict=True)),
                "segment": {"origin": origin},
            }
        )


def _labels(landed: Flights, landed_ms: Integers) -> Iterator[bytes]:
    late = landed.arrived_late.astype(np.int64).tolist()
    for prediction_id, label, time in zip(landed.prediction_id.tolist(), late, _times(landed_ms), strict=True):
        yield _compact({"prediction_id": prediction_id, "model": MODEL, "label": label, "ts": f"{time}Z"})


def _compact(message: dict[str, object]) -> bytes:
    """JSON in memory of its own size: orjson's bytes keep the 4 KB that they were written into, 2 GB in all."""
    return bytes(memoryview(orjson.dumps(message)))


def _times(event_time_ms: Integers) -> list[str]:
    times: list[str] = np.datetime_as_string(event_time_ms.astype("datetime64[ms]"), unit="s").tolist()
    return times


def _nullable(column: Floats) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]
