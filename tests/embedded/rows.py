"""Predictions to send, and the baseline that they are compared with."""

from typing import Any

import numpy as np

CATEGORIES = ("UA", "AA", "DL")
BASELINE_ROWS = 2_000
Row = dict[str, Any]


def baseline_columns(seed: int = 1) -> dict[str, list[Any]]:
    """What a model saw in training: x is standard normal, carrier one of three, some of them missing."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=BASELINE_ROWS).tolist(),
        "carrier": [_carrier(rng) for _ in range(BASELINE_ROWS)],
        "score": rng.random(BASELINE_ROWS).tolist(),
    }


def make_rows(
    count: int, begin_ms: int, end_ms: int, *, model: str, version: str = "0", shift: float = 0.0, seed: int = 7
) -> list[Row]:
    """Predictions spread evenly over [begin_ms, end_ms), in order of time; `shift` moves x, in deviations."""
    rng = np.random.default_rng(seed)
    times = np.linspace(begin_ms, end_ms, count, endpoint=False).astype(int).tolist()
    return [
        {
            "model": model,
            "version": version,
            "ts": ts,
            "score": float(rng.random()),
            "features": {
                "x": None if rng.random() < 0.01 else float(rng.normal(loc=shift)),
                "carrier": _carrier(rng),
            },
        }
        for ts in times
    ]


def _carrier(rng: np.random.Generator) -> str | None:
    """Sometimes missing; in a small sample a name may come up that the baseline has not."""
    return None if rng.random() < 0.02 else str(rng.choice([*CATEGORIES, "ZZ"], p=[0.333, 0.333, 0.333, 0.001]))


def between(rows: list[Row], begin_ms: int, end_ms: int) -> list[Row]:
    """The rows of a window."""
    return [row for row in rows if begin_ms <= row["ts"] < end_ms]


def feature(rows: list[Row], name: str) -> list[Any]:
    """A feature's values, or the scores."""
    return [row["score"] if name == "score" else row["features"][name] for row in rows]
