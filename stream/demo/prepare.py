"""Everything that is known before the first message: flights, model, baseline, control, messages, and the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from stream.baselines.baseline import Baseline
from stream.baselines.learning import Windows
from stream.demo import control, delay_model, messages
from stream.demo.control import ControlDay
from stream.demo.fault import STUCK, broken, stuck_from
from stream.demo.flights import HOUR_MS, REPLAY_START_MS, load_flights
from stream.demo.replay import Published, merged
from stream.demo.replayed import Truth
from stream.demo.results import PsiSeries
from stream.demo.settings import WINDOW_MS
from stream.demo.tables import REPLAYED_FILE, WINTER_FILE, table_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the demo replays, and what it compares it with."""

    trained_on: int  # flights of January to March
    baseline: Baseline  # of those flights, with their out-of-fold scores and evidence; not numbered
    control: Sequence[PsiSeries]
    control_days: Sequence[ControlDay]
    published: Published  # from April on, the faults included
    truth: Truth
    cancelled: int
    stuck_at: float  # minutes: the `dep_delay` that the second fault repeats
    tables: Mapping[str, pa.Table]  # by file: the flights that the model learned from, and those replayed


def prepare() -> Prepared:
    """Takes about 8 s.

    Raises:
        CallerError: the demo's data are not installed.
    """
    flights = load_flights()
    begin_ms, end_ms = int(flights.event_time_ms[0]), int(flights.event_time_ms[-1]) + 1
    winter = flights.between(begin_ms, REPLAY_START_MS)
    replayed = broken(flights.between(REPLAY_START_MS, end_ms))
    winter_scores = delay_model.out_of_fold_scores(winter)
    scores = delay_model.train(winter).scores(replayed)
    return Prepared(
        trained_on=len(winter),
        baseline=control.with_evidence(winter, winter_scores, Windows((WINDOW_MS,), HOUR_MS)),
        control=control.odd_days_against_even(winter, winter_scores),
        control_days=control.labels_of_odd_days(winter, winter_scores),
        published=merged(messages.predictions(replayed, scores), messages.labels(replayed)),
        truth=Truth.of(replayed, scores),
        cancelled=flights.cancelled,
        stuck_at=float(replayed.numeric[STUCK.feature][stuck_from(replayed.event_time_ms)]),
        tables={WINTER_FILE: table_of(winter, winter_scores), REPLAYED_FILE: table_of(replayed, scores)},
    )
