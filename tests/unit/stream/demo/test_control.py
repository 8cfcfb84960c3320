"""The control: odd days against even days, in the service's own bins."""

import numpy as np
from sklearn.metrics import roc_auc_score

from detectors.divergence import psi
from stream.baselines.baseline import CategoricalSeries
from stream.demo.control import baseline, daily_psi, labels_of_odd_days, odd_days_against_even
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


def scores_of(flights: Flights) -> np.ndarray:
    """Of 50 values, so that each has a bin of its own and AUC is exact."""
    return np.round(1 / (1 + np.exp(-(flights.numeric["dep_delay"] - 15) / 10)) * 49) / 49


def test_auc_of_each_odd_day_is_that_of_its_rows(flights: Flights) -> None:
    scores, day = scores_of(flights), days(flights.event_time_ms)
    found = labels_of_odd_days(flights, scores)
    expected = [roc_auc_score(flights.arrived_late[day == d], scores[day == d]) for d in (1, 3, 5, 7, 9)]
    np.testing.assert_allclose([d.auc for d in found], expected, rtol=1e-12)
    assert sum(d.doubted for d in found) <= 1  # one in a thousand, if days differ by chance only


def test_a_day_on_which_scores_mean_something_else_puts_the_estimate_in_doubt(flights: Flights) -> None:
    day = days(flights.event_time_ms)
    turned = np.where(day == 3, 1 - flights.arrived_late, flights.arrived_late)
    strange = Flights(**{f: getattr(flights, f) for f in Flights.__slots__} | {"arrived_late": turned})
    found = labels_of_odd_days(strange, scores_of(flights))
    assert [d.doubted for d in found] == [False, True, False, False, False]


def test_the_baseline_knows_its_labels_but_for_the_diverted_flights(flights: Flights) -> None:
    unknown = np.where(np.arange(len(flights)) < 100, np.nan, flights.arrived_late)
    diverted = Flights(**{f: getattr(flights, f) for f in Flights.__slots__} | {"arrived_late": unknown})
    labelled = baseline(diverted, scores_of(flights)).labelled
    assert labelled is not None
    assert sum(labelled.positives) == np.nansum(unknown)
    assert sum(labelled.negatives) + sum(labelled.positives) == len(flights) - 100
