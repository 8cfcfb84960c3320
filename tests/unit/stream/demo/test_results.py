"""Reports and alerts, read back."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stream.demo.performance import AUC, Performance
from stream.demo.results import PSI, Results
from stream.records.times import epoch_ms

START = "2013-10-01T00:00:00Z"


def report(end: str, value: float | None, *, n: int = 900, complete: bool = True) -> bytes:
    check = {
        "check": "psi",
        "subject": "distance",
        "value": value,
        "n": n,
        "verdict": "undefined" if value is None else "warning",
    }
    return orjson.dumps(
        {
            "schema": "driftline.report/1",
            "window": {"start": START, "end": end},
            "n": n,
            "complete": complete,
            "checks": [check],
            "estimates": None if value is None else {"auc": value},
        }
    )


def alert(end: str, severity: str, *, status: str = "firing", episode: str = "9f2c", check: str = "psi") -> bytes:
    return orjson.dumps(
        {
            "id": episode,
            "status": status,
            "severity": severity,
            "labels": {"check": check, "subject": "distance"},
            "value": 0.3,
            "threshold": 0.25,
            "evidence": {"n": 912, "window": {"start": START, "end": end}},
        }
    )


def test_series_are_in_order_of_time_and_undefined_is_nan() -> None:
    results = Results()
    results.add_report(report("2013-10-02T02:00:00Z", None))
    results.add_report(report("2013-10-02T01:00:00Z", 0.5))
    (distance,) = results.series(["distance"])
    assert distance.window_end_ms.tolist() == [epoch_ms("2013-10-02T01:00:00Z"), epoch_ms("2013-10-02T02:00:00Z")]
    np.testing.assert_array_equal(distance.psi, [0.5, np.nan])


def test_a_revised_report_replaces_and_is_counted() -> None:
    results = Results()
    for value in (0.5, 0.6):
        results.add_report(report("2013-10-02T01:00:00Z", value))
    assert results.series(["distance"])[0].psi.tolist() == [0.6]
    assert results.revised == 1


def test_a_window_that_was_still_filling_is_not_shown() -> None:
    results = Results()
    results.add_report(report("2013-10-01T01:00:00Z", 3.0, complete=False))
    assert len(results.series(["distance"])[0].psi) == 0


def test_an_episode_keeps_each_change_of_severity_and_its_end() -> None:
    results = Results()
    for end, severity, status in [
        ("01", "warning", "firing"),
        ("02", "critical", "firing"),
        ("05", "critical", "resolved"),
    ]:
        results.add_alert(alert(f"2013-10-02T{end}:00:00Z", severity, status=status))
    (episode,) = results.episodes(PSI)
    assert [c.severity for c in episode.changes] == ["warning", "critical"]
    assert episode.begins.at_ms == epoch_ms("2013-10-02T01:00:00Z")
    assert episode.resolved_at_ms == epoch_ms("2013-10-02T05:00:00Z")


def test_a_report_says_which_series_are_in_breach() -> None:
    results = Results()
    results.add_report(report("2013-10-02T01:00:00Z", None))
    results.add_report(report("2013-10-02T02:00:00Z", 0.5))
    assert [w.breaches for w in results.complete_windows()] == [frozenset(), {"distance"}]


def test_an_alert_brings_its_evidence() -> None:
    message = orjson.loads(alert("2013-10-02T00:00:00Z", "warning"))
    message["evidence"] |= {"p_value": 1e-9, "level": 1e-4, "bins": {"current": [1, 2]}}
    results = Results()
    results.add_alert(orjson.dumps(message))
    (episode,) = results.episodes()
    assert (episode.begins.p_value, episode.begins.level, episode.begins.current) == (1e-9, 1e-4, (1, 2))


def test_a_repeated_message_changes_nothing() -> None:
    results = Results()
    for _ in range(2):
        results.add_alert(alert("2013-10-02T01:00:00Z", "warning"))
    (episode,) = results.episodes(PSI)
    assert len(episode.changes) == 1
    assert episode.resolved_at_ms is None


def test_episodes_are_in_order_of_time_whatever_the_order_of_arrival() -> None:
    results = Results()
    results.add_alert(alert("2013-10-03T00:00:00Z", "warning", episode="b"))
    results.add_alert(alert("2013-10-02T00:00:00Z", "warning", episode="a"))
    assert [e.id for e in results.episodes(PSI)] == ["a", "b"]


def test_alerts_of_another_check_are_apart() -> None:
    results = Results()
    results.add_alert(alert("2013-10-02T00:00:00Z", "warning", episode="a"))
    results.add_alert(alert("2013-10-03T00:00:00Z", "warning", episode="b", check="auc"))
    assert [e.id for e in results.episodes(AUC)] == ["b"]


def test_the_estimate_of_a_window_is_kept_and_none_is_nan() -> None:
    results = Results()
    results.add_report(report("2013-10-02T01:00:00Z", 0.5))
    results.add_report(report("2013-10-02T02:00:00Z", None))
    ends_ms, estimates = results.estimates()
    assert ends_ms.tolist() == [epoch_ms("2013-10-02T01:00:00Z"), epoch_ms("2013-10-02T02:00:00Z")]
    np.testing.assert_array_equal(estimates, [0.5, np.nan])


def example() -> dict[str, Any]:
    """The performance report of the schema, whose examples the service's own tests hold against the service."""
    schema = orjson.loads((Path(__file__).parents[4] / "schemas" / "performance.schema.json").read_bytes())
    found: dict[str, Any] = schema["examples"][0]
    return found


def test_what_the_labels_said_is_told_from_drift_and_read() -> None:
    results, message = Results(), example()
    found = results.add_report(orjson.dumps(message))
    assert isinstance(found, Performance)
    assert not results.reports
    assert results.performance.windows == {epoch_ms(message["window"]["end"]): found}
    assert (found.n, found.auc, found.auc_low) == (
        message["n"],
        message["metrics"]["auc"],
        message["metrics"]["auc_low"],
    )
    assert found.reliable == message["estimate"]["reliable"]
    assert {c.predictions for c in results.performance.cohorts.values()} == {
        c["predictions"] for c in message["cohorts"]
    }


def test_labels_that_determine_nothing_are_nan() -> None:
    message = example()
    message["metrics"] |= {"auc": None, "auc_low": None, "auc_high": None, "auc_se": None}
    message["estimate"] = None
    found = Results().add_report(orjson.dumps(message))
    assert isinstance(found, Performance)
    assert np.isnan([found.auc, found.auc_low, found.auc_se, found.estimated]).all()
    assert found.reliable is None


def test_a_cohort_is_as_it_was_last_said() -> None:
    results = Results()
    for labelled in (1, 5):
        message = example()
        message["cohorts"][0]["labelled"] = labelled
        results.add_report(orjson.dumps(message))
    start_ms = epoch_ms(example()["cohorts"][0]["start"])
    assert results.performance.cohorts[start_ms].labelled == 5
    assert results.performance.revised == 1
