"""The demo's model: will this flight arrive more than 15 minutes late?

Trained on January to March 2013, frozen, scores every departure from April on. Small on purpose
(60 trees of 15 leaves, about 0.3 s to train); it is not what the demo shows.

The baseline's scores are out of fold: a model scores the days that it was trained on too well
(AUC 0.929 there, 0.914 on days held out, 0.909 from April to September), so each day of the baseline
is scored by a model that never saw a flight of that day. Whole days, because flights of one day
share their weather.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stream.demo.flights import HOUR_MS, NUMERIC, Flights, Floats, Integers, Words

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

SEED: Final = 20130401
FOLDS: Final = 5
TREES: Final = 60
LEAVES_PER_TREE: Final = 15
DAY_MS: Final = 24 * HOUR_MS
DAY_START_MS: Final = 5 * HOUR_MS  # days begin at 05:00 UTC: midnight in New York in winter


@dataclass(frozen=True)
class DelayModel:
    """A trained classifier and the airlines that it knows; an airline that it does not know is a missing value."""

    classifier: "HistGradientBoostingClassifier"
    carriers: Words  # shape (airlines,), ascending

    def scores(self, flights: Flights) -> Floats:
        """P(arrival more than 15 minutes late), shape (rows,), in [0, 1]."""
        if len(flights) == 0:
            return np.empty(0, np.float64)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            probabilities: Floats = self.classifier.predict_proba(_matrix(flights, self.carriers))[:, 1]
        return probabilities


def train(flights: Flights) -> DelayModel:
    """A model of these flights; those whose delay is not known (diverted) teach it nothing."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    known = flights.rows(np.flatnonzero(~np.isnan(flights.arrived_late)))
    carriers = np.unique(known.carrier)
    classifier = HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=LEAVES_PER_TREE,
        categorical_features=[len(NUMERIC)],
        early_stopping=False,
        random_state=SEED,
    )
    with threadpool_limits(1):  # its threads spin: on a busy machine more of them are many times slower
        classifier.fit(_matrix(known, carriers), known.arrived_late)
    return DelayModel(classifier, carriers)


def out_of_fold_scores(flights: Flights) -> Floats:
    """Each flight's score by a model that was trained on other days only, shape (rows,)."""
    scores = np.empty(len(flights), np.float64)
    fold = days(flights.event_time_ms) % FOLDS
    for held_out in range(FOLDS):
        model = train(flights.rows(np.flatnonzero(fold != held_out)))
        rows = np.flatnonzero(fold == held_out)
        scores[rows] = model.scores(flights.rows(rows))
    return scores


def days(event_time_ms: Integers) -> Integers:
    """The number of the day of each event, shape (rows,).

    >>> days(np.array([DAY_START_MS - 1, DAY_START_MS, DAY_START_MS + DAY_MS]))
    array([-1,  0,  1])
    """
    number: Integers = (event_time_ms - DAY_START_MS) // DAY_MS
    return number


def _matrix(flights: Flights, carriers: Words) -> Floats:
    """What the classifier sees, shape (rows, numeric + 1): the numeric columns and the airline's number."""
    index = np.minimum(np.searchsorted(carriers, flights.carrier), len(carriers) - 1)
    carrier = np.where(carriers[index] == flights.carrier, index, np.nan)
    return np.column_stack([*(flights.numeric[name] for name in NUMERIC), carrier])
