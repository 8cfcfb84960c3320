"""The summary says what the messages say, also when that is bad news."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stream.baselines.baseline import Baseline
from stream.demo.fault import KILOMETRES
from stream.demo.flights import HOUR_MS
from stream.demo.replayed import Replayed, Truth
from stream.demo.results import AlertMessage, PsiSeries, Report, Results
from stream.demo.settings import SERIES
from stream.demo.summary import Healthy, alerts, counted, first_fault, plain_rule, summary
from stream.demo.verification import Verification

START_MS = KILOMETRES.start_ms
DAY_MS = 24 * HOUR_MS
EVENTS = START_MS + np.arange(-2 * DAY_MS, 2 * DAY_MS, HOUR_MS)  # one row an hour
TRUTH = Truth(landed_ms=EVENTS[:0], departed_ms=EVENTS[:0], scores=np.empty(0), late=np.empty(0))
REPLAYED = Replayed(event_time_ms=EVENTS, truth=TRUTH, stuck_at=-3.0, cancelled=3, dead_letters=0)

VERIFIED = {
    "a": Verification(result="equal", messages=2, reason=""),
    "b": Verification(result="unequal", messages=1, reason=""),
}


def results_with(distance_psi: dict[int, float], *, n: int = 24) -> Results:
    """Reports of windows that end so many hours after the fault began; above 0.1 they are in breach."""
    results = Results()
    for hours, value in distance_psi.items():
        end_ms = START_MS + hours * HOUR_MS
        psi = dict.fromkeys(SERIES, 0.01) | {"distance": value}
        results.reports[end_ms] = Report(
            window_start_ms=end_ms - DAY_MS,
            window_end_ms=end_ms,
            n=n,
            complete=True,
            psi=psi,
            breaches=frozenset({"distance"} if value > 0.1 else ()),
            auc_estimated=0.9,
        )
    return results


def alert_at(hours: int, severity: str = "warning") -> AlertMessage:
    return AlertMessage(
        id="a", status="firing", severity=severity, check="psi", subject="distance",
        window_end_ms=START_MS + hours * HOUR_MS, value=0.2, threshold=0.1, n=24,
    )  # fmt: skip


def test_found_in_the_first_window_in_breach() -> None:
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


def test_each_alert_has_its_cause_and_they_are_counted(healthy: Baseline) -> None:
    results = results_with({0: 0.03})
    results.alerts += [
        replace(alert_at(-30), id="a"),
        replace(alert_at(7), id="b"),
        replace(alert_at(7), id="c", check="auc", subject="score"),
    ]
    said = "\n".join(alerts(results, healthy, VERIFIED))
    assert "PSI of distance: 2" in said
    assert said.index("cause: NOT KNOWN") < said.index("cause: the injected fault: distance in kilometres\n")
    assert "AUC of score: 1" in said
    assert re.search(r"verify: equal in 2 messages\n.*\n.*\n +verify: UNEQUAL\n", said)
    assert said.count("verify: NOT IN THE TOPIC") == 1
    assert "1 equal, 1 unequal, 1 not verified" in said
    assert "In all 3: 2 of the injected faults, 0 with another true cause, 1 without a known one." in said


def test_an_alert_that_verify_does_not_find_is_said(healthy: Baseline) -> None:
    results = results_with({0: 0.03})
    results.alerts.append(alert_at(7))
    assert "verify: NOT IN THE TOPIC" in "\n".join(alerts(results, healthy, {}))


def test_no_alert_is_said(healthy: Baseline) -> None:
    assert alerts(results_with({0: 0.03}), healthy, {})[1:] == ["  none"]


def test_the_rule_of_thumb_is_counted_until_the_fault() -> None:
    # In alarm at -61, and 25 hours later again: two alerts, since one ends a window's length after its last breach.
    # What the fault does does not count.
    results = results_with({-61: 0.3, -60: 0.1, -36: 0.3, -30: 0.3, 0: 0.2, 1: 0.3})
    results.alerts += [alert_at(-36), replace(alert_at(1), id="b")]
    said = "\n".join(plain_rule(results))
    assert re.search(r"distance +2 +60.0% +1\n", said)
    assert re.search(r"temp +0 +0.0% +0\n", said)
    assert re.search(r"in all +2 +1$", said)


def test_the_control_stands_beside_the_replay(healthy: Baseline) -> None:
    control = [PsiSeries(name=n, window_end_ms=np.arange(4), psi=np.full(4, 3.0), n=np.full(4, 900)) for n in SERIES]
    known = Healthy(baseline=healthy, control=control, control_days=[])
    said = summary(results_with({0: 0.03, 6: 0.2}), REPLAYED, known, {})
    assert re.search(r"distance +3.000 +3.000 +100.0% +0.030 +0.030 +0.0%", said)
