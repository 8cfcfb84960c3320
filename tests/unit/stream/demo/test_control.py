"""The control: odd days against even days, in the service's own bins."""

import numpy as np

from detectors.divergence import psi
from stream.baselines.baseline import CategoricalSeries
from stream.demo.control import baseline, daily_psi, odd_days_against_even
from stream.demo.delay_model import days
from stream.demo.flights import Flights


def test_one_row_per_odd_day_and_series(flights: Flights) -> None:
    control = odd_days_against_even(flights, np.zeros(len(flights)))
    odd = {d for d in days(flights.event_time_ms).tolist() if d % 2}
    assert {len(series.psi) for series in control} == {len(odd)}
    assert {series.name for series in control} >= {"distance", "hour", "carrier", "temp", "score"}


def test_the_airlines_psi_is_that_of_counting_them_by_hand(flights: Flights) -> None:
    scores = np.zeros(len(flights))
    against = baseline(flights, scores)
    carriers = next(s for s in against.series if isinstance(s, CategoricalSeries))
    first_day = flights.carrier[days(flights.event_time_ms) == 0]
    current = np.array([(first_day == c).sum() for c in carriers.categories])
    found = next(s for s in daily_psi(against, flights, scores) if s.name == "carrier")
    np.testing.assert_allclose(found.psi[0], psi(np.array(carriers.counts), current), rtol=1e-12)


def test_an_airline_that_the_baseline_has_not_is_seen(flights: Flights) -> None:
    against = baseline(flights, np.zeros(len(flights)))
    strange = Flights(**{f: getattr(flights, f) for f in Flights.__slots__} | {"carrier": np.full(len(flights), "ZZ")})
    found = next(s for s in daily_psi(against, strange, np.zeros(len(flights))) if s.name == "carrier")
    assert (found.psi > 3).all()


def test_a_feature_that_is_one_per_day_wanders_and_one_that_is_drawn_anew_does_not(flights: Flights) -> None:
    """Why temperature exceeds every limit without any season: a day is warm or cold as a whole."""
    of_the_day = np.random.default_rng(3).normal(size=10)[days(flights.event_time_ms)]
    control = odd_days_against_even(flights.replaced("temp", of_the_day), np.zeros(len(flights)))
    by_name = {series.name: series for series in control}
    assert np.median(by_name["temp"].psi) > 1
    assert np.median(by_name["pressure"].psi) < 0.25
