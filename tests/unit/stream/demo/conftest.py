"""Small flights, made by hand or by a seed."""

import numpy as np
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.learning import Windows
from stream.demo.control import with_evidence
from stream.demo.delay_model import DAY_MS, DAY_START_MS
from stream.demo.flights import HOUR_MS, NUMERIC, Flights
from stream.demo.settings import WINDOW_MS


def make_flights(rows: int, days: int, seed: int) -> Flights:
    """Flights over whole days in order of time: late arrivals follow late departures."""
    random = np.random.default_rng(seed)
    event_time_ms = np.sort(random.integers(DAY_START_MS, DAY_START_MS + days * DAY_MS, rows))
    numeric = {name: random.normal(size=rows) for name in NUMERIC}
    numeric["dep_delay"] = random.normal(5, 30, rows)
    return Flights(
        event_time_ms=event_time_ms,
        prediction_id=np.array([f"f-{i}" for i in range(rows)]),
        carrier=random.choice(np.array(["AA", "UA"]), rows),
        origin=random.choice(np.array(["EWR", "JFK"]), rows),
        numeric=numeric,
        air_minutes=random.integers(20, 300, rows).astype(np.float64),
        arrived_late=(numeric["dep_delay"] + random.normal(0, 10, rows) > 15).astype(np.float64),
        cancelled=0,
    )


@pytest.fixture
def flights() -> Flights:
    """2,000 flights in 10 days."""
    return make_flights(2_000, days=10, seed=7)


@pytest.fixture
def healthy(flights: Flights) -> Baseline:
    """The baseline of the ten days, with what their windows of 24 h say of each other."""
    return with_evidence(flights, np.full(len(flights), 0.5), Windows((WINDOW_MS,), HOUR_MS))
