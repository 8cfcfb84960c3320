"""A multiclass model against scikit-learn's one-vs-rest numbers."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from detectors import Auc, ShapeMismatch, Undefined, psi
from detectors.multiclass import multiclass_metrics

CLASSES, BINS = 4, 50
GRID = (np.arange(BINS) + 0.5) / BINS


def some_rows(n: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the bins of the scores of each class, shape (n, classes)."""
    rng = np.random.default_rng(3)
    labels = rng.choice(CLASSES, n, p=[0.5, 0.3, 0.15, 0.05])
    scores = rng.dirichlet(np.ones(CLASSES), n) * 0.6
    scores[np.arange(n), labels] += 0.25
    return labels, np.minimum((scores * BINS).astype(int), BINS - 1)


def histograms(labels: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pos = [np.bincount(bins[labels == k, k], minlength=BINS) for k in range(CLASSES)]
    neg = [np.bincount(bins[labels != k, k], minlength=BINS) for k in range(CLASSES)]
    return np.array(neg), np.array(pos)


def test_they_are_those_of_scikit_learn() -> None:
    labels, bins = some_rows()
    top = bins.argmax(axis=1)
    hits = np.bincount(labels[top == labels], minlength=CLASSES)
    found = multiclass_metrics(*histograms(labels, bins), GRID, top=hits)
    each = [roc_auc_score(labels == k, bins[:, k]) for k in range(CLASSES)]
    assert [a.value for a in found.auc] == pytest.approx(each, abs=1e-12)
    assert found.macro_auc == pytest.approx(np.mean(each), abs=1e-12)
    assert found.accuracy == pytest.approx(accuracy_score(labels, top))
    true_class = GRID[bins[np.arange(len(labels)), labels]]
    # One column for "the true class" and one for the rest: scikit-learn wants rows that add up to 1.
    both = np.column_stack([1 - true_class, true_class])
    assert found.log_loss == pytest.approx(log_loss(np.ones(len(labels), int), both, labels=[0, 1]), abs=1e-12)
    assert found.priors == pytest.approx(np.bincount(labels) / len(labels))


def test_prior_shift_is_the_psi_of_the_classes() -> None:
    labels, bins = some_rows()
    before = np.array([250, 250, 250, 250])
    found = multiclass_metrics(*histograms(labels, bins), GRID, baseline_positives=before)
    assert found.prior_shift == psi(before, np.bincount(labels))
    assert found.prior_shift > 0.5


def test_a_class_without_a_row_is_left_out_of_the_macro_auc() -> None:
    labels, bins = some_rows()
    kept = labels != 3
    found = multiclass_metrics(*histograms(labels[kept], bins[kept]), GRID)
    assert found.auc[3] == Undefined("one class")
    assert found.macro_auc == pytest.approx(np.mean([a.value for a in found.auc if isinstance(a, Auc)]))
    assert found.priors[3] == 0


def test_each_class_may_have_its_own_grid() -> None:
    counts = histograms(*some_rows())
    assert multiclass_metrics(*counts, np.tile(GRID, (CLASSES, 1))) == multiclass_metrics(*counts, GRID)


def test_what_was_not_counted_is_undefined() -> None:
    found = multiclass_metrics(*histograms(*some_rows()), GRID)
    assert found.accuracy == found.prior_shift == Undefined("not counted")
    nothing = np.zeros((CLASSES, BINS), np.int64)
    assert multiclass_metrics(nothing, nothing, GRID) == Undefined("empty")
    empty_before = multiclass_metrics(*histograms(*some_rows()), GRID, baseline_positives=np.zeros(CLASSES, np.int64))
    assert empty_before.prior_shift == Undefined("empty")


def test_a_single_class_has_no_ranking() -> None:
    one = np.zeros((2, BINS), np.int64), np.zeros((2, BINS), np.int64)
    one[1][0, 7] = one[0][1, 3] = 5
    assert multiclass_metrics(*one, GRID).macro_auc == Undefined("one class")


def test_other_shapes_are_refused() -> None:
    neg, pos = histograms(*some_rows())
    with pytest.raises(ShapeMismatch):
        multiclass_metrics(neg, pos[:3], GRID)
    with pytest.raises(ShapeMismatch):
        multiclass_metrics(neg, pos, GRID[:3])
