"""Episodes of a group: what is told of its series, message by message."""

from typing import Any, cast

from stream.backtest.alerts import AlertResult, Naming
from stream.backtest.course import JudgedPart
from stream.backtest.episodes import Episodes
from stream.backtest.windows import FileWindow
from tests.unit.stream.evaluate.partials import judging

HOUR_MS = 3_600_000


def take(episodes: Episodes, hour: int, severities: dict[str, str], *beyond: str) -> None:
    """A window of an hour whose message names these series; those of `beyond` are beyond a limit in it."""
    members = [
        {"subject": name, "severity": severity, "value": hour + 0.5, "threshold": 0.25}
        for name, severity in severities.items()
    ]
    message = {
        "id": "9f2c",
        "status": "firing" if members else "resolved",
        "labels": {"check": "psi", "subject": "*", "segment": ""},
        "evidence": {"subjects": members},
    }
    at = FileWindow(start_at=HOUR_MS * hour, end_at=HOUR_MS * (hour + 1), timed=True, by_rows=False, partial=False)
    part = JudgedPart(segment="", evaluation=cast(Any, None), performance=None, messages=[message])
    alerts = [AlertResult(check="psi", subject=n, severity="warning", value=9, threshold=0.1) for n in beyond]
    episodes.take(at, part, alerts)


def told(episodes: Episodes) -> list[tuple[int, str, str, float, float | None]]:
    (episode,) = episodes.found
    return [
        (one.window.end_at // HOUR_MS, one.alert.subject, one.alert.severity, one.alert.value, one.alert.threshold)
        for one in episode.told
    ]


def test_a_series_is_told_of_when_it_joins_and_when_it_rises() -> None:
    episodes = Episodes(Naming(answer="score", settings=judging()))
    take(episodes, 0, {"a": "warning", "b": "critical"}, "a", "b")
    take(episodes, 1, {"a": "critical", "b": "critical"}, "a", "b")
    take(episodes, 2, {"a": "warning", "b": "critical"}, "b")
    take(episodes, 3, {})
    assert told(episodes) == [
        (1, "a", "warning", 9, 0.1),
        (1, "b", "critical", 9, 0.1),
        (2, "a", "critical", 9, 0.1),
    ]
    assert episodes.found[0].end_at == 4 * HOUR_MS


def test_a_series_that_is_told_of_with_a_window_in_which_it_is_well_has_what_the_message_says() -> None:
    episodes = Episodes(Naming(answer="score", settings=judging()))
    take(episodes, 0, {"a": "warning"}, "a")
    take(episodes, 1, {"a": "critical"})
    assert told(episodes) == [(1, "a", "warning", 9, 0.1), (2, "a", "critical", 1.5, 0.25)]
