"""Reports and alerts, read back."""

import numpy as np
import orjson

from stream.demo.results import Results, epoch_ms

START = "2013-10-01T00:00:00Z"


def report(end: str, value: float | None, *, n: int = 900, complete: bool = True) -> bytes:
    check = {"check": "psi", "subject": "distance", "value": value, "n": n}
    return orjson.dumps({"window": {"start": START, "end": end}, "n": n, "complete": complete, "checks": [check]})


def alert(end: str, severity: str, *, status: str = "firing", episode: str = "9f2c", value: float = 0.3) -> bytes:
    return orjson.dumps(
        {
            "id": episode,
            "status": status,
            "severity": severity,
            "labels": {"subject": "distance"},
            "value": value,
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
    (episode,) = results.episodes()
    assert [c.severity for c in episode.changes] == ["warning", "critical"]
    assert episode.begins.at_ms == epoch_ms("2013-10-02T01:00:00Z")
    assert episode.resolved_at_ms == epoch_ms("2013-10-02T05:00:00Z")


def test_a_repeated_message_changes_nothing() -> None:
    results = Results()
    for _ in range(2):
        results.add_alert(alert("2013-10-02T01:00:00Z", "warning"))
    (episode,) = results.episodes()
    assert len(episode.changes) == 1
    assert episode.resolved_at_ms is None


def test_episodes_are_in_order_of_time_whatever_the_order_of_arrival() -> None:
    results = Results()
    results.add_alert(alert("2013-10-03T00:00:00Z", "warning", episode="b"))
    results.add_alert(alert("2013-10-02T00:00:00Z", "warning", episode="a"))
    assert [e.id for e in results.episodes()] == ["a", "b"]
