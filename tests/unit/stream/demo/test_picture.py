"""The picture is there and shows what it was given; how it looks is for eyes."""

from pathlib import Path

import numpy as np
import pytest

from stream.demo import picture
from stream.demo.control import ControlDay
from stream.demo.fault import KILOMETRES, STUCK
from stream.demo.flights import HOUR_MS, REPLAY_START_MS
from stream.demo.ink import SEVERITY_COLOUR, mark_episodes
from stream.demo.performance import PerformanceResults
from stream.demo.results import Change, Episode, PsiSeries
from tests.unit.stream.demo.made import performance

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LIMITS = {"warning": 0.1, "critical": 0.25}
DAY_MS = 24 * HOUR_MS
STILL = np.full(270, 0.02)
GOOD = np.full(270, 0.9)


def series(name: str, psi: np.ndarray) -> PsiSeries:
    ends_ms = REPLAY_START_MS + np.arange(len(psi)) * DAY_MS
    return PsiSeries(name=name, window_end_ms=ends_ms, psi=psi, n=np.full(len(psi), 900))


def episode(check: str, subject: str, at_ms: int) -> Episode:
    change = Change(severity="critical", at_ms=at_ms, value=0.8, threshold=0.25, n=900)
    return Episode(id="a", check=check, subject=subject, changes=(change,), resolved_at_ms=None)


PSI_ALERT = episode("psi", "distance", KILOMETRES.start_ms)
AUC_ALERT = episode("auc", "score", STUCK.start_ms)


def draw(
    path: Path,
    psi: np.ndarray,
    *episodes: Episode,
    auc: np.ndarray = GOOD,
    doubted: bool = False,
    coverage: float = 0.96,
) -> bytes:
    of_labels = PerformanceResults()
    for i, value in enumerate(auc.tolist()):
        of_labels.add(performance(REPLAY_START_MS + i * DAY_MS, value, reliable=not doubted, coverage=coverage))
    ends_ms = REPLAY_START_MS + np.arange(len(psi)) * DAY_MS
    picture.draw(
        path,
        picture.Shown(
            replayed=[series("distance", psi), series("temp", psi)],
            control=[series("distance", np.array([0.002, 0.01]))],
            control_days=[ControlDay(end_ms=REPLAY_START_MS - DAY_MS, auc=0.9, doubted=True)],
            performance=of_labels,
            estimates=(ends_ms, np.full(len(psi), 0.92)),
            episodes={c: [e for e in episodes if e.check == c] for c in ("psi", "auc")},
            limits=LIMITS,
            window_hours=24,
        ),
    )
    return path.read_bytes()


def test_a_png_is_written(tmp_path: Path) -> None:
    data = draw(tmp_path / "psi.png", np.geomspace(0.001, 10, 270), PSI_ALERT)
    assert data.startswith(PNG_SIGNATURE)
    assert len(data) > 20_000


@pytest.mark.parametrize("alert", [PSI_ALERT, AUC_ALERT])
def test_an_alert_is_marked(tmp_path: Path, alert: Episode) -> None:
    assert draw(tmp_path / "a.png", STILL) != draw(tmp_path / "b.png", STILL, alert)


def test_each_severity_is_marked_where_it_is_first_reached_and_the_bar_changes_colour_each_time() -> None:
    from matplotlib.figure import Figure

    panel = Figure().subplots()
    changes = tuple(
        Change(severity=severity, at_ms=hour * HOUR_MS, value=0.5, threshold=0.7, n=900)
        for hour, severity in enumerate(["warning", "critical", "warning", "critical"])
    )
    mark_episodes(
        panel, [Episode(id="a", check="auc", subject="score", changes=changes, resolved_at_ms=None)], 1, DAY_MS
    )
    marks = [line for line in panel.get_lines() if line.get_marker() == "v"]
    bars = [line for line in panel.get_lines() if line.get_marker() != "v"]
    assert [float(np.asarray(mark.get_xdata())[0]) * 24 for mark in marks] == pytest.approx([0, 1])
    assert [bar.get_color() for bar in bars] == [SEVERITY_COLOUR[change.severity] for change in changes]


def test_a_doubt_of_the_estimate_is_marked(tmp_path: Path) -> None:
    assert draw(tmp_path / "a.png", STILL) != draw(tmp_path / "b.png", STILL, doubted=True)


def test_auc_and_coverage_are_drawn(tmp_path: Path) -> None:
    data = [
        draw(tmp_path / "a.png", STILL),
        draw(tmp_path / "b.png", STILL, auc=np.full(270, 0.8)),
        draw(tmp_path / "c.png", STILL, coverage=0.8),
    ]
    assert len(set(data)) == 3


def test_the_same_data_give_the_same_picture(tmp_path: Path) -> None:
    assert draw(tmp_path / "a.png", STILL) == draw(tmp_path / "b.png", STILL)


@pytest.mark.parametrize("psi", [np.full(270, np.nan), np.zeros(270), np.array([1e-9, 1e9])])
def test_odd_values_are_drawn_too(tmp_path: Path, psi: np.ndarray) -> None:
    assert draw(tmp_path / "psi.png", psi).startswith(PNG_SIGNATURE)


@pytest.mark.parametrize("auc", [np.full(270, np.nan), np.empty(0)])
def test_no_label_is_no_reason_to_fail(tmp_path: Path, auc: np.ndarray) -> None:
    assert draw(tmp_path / "psi.png", STILL, auc=auc).startswith(PNG_SIGNATURE)
