"""The calibration map against scikit-learn, and the label-free estimate against NannyML and against the truth."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from detectors import (
    BinEdges,
    EstimatedPerformance,
    ShapeMismatch,
    Undefined,
    binary_metrics,
    estimate_performance,
    isotonic_map,
    quantile_edges,
)
from tests.golden import cbpe_by_nannyml as golden

FROZEN = json.loads(golden.FROZEN.read_text(encoding="utf-8"))
GRIDS = st.lists(st.integers(0, 10_000), min_size=1, max_size=15, unique=True).map(lambda s: np.sort(s) / 10_000)
CASES = GRIDS.flatmap(
    lambda grid: st.tuples(
        st.just(grid),
        *(st.lists(st.integers(0, 30), min_size=len(grid), max_size=len(grid)).map(np.array) for _ in range(2)),
    )
).filter(lambda case: case[1].any() or case[2].any())


@given(CASES)
def test_the_map_is_that_of_scikit_learn_over_the_rows(case) -> None:
    grid, neg, pos = case
    scores = np.concatenate([np.repeat(grid, neg), np.repeat(grid, pos)])
    labels = np.repeat([0.0, 1.0], [neg.sum(), pos.sum()])
    oracle = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    assert isotonic_map(neg, pos, grid) == pytest.approx(oracle.predict(grid), abs=1e-9)


@given(CASES)
def test_the_map_never_falls_and_stays_within_0_and_1(case) -> None:
    found = isotonic_map(case[1], case[2], case[0])
    assert isinstance(found, np.ndarray)
    assert (np.diff(found) >= 0).all()
    assert 0 <= found[0] <= found[-1] <= 1


def test_empty_bins_lie_on_the_line_between_their_neighbours_and_are_flat_outside() -> None:
    neg, pos = np.array([0, 4, 0, 0, 0, 0]), np.array([0, 0, 0, 0, 4, 0])
    grid = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.9])
    assert isotonic_map(neg, pos, grid) == pytest.approx([0.0, 0.0, 0.25, 0.75, 1.0, 1.0])


def test_a_point_on_the_line_never_lies_a_last_bit_beyond_its_end() -> None:
    grid = np.array([0.0023987989510024788, 0.8761221857757481, 0.8761221857757482])  # numpy.interp overshoots here
    shares = np.array([0.4120548865279576, 0.0, 0.9833324242966465])
    pos = (shares * 2**54).astype(np.int64)
    found = isotonic_map(np.array([2**54, 0, 2**54]) - pos, pos, grid)
    assert isinstance(found, np.ndarray)
    assert found[1] == found[2]


def test_without_a_row_there_is_no_map() -> None:
    none = np.zeros(2, np.int64)
    assert isotonic_map(none, none, np.array([0.1, 0.9])) == Undefined("empty")


def grid_of(scores: np.ndarray) -> tuple[BinEdges, np.ndarray, int]:
    """2,048 quantile bins with the threshold among their edges, and the mean score of each."""
    edges = BinEdges(tuple(sorted({*quantile_edges(scores, 2_048).inner, golden.THRESHOLD})))
    index = edges.index(scores)
    means = np.bincount(index, scores, edges.bins) / np.bincount(index, minlength=edges.bins)
    return edges, means, int(edges.index(np.array([golden.THRESHOLD]))[0])


def calibrated_on_reference() -> tuple[BinEdges, np.ndarray, int, np.ndarray]:
    scores, labels = golden.reference()
    edges, means, threshold = grid_of(scores)
    calibrated = isotonic_map(edges.histogram(scores[labels == 0]), edges.histogram(scores[labels == 1]), means)
    assert isinstance(calibrated, np.ndarray)
    return edges, means, threshold, calibrated


@pytest.mark.parametrize("chunk", golden.CHUNKS)
def test_estimates_are_those_of_nannyml_within_a_thousandth(chunk: str) -> None:
    edges, means, threshold, calibrated = calibrated_on_reference()
    found = estimate_performance(edges.histogram(golden.chunks()[chunk]), calibrated, threshold, means)
    frozen = FROZEN["estimates"][chunk]
    assert FROZEN["calibrated"]
    assert found.auc == pytest.approx(frozen["roc_auc"], abs=1e-3)
    assert found.precision == pytest.approx(frozen["precision"], abs=1e-3)
    assert found.recall == pytest.approx(frozen["recall"], abs=1e-3)


@pytest.mark.parametrize(("chunk", "exponent"), golden.CHUNKS.items())
def test_a_shift_of_the_inputs_is_followed(chunk: str, exponent: float) -> None:
    edges, means, threshold, calibrated = calibrated_on_reference()
    scores, labels = golden.rows(exponent, 200_000, seed=99)
    estimated = estimate_performance(edges.histogram(scores), calibrated, threshold, means)
    counts = edges.histogram(scores[labels == 0]), edges.histogram(scores[labels == 1])
    realised = binary_metrics(*counts, means, threshold)
    assert estimated.auc == pytest.approx(realised.auc.value, abs=0.01), chunk
    assert estimated.precision == pytest.approx(realised.precision, abs=0.015)
    assert estimated.recall == pytest.approx(realised.recall, abs=0.02)
    assert estimated.brier == pytest.approx(realised.brier, abs=0.005)
    assert estimated.base_rate == pytest.approx(realised.base_rate, abs=0.015)


def test_a_change_of_the_truth_is_not_seen() -> None:
    edges, means, threshold, calibrated = calibrated_on_reference()
    scores, labels = golden.rows(1.5, 50_000, seed=98)
    shuffled = np.random.default_rng(1).permutation(labels)  # concept drift: the score says nothing any more
    counts = edges.histogram(scores[shuffled == 0]), edges.histogram(scores[shuffled == 1])
    assert binary_metrics(*counts, means, threshold).auc.value == pytest.approx(0.5, abs=0.01)
    hoped = estimate_performance(edges.histogram(scores), calibrated, threshold, means)
    assert hoped.auc == pytest.approx(0.86, abs=0.01)


@given(CASES, st.integers(0, 15))
def test_an_estimate_is_what_binary_metrics_says_of_the_expected_rows(case, threshold: int) -> None:
    grid, neg, pos = case
    rows = neg + pos
    if not rows.all():
        return
    threshold = min(threshold, len(grid))
    estimated = estimate_performance(rows, pos / rows, threshold, grid)  # each bin's own share: nothing is lost
    realised = binary_metrics(neg, pos, grid, threshold)
    assert isinstance(estimated, EstimatedPerformance)
    assert (estimated.n, estimated.base_rate) == (realised.n, pytest.approx(realised.base_rate))
    assert estimated.brier == pytest.approx(realised.brier, abs=1e-12)
    for name in ("precision", "recall"):
        mine, real = getattr(estimated, name), getattr(realised, name)
        assert mine == (real if isinstance(real, Undefined) else pytest.approx(real, abs=1e-12))
    if not isinstance(realised.auc, Undefined):
        assert estimated.auc == pytest.approx(realised.auc.value, abs=1e-12)


def test_what_cannot_be_estimated_is_undefined() -> None:
    grid, none = np.array([0.1, 0.9]), np.zeros(2, np.int64)
    assert estimate_performance(none, grid, 1, grid) == Undefined("empty")
    never = estimate_performance(np.array([5, 0]), np.zeros(2), 1, grid)
    assert never.auc == never.recall == Undefined("one class")
    assert never.precision == Undefined("nothing above the threshold")


def test_other_shapes_are_refused() -> None:
    two, three = np.array([1, 2]), np.array([0.1, 0.5, 0.9])
    with pytest.raises(ShapeMismatch):
        estimate_performance(two, three, 1, three)
    with pytest.raises(ShapeMismatch):
        isotonic_map(two, two, three)
