"""Everything that is known before the first message: flights, model, baseline, control, messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from stream.baselines.baseline import Baseline
from stream.demo import control, delay_model, messages
from stream.demo.fault import FAULT_FEATURE, with_fault
from stream.demo.flights import REPLAY_START_MS, Flights, load_flights
from stream.demo.replay import Published
from stream.demo.results import PsiSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the demo replays, and what it compares it with."""

    trained_on: int  # flights of January to March
    baseline: Baseline  # of those flights, with their out-of-fold scores; not numbered yet
    control: Sequence[PsiSeries]
    published: Published  # from April on, the fault included
    cancelled: int


def prepare() -> Prepared:
    """Takes about 8 s.

    Raises:
        CallerError: the demo's data are not installed.
    """
    flights = load_flights()
    begin_ms, end_ms = int(flights.event_time_ms[0]), int(flights.event_time_ms[-1]) + 1
    winter = flights.between(begin_ms, REPLAY_START_MS)
    replayed = _broken(flights.between(REPLAY_START_MS, end_ms))
    winter_scores = delay_model.out_of_fold_scores(winter)
    scores = delay_model.train(winter).scores(replayed)
    return Prepared(
        trained_on=len(winter),
        baseline=control.baseline(winter, winter_scores),
        control=control.odd_days_against_even(winter, winter_scores),
        published=Published(
            event_time_ms=replayed.event_time_ms,
            keys=messages.keys(replayed),
            values=list(messages.values(replayed, scores)),
        ),
        cancelled=flights.cancelled,
    )


def _broken(replayed: Flights) -> Flights:
    """The flights as the producer's pipeline sees them; the model gets the same."""
    return replayed.replaced(FAULT_FEATURE, with_fault(replayed.numeric[FAULT_FEATURE], replayed.event_time_ms))
