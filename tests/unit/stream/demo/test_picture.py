"""The picture is there and shows what it was given; how it looks is for eyes."""

from pathlib import Path

import numpy as np
import pytest

from stream.demo import picture
from stream.demo.fault import FAULT_START_MS
from stream.demo.flights import HOUR_MS, REPLAY_START_MS
from stream.demo.results import Change, Episode, PsiSeries

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LIMITS = {"distance": {"warning": 0.1, "critical": 0.25}}


def series(name: str, psi: np.ndarray) -> PsiSeries:
    ends_ms = REPLAY_START_MS + np.arange(len(psi)) * 24 * HOUR_MS
    return PsiSeries(name=name, window_end_ms=ends_ms, psi=psi, n=np.full(len(psi), 900))


def episode(subject: str) -> Episode:
    change = Change(severity="critical", at_ms=FAULT_START_MS, value=0.8, threshold=0.25, n=900)
    return Episode(id="a", subject=subject, changes=(change,), resolved_at_ms=None)


def draw(path: Path, psi: np.ndarray, episodes: list[Episode]) -> bytes:
    picture.draw(
        path,
        replayed=[series("distance", psi), series("temp", psi)],
        control=[series("distance", np.array([0.002, 0.01]))],
        episodes=episodes,
        limits=LIMITS,
        window_hours=24,
    )
    return path.read_bytes()


def test_a_png_is_written(tmp_path: Path) -> None:
    data = draw(tmp_path / "psi.png", np.geomspace(0.001, 10, 270), [episode("distance")])
    assert data.startswith(PNG_SIGNATURE)
    assert len(data) > 20_000


def test_an_alert_is_marked(tmp_path: Path) -> None:
    psi = np.full(270, 0.02)
    assert draw(tmp_path / "a.png", psi, []) != draw(tmp_path / "b.png", psi, [episode("distance")])


def test_the_same_data_give_the_same_picture(tmp_path: Path) -> None:
    psi = np.full(270, 0.02)
    assert draw(tmp_path / "a.png", psi, []) == draw(tmp_path / "b.png", psi, [])


@pytest.mark.parametrize("psi", [np.full(270, np.nan), np.zeros(270), np.array([1e-9, 1e9])])
def test_odd_values_are_drawn_too(tmp_path: Path, psi: np.ndarray) -> None:
    assert draw(tmp_path / "psi.png", psi, []).startswith(PNG_SIGNATURE)
