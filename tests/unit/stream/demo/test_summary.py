"""The summary says what the messages say, also when that is bad news."""

import numpy as np
import pytest

from stream.demo.fault import KILOMETRES
from stream.demo.flights import HOUR_MS
from stream.demo.replayed import Replayed, Truth
from stream.demo.results import AlertMessage, PsiSeries, Report, Results
from stream.demo.settings import ALERTED, WANDERING
from stream.demo.summary import alerts, counted, first_fault, summary

START_MS = KILOMETRES.start_ms
DAY_MS = 24 * HOUR_MS
EVENTS = START_MS + np.arange(-2 * DAY_MS, 2 * DAY_MS, HOUR_MS)  # one row an hour
TRUTH = Truth(landed_ms=EVENTS[:0], departed_ms=EVENTS[:0], scores=np.empty(0), late=np.empty(0))
REPLAYED = Replayed(event_time_ms=EVENTS, truth=TRUTH, stuck_at=-3.0, cancelled=3, dead_letters=0)


def results_with(distance_psi: dict[int, float], *, n: int = 24) -> Results:
    """Reports of windows that end so many hours after the fault began."""
    results = Results()
    for hours, value in distance_psi.items():
        end_ms = START_MS + hours * HOUR_MS
        psi = dict.fromkeys([*ALERTED, *WANDERING], 0.01) | {"distance": value}
        results.reports[end_ms] = Report(
            window_start_ms=end_ms - DAY_MS, window_end_ms=end_ms, n=n, complete=True, psi=psi, auc_estimated=0.9
        )
    return results


def alert_at(hours: int, severity: str = "warning") -> AlertMessage:
    return AlertMessage(
        id="a", status="firing", severity=severity, check="psi", subject="distance",
        window_end_ms=START_MS + hours * HOUR_MS, value=0.2, threshold=0.1, n=24,
    )  # fmt: skip


def test_found_in_the_first_window_above_the_limit() -> None:
    results = results_with({0: 0.03, 6: 0.09, 7: 0.2, 24: 0.8})
    results.alerts.append(alert_at(7))
    said = "\n".join(first_fault(results, REPLAYED))
    assert "highest PSI of distance in 1 windows was 0.030" in said
    assert "ends 2013-10-01 11:00, PSI 0.200, 7 of its 24 rows in kilometres" in said
    assert "that very window" in said
    assert "ends 2013-10-02 04:00, PSI 0.800, 24 of its 24 rows" in said


def test_an_alert_of_another_window_is_called_wrong() -> None:
    results = results_with({6: 0.2, 7: 0.3})
    results.alerts.append(alert_at(7))
    assert "ANOTHER WINDOW" in "\n".join(first_fault(results, REPLAYED))


def test_a_missing_alert_is_said() -> None:
    assert "NO ALERT" in "\n".join(first_fault(results_with({6: 0.2}), REPLAYED))


def test_a_fault_that_no_window_shows_is_said() -> None:
    assert "NOT FOUND" in "\n".join(first_fault(results_with({6: 0.02}), REPLAYED))


def test_an_alert_before_the_fault_is_not_taken_for_finding_it() -> None:
    results = results_with({-1: 0.2, 6: 0.2})
    results.alerts.append(alert_at(-1))
    assert "NO ALERT" in "\n".join(first_fault(results, REPLAYED))


@pytest.mark.parametrize(("n", "exact"), [(24, 1), (23, 0)])
def test_the_rows_of_each_window_are_compared_with_what_was_published(n: int, exact: int) -> None:
    said = "\n".join(counted(results_with({0: 0.03}, n=n), REPLAYED))
    assert f"in {exact} of them the service counted exactly" in said


def test_an_alert_of_a_switched_off_series_is_said() -> None:
    results = results_with({0: 0.03})
    results.alerts.append(
        AlertMessage(id="b", status="firing", severity="critical", check="psi", subject="visib",
                     window_end_ms=START_MS, value=9.0, threshold=0.25, n=24)
    )  # fmt: skip
    assert "visib: alerted, although it is switched off" in "\n".join(alerts(results))


def test_the_control_tells_which_alerts_say_little() -> None:
    names = [*ALERTED, *WANDERING]
    control = [
        PsiSeries(name=n, window_end_ms=np.arange(4), psi=np.full(4, 3.0 if n == "temp" else 0.01), n=np.full(4, 900))
        for n in names
    ]
    said = summary(results_with({0: 0.03, 6: 0.2}), REPLAYED, control, [])
    assert "So does temp, in 100% of the control's days" in said
    assert "So does distance" not in said
