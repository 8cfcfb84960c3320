"""The demo's model: honest scores for the baseline, the same ones every time."""

import numpy as np
import pytest

from stream.demo import delay_model
from stream.demo.delay_model import days, out_of_fold_scores, train
from stream.demo.flights import Flights


def test_scores_are_probabilities_that_follow_the_delay(flights: Flights) -> None:
    scores = train(flights).scores(flights)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[flights.arrived_late == 1].mean() > scores[flights.arrived_late == 0].mean() + 0.3


def test_two_trainings_give_the_same_scores(flights: Flights) -> None:
    np.testing.assert_array_equal(train(flights).scores(flights), train(flights).scores(flights))


def test_no_flight_of_the_baseline_is_scored_by_a_model_that_saw_its_day(
    flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], set[int]]] = []

    class Spy:
        def __init__(self, learned: Flights) -> None:
            self.learned = set(days(learned.event_time_ms).tolist())

        def scores(self, scored: Flights) -> np.ndarray:
            seen.append((self.learned, set(days(scored.event_time_ms).tolist())))
            return np.zeros(len(scored))

    monkeypatch.setattr(delay_model, "train", Spy)
    out_of_fold_scores(flights)
    assert all(not learned & scored for learned, scored in seen)
    assert set().union(*(scored for _, scored in seen)) == set(days(flights.event_time_ms).tolist())


def test_out_of_fold_scores_are_less_sure_than_those_of_the_training(flights: Flights) -> None:
    """Scores of the training itself separate late from punctual too well: the reason for the folds."""

    def separation(scores: np.ndarray) -> float:
        return float(scores[flights.arrived_late == 1].mean() - scores[flights.arrived_late == 0].mean())

    assert separation(out_of_fold_scores(flights)) < separation(train(flights).scores(flights))


def test_an_unknown_airline_is_a_missing_value_not_another_airline(flights: Flights) -> None:
    model = train(flights)
    strange = Flights(**{f: getattr(flights, f) for f in Flights.__slots__} | {"carrier": np.full(len(flights), "ZZ")})
    assert np.isnan(delay_model._matrix(strange, model.carriers)[:, -1]).all()


def test_diverted_flights_teach_nothing_and_are_scored(flights: Flights) -> None:
    unknown = flights.arrived_late.copy()
    unknown[:100] = np.nan
    some = Flights(**{f: getattr(flights, f) for f in Flights.__slots__} | {"arrived_late": unknown})
    expected = train(flights.rows(np.arange(100, len(flights)))).scores(flights)
    np.testing.assert_array_equal(train(some).scores(some), expected)


def test_no_flights_have_no_scores(flights: Flights) -> None:
    assert len(train(flights).scores(flights.rows(np.arange(0)))) == 0
