"""When the demo ends: by a rule about what was published, not by a timer."""

import numpy as np

from stream.demo.flights import HOUR_MS, MINUTE_MS
from stream.demo.results import Report
from stream.demo.watch import Found, window_ends_ms
from tests.unit.stream.demo.made import performance


def report(end_ms: int) -> Report:
    return Report(
        window_start_ms=0, window_end_ms=end_ms, n=1, complete=True, psi={}, breaches=frozenset(), auc_estimated=0.9
    )


def test_both_the_last_window_of_predictions_and_that_of_labels_are_waited_for() -> None:
    _, last_ms = window_ends_ms(np.array([0, 30 * HOUR_MS + 40 * MINUTE_MS]))
    found = Found()
    found.results.reports[last_ms] = report(last_ms)
    assert not found.has(last_ms)
    found.results.performance.add(performance(last_ms - HOUR_MS, 0.9))
    assert not found.has(last_ms)
    found.results.performance.add(performance(last_ms, 0.9))
    assert found.has(last_ms)
