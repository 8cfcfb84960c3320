"""All metrics of a binary model against scikit-learn on rows that have their bin's score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from detectors import BinaryMetrics, ShapeMismatch, Undefined, binary_metrics
from detectors.score_metrics import Confusion, ReliabilityBin, log_losses

GRIDS = st.lists(st.floats(0, 1), min_size=1, max_size=12, unique=True).map(lambda s: np.array(sorted(s)))
CASES = GRIDS.flatmap(
    lambda grid: st.tuples(
        st.just(grid),
        *(st.lists(st.integers(0, 40), min_size=len(grid), max_size=len(grid)).map(np.array) for _ in range(2)),
        st.integers(0, len(grid)),
    )
).filter(lambda case: case[1].any() or case[2].any())


def rows(grid, negatives, positives) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([np.repeat(grid, negatives), np.repeat(grid, positives)])
    return np.repeat([0, 1], [negatives.sum(), positives.sum()]), scores


@given(CASES)
def test_they_are_those_of_scikit_learn(case) -> None:
    grid, neg, pos, threshold = case
    found = binary_metrics(neg, pos, grid, threshold)
    assert isinstance(found, BinaryMetrics)
    labels, scores = rows(grid, neg, pos)
    of_truth = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-15, 1 - 1e-15)
    assert (found.n, found.positives) == (len(labels), labels.sum())
    assert found.base_rate == pytest.approx(labels.mean())
    assert found.brier == pytest.approx(((scores - labels) ** 2).mean(), abs=1e-12)
    assert found.log_loss == pytest.approx(-np.log(of_truth).mean(), rel=1e-12, abs=1e-15)
    if scores.min() > 1e-9 and scores.max() < 1 - 1e-9:
        assert found.log_loss == pytest.approx(log_loss(labels, scores, labels=[0, 1]), rel=1e-9)
    answers = (np.searchsorted(grid, scores) >= threshold).astype(int)
    (tn, fp), (fn, tp) = confusion_matrix(labels, answers, labels=[0, 1])
    assert found.confusion == Confusion(tp=tp, fp=fp, tn=tn, fn=fn)
    if answers.any():
        assert found.precision == pytest.approx(precision_score(labels, answers))
    else:
        assert found.precision == Undefined("nothing above the threshold")
    if pos.any():
        assert found.recall == pytest.approx(recall_score(labels, answers))
    if neg.any() and pos.any():
        assert found.brier == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
        assert found.auc.value == pytest.approx(roc_auc_score(labels, np.searchsorted(grid, scores)), abs=1e-12)
        assert found.pr_auc == pytest.approx(
            average_precision_score(labels, np.searchsorted(grid, scores).astype(float)), abs=1e-12
        )


@given(CASES)
def test_the_calibration_error_is_that_of_a_plain_loop(case) -> None:
    grid, neg, pos, threshold = case
    found = binary_metrics(neg, pos, grid, threshold)
    labels, scores = rows(grid, neg, pos)
    expected, bins = 0.0, 0
    edges = np.arange(11) / 10
    for i in range(10):
        inside = (scores >= edges[i]) & ((scores < edges[i + 1]) | (i == 9))
        if inside.any():
            expected += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
            assert found.reliability[bins].n == inside.sum()
            assert found.reliability[bins].observed == pytest.approx(labels[inside].mean())
            bins += 1
    assert found.ece == pytest.approx(expected, abs=1e-12)
    assert len(found.reliability) == bins


@given(CASES.filter(lambda case: case[1].sum() + case[2].sum() > 1))
def test_the_standard_error_of_brier_is_that_of_a_mean(case) -> None:
    grid, neg, pos, threshold = case
    labels, scores = rows(grid, neg, pos)
    expected = ((scores - labels) ** 2).std(ddof=1) / np.sqrt(len(labels))
    assert binary_metrics(neg, pos, grid, threshold).brier_se == pytest.approx(expected, abs=1e-12)


def test_of_one_row_the_standard_error_of_brier_is_the_largest() -> None:
    found = binary_metrics(np.array([1, 0]), np.array([0, 0]), np.array([0.5, 0.9]), 1)
    assert (found.brier, found.brier_se) == (0.25, pytest.approx(np.sqrt(0.25 * 0.75)))


def test_a_reliability_bin_is_half_open_and_the_last_one_takes_a_score_of_one() -> None:
    grid = np.array([0.0, 0.1, 0.3, 1.0])
    found = binary_metrics(np.array([2, 1, 1, 0]), np.array([0, 1, 0, 4]), grid, 2)
    assert [(b.low, b.n) for b in found.reliability] == [(0.0, 2), (0.1, 2), (0.3, 1), (0.9, 4)]
    assert found.reliability[1] == ReliabilityBin(0.1, 0.2, 2, pytest.approx(0.1), 0.5)


def test_with_one_class_only_what_ranks_is_undefined() -> None:
    found = binary_metrics(np.array([3, 1]), np.array([0, 0]), np.array([0.25, 0.75]), 1)
    assert found.auc == found.pr_auc == found.ks == found.recall == Undefined("one class")
    assert (found.base_rate, found.precision, found.brier) == (0.0, 0.0, 3 / 4 / 16 + 1 / 4 * 9 / 16)


def test_no_row_is_undefined() -> None:
    assert binary_metrics(np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([0.1, 0.9]), 1) == Undefined("empty")


def test_a_certain_score_that_was_wrong_costs_34_nats_and_not_infinity() -> None:
    found = binary_metrics(np.array([0, 1]), np.array([1, 0]), np.array([0.0, 1.0]), 1)
    assert found.log_loss == pytest.approx(34.54, abs=0.01)
    assert log_losses(np.array([1.0]))[0] >= 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeMismatch):
        binary_metrics(np.array([1, 2]), np.array([1, 2]), np.array([0.1, 0.5, 0.9]), 1)
    with pytest.raises(ShapeMismatch):
        binary_metrics(np.array([1, 2]), np.array([1, 2, 3]), np.array([0.1, 0.5]), 1)


def test_size_to_expect() -> None:
    grid = (np.arange(1_000) + 0.5) / 1_000
    even = binary_metrics(np.arange(1_000)[::-1], np.arange(1_000), grid, 500)  # calibrated, spread over 0..1
    assert even.brier == pytest.approx(1 / 6, abs=0.001)
    assert even.log_loss == pytest.approx(0.5, abs=0.001)
    half = binary_metrics(np.array([7]), np.array([7]), np.array([0.5]), 0)
    assert (half.brier, half.log_loss) == (0.25, pytest.approx(0.693, abs=0.001))


def test_size_of_the_calibration_error_by_chance() -> None:
    rng = np.random.default_rng(6)
    grid = (np.arange(100) + 0.5) / 100
    found = []
    for _ in range(200):
        bins = rng.integers(0, 100, 1_000)
        labels = rng.random(1_000) < grid[bins]
        counts = [np.bincount(bins[labels == y], minlength=100) for y in (False, True)]
        found.append(binary_metrics(*counts, grid, 50).ece)
    assert np.mean(found) == pytest.approx(0.8 * np.sqrt(10 / 6 / 1_000), rel=0.1)
