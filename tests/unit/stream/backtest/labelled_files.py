"""Files with labels for `driftline backtest`, and the command run over them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.cli import main

Values = npt.NDArray[np.float64]
Run = Callable[..., tuple[int, dict[str, Any]]]

HOUR = 3_600_000
T0 = 1_577_836_800_000  # 2020-01-01


def run_with(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command with `--json`: its exit code and what it printed."""

    def backtest(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main(["backtest", *map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert code in (0, 1), captured.err
        return code, json.loads(captured.out)

    return backtest


def parquet(path: Path, **values: Any) -> Path:
    """A file of columns."""
    pyarrow.parquet.write_table(pa.table(values), path)
    return path


def model(n: int, *, seed: int, noise: float = 1.0, round_to: int | None = None) -> tuple[Values, Values]:
    """Scores and labels: the score is the probability of a positive, as far as noise lets it know."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    scores = 1 / (1 + np.exp(-(truth + rng.normal(scale=noise, size=n))))
    labels = (rng.random(n) < 1 / (1 + np.exp(-2 * truth))).astype(float)
    return (scores if round_to is None else np.round(scores, round_to)), labels


def file_of(path: Path, scores: Any, labels: Any, **more: Any) -> Path:
    """A file of scores `p` with labels `y`."""
    return parquet(path, p=scores, y=labels, **more)
