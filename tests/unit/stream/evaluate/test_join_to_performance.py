"""What a join really says, heard by evaluate: the windows are those of the raw predictions and labels."""

from collections import defaultdict

import numpy as np
import pytest

from detectors import Auc, auc
from stream.records.outcome import PerformanceDefinition
from tests.unit.stream.evaluate.joined import STEP_S, heard
from tests.unit.stream.evaluate.labels import (
    BINS,
    PANE_S,
    START_S,
    WINDOW_PANES,
    Labels,
    definition,
    value_baseline,
)
from tests.unit.stream.join.outcomes import L, P

WINDOW_S = PANE_S * WINDOW_PANES
UNTIL_S = 400


class Raw:
    """Predictions every step; their labels come 0 to 60 s later, and a third is revised within 20 s."""

    def __init__(self, seed: int, of: PerformanceDefinition) -> None:
        random = np.random.default_rng(seed)
        self.rows: dict[int, list[P | L]] = defaultdict(list)  # by step
        self.force: list[tuple[int, int, float, float]] = []  # prediction's time, arrival, payload, label in force
        for i in range(600):
            at = int(random.integers(0, UNTIL_S - 100))
            binary = of.task == "binary"
            payload = int(random.integers(0, BINS)) if binary else float(random.integers(50, 150))
            value = float(random.integers(0, 2)) if binary else float(random.integers(50, 150))
            self._add(at, P(i + 1, START_S + at, payload, of))
            if random.random() < 0.2:
                continue  # never labelled
            label_at = at + int(random.integers(-5, 60))
            self._add(max(label_at, 0), L(i + 1, START_S + label_at, value))
            if random.random() < 0.33:
                label_at, value = (
                    max(label_at, at) + int(random.integers(1, 20)),
                    value + 1 if not binary else 1 - value,
                )
                self._add(label_at, L(i + 1, START_S + label_at, value))
            self.force.append((at, max(at, label_at), payload, value))

    def _add(self, at: int, row: P | L) -> None:
        self.rows[at // STEP_S].append(row)

    def inside(self, end: int) -> list[tuple[float, float]]:
        """Payload and label of the pairs of the window that ends there."""
        return [(p, v) for _, arrival, p, v in self.force if end - WINDOW_S <= arrival < end]


@pytest.mark.parametrize("seed", range(5))
def test_a_binary_models_windows_are_those_of_the_raw_rows(seed: int) -> None:
    raw = Raw(seed, definition())
    evaluate = heard(raw.rows, Labels(), until_s=UNTIL_S)
    assert len(evaluate.newest()) > 20
    assert any(report["revision"] for report in evaluate.newest().values())
    for end, report in evaluate.newest().items():
        rows = raw.inside(end)
        negatives, positives = (
            np.bincount([int(p) for p, v in rows if v == one], minlength=BINS).astype(np.int64) for one in (0, 1)
        )
        area = auc(negatives, positives)
        assert report["n"] == len(rows), end
        assert report["metrics"]["auc"] == (area.value if isinstance(area, Auc) else None)
    last = evaluate.performance[-1]
    assert last["coverage"]["predictions"] == 600
    assert last["coverage"]["labelled"] == len(raw.force)


def test_a_regressions_windows_are_those_of_the_raw_rows() -> None:
    by = value_baseline()
    raw = Raw(1, definition(by))
    evaluate = heard(raw.rows, Labels(by), until_s=UNTIL_S)
    for end, report in evaluate.newest().items():
        errors = [abs(p - v) for p, v in raw.inside(end)]
        assert report["n"] == len(errors)
        assert report["metrics"]["mae"] == (pytest.approx(np.mean(errors)) if errors else None)


def test_crashes_of_evaluate_change_nothing() -> None:
    raw = Raw(2, definition())
    whole, crashed = (
        heard(raw.rows, Labels(), until_s=UNTIL_S),
        heard(raw.rows, Labels(), until_s=UNTIL_S, crash_every=3),
    )
    assert crashed.performance == whole.performance
    assert crashed.alerts == whole.alerts
