"""What the summary says of labels and of the second fault, also when that is bad news."""

from dataclasses import replace

import numpy as np
import pytest

from stream.demo.control import ControlDay
from stream.demo.fault import STUCK
from stream.demo.flights import HOUR_MS
from stream.demo.labels_summary import doubt_since, exact_auc_within_bounds, labels, second_fault
from stream.demo.performance import Cohort, Performance
from stream.demo.replayed import Replayed, Truth
from stream.demo.results import AlertMessage, Report, Results
from stream.demo.settings import SERIES
from tests.unit.stream.demo.made import performance

DAY_MS = 24 * HOUR_MS
START_MS = STUCK.start_ms
DEPARTED = START_MS + np.arange(-4 * DAY_MS, 4 * DAY_MS, HOUR_MS)  # one flight an hour, two hours in the air
LATE = (np.arange(len(DEPARTED)) % 3 == 0).astype(np.float64)
TRUTH = Truth(landed_ms=DEPARTED + 2 * HOUR_MS, departed_ms=DEPARTED, scores=0.2 + 0.6 * LATE, late=LATE)
REPLAYED = Replayed(event_time_ms=DEPARTED, truth=TRUTH, stuck_at=-3.0, cancelled=0, dead_letters=0)
CONTROL = [ControlDay(end_ms=0, auc=0.85, doubted=True), ControlDay(end_ms=DAY_MS, auc=0.95, doubted=False)]


def results_with(auc: dict[int, float], *, doubted: tuple[int, ...] = ()) -> Results:
    """Reports of windows that end so many hours after the fault began."""
    results = Results()
    for hours, value in auc.items():
        end_ms = START_MS + hours * HOUR_MS
        results.performance.add(performance(end_ms, value, reliable=hours not in doubted))
        psi = dict.fromkeys(SERIES, 0.5 if hours <= 0 else 12.0)
        results.reports[end_ms] = Report(
            window_start_ms=end_ms - DAY_MS, window_end_ms=end_ms, n=24, complete=True, psi=psi,
            breaches=frozenset(), auc_estimated=0.9 if hours <= 0 else 0.6,
        )  # fmt: skip
    return results


def alert_at(hours: int, status: str = "firing") -> AlertMessage:
    return AlertMessage(
        id="a", status=status, severity="warning", check="auc", subject="score",
        window_end_ms=START_MS + hours * HOUR_MS, value=0.7, threshold=0.714, n=24,
    )  # fmt: skip


def said_of(results: Results) -> str:
    return "\n".join(second_fault(results, REPLAYED, CONTROL))


FOUND = {0: 0.9, 8: 0.85, 12: 0.8, 15: 0.7, 40: 0.5, 60: 0.5}


def test_first_the_doubt_then_the_alert() -> None:
    results = results_with(FOUND, doubted=(12, 15, 40))
    results.alerts.append(alert_at(15))
    said = said_of(results)
    assert "First the estimate's doubt, 3 h before the alert: window ends 2013-11-01 16:00, AUC 0.800" in said
    assert "10 of its 24 labels from such flights" in said  # landed in the first 12 hours, 2 of them in the air
    assert "Then the alert: warning, window ends 2013-11-01 19:00, AUC 0.700" in said
    assert "AUC alerts before it: none." in said
    assert "The alert still fires at the end." in said


def test_a_doubt_that_is_older_than_the_fault_is_not_credited_to_it() -> None:
    results = results_with({-1: 0.9, **FOUND}, doubted=(-1, 0, 8, 12, 15))
    results.alerts.append(alert_at(15))
    assert "already BEFORE the fault" in said_of(results)


def test_an_alert_without_a_doubt_is_said() -> None:
    results = results_with(FOUND)
    results.alerts.append(alert_at(15))
    assert "NOT in doubt" in said_of(results)


def test_a_missing_alert_is_said() -> None:
    assert "NO AUC ALERT" in said_of(results_with(FOUND))


def test_an_alert_that_fired_already_is_not_taken_for_finding_it() -> None:
    results = results_with({-3: 0.6, **FOUND})
    results.alerts.append(alert_at(-3))
    assert "FIRING ALREADY" in said_of(results)


def test_an_alert_that_was_over_before_it_is_counted() -> None:
    results = results_with({-3: 0.6, -2: 0.9, **FOUND})
    results.alerts += [alert_at(-3), alert_at(-2, "resolved")]
    said = said_of(results)
    assert "AUC alerts before it: 1." in said
    assert "NO AUC ALERT" in said


def test_what_the_estimate_alone_would_have_said_stands_beside_it() -> None:
    said = said_of(results_with(FOUND))
    assert "median 0.900 before, 0.600 after" in said
    assert "first below the limit at 2013-11-01 12:00" in said
    assert "PSI of dep_delay: at most 0.50 before it, at least 12.00 with stuck values only; NO ALERT" in said


def test_that_drift_showed_it_without_a_label_is_said() -> None:
    results = results_with(FOUND)
    results.alerts += [replace(alert_at(h), id=str(h), check="psi", subject="dep_delay") for h in (-3, 8)]
    assert "stuck values only; alerted at 2013-11-01 12:00, without a label" in said_of(results)


def test_the_control_says_how_much_a_doubt_means() -> None:
    assert "in 1 of the control's 2 days" in said_of(results_with(FOUND))


def test_windows_on_one_side_only_tell_nothing() -> None:
    assert "No windows of labels on both sides" in said_of(results_with({0: 0.9}))


@pytest.mark.parametrize(("n", "exact"), [(24, 1), (23, 0)])
def test_the_labels_of_each_window_are_compared_with_those_published(n: int, exact: int) -> None:
    results = Results()
    results.performance.add(performance(START_MS, 0.9, n=n))
    assert f"in {exact} of them the service joined exactly the labels" in "\n".join(labels(results, REPLAYED))


@pytest.mark.parametrize(("labelled", "exact"), [(24, 1), (23, 0)])
def test_each_day_is_compared_with_what_was_published_once_all_have_landed(labelled: int, exact: int) -> None:
    results = Results()
    begins = [START_MS - 3 * DAY_MS, START_MS - DAY_MS]  # the second one's flights are still in the air
    days = tuple(Cohort(start_ms=b, end_ms=b + DAY_MS, predictions=24, labelled=labelled) for b in begins)
    results.performance.add(performance(START_MS, 0.9, cohorts=days))
    assert f"1 days by departure; in {exact} of them" in "\n".join(labels(results, REPLAYED))


@pytest.mark.parametrize(("auc", "within"), [(1.0, 1), (0.9, 0)])
def test_auc_of_the_rows_is_held_against_the_bounds(auc: float, within: int) -> None:
    midnight_ms = START_MS // DAY_MS * DAY_MS
    windows = [performance(midnight_ms, auc), performance(midnight_ms + HOUR_MS, 0.1)]
    assert exact_auc_within_bounds(windows, REPLAYED) == (1, within)


def test_the_doubt_is_the_unbroken_stretch() -> None:
    def window(hours: int, reliable: bool | None) -> Performance:
        return performance(hours * HOUR_MS, 0.9, reliable=reliable)

    windows = [window(1, False), window(2, None), window(3, False), window(4, False), window(5, True)]
    assert doubt_since(windows, 4 * HOUR_MS) == windows[2]
    assert doubt_since(windows, 5 * HOUR_MS) is None
