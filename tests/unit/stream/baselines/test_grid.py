"""The score grid: bins that performance is counted in, a score for each, a threshold among the edges."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.grid import GRID_BINS, ScoreGrid, grid_complaint, score_grid

scores = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=60)
thresholds = st.one_of(st.just(0.5), st.floats(0.01, 1))


def grid_of(values: list[float], threshold: float = 0.5) -> ScoreGrid:
    grid = score_grid(np.array(values, np.float64), threshold)
    assert grid is not None
    return grid


@given(scores, thresholds)
def test_a_grid_is_always_fit_to_be_counted_with(values: list[float], threshold: float) -> None:
    """Whatever repeats, and wherever the threshold lies."""
    grid = grid_of(values, threshold)
    assert grid_complaint(grid) is None
    assert 2 <= grid.bins <= GRID_BINS + 1


@given(scores, thresholds)
def test_the_score_that_stands_for_a_bin_lies_in_it(values: list[float], threshold: float) -> None:
    """Else a calibration or a Brier score would move a score to another bin."""
    grid = grid_of(values, threshold)
    assert grid.index(grid.representatives).tolist() == list(range(grid.bins))


@given(scores)
def test_the_representatives_keep_the_mean_of_the_scores(values: list[float]) -> None:
    """Each bin's is the mean of what lies in it."""
    grid = grid_of(values)
    counts = np.bincount(grid.index(np.array(values)), minlength=grid.bins)
    assert counts @ grid.representatives / len(values) == pytest.approx(np.mean(values), abs=1e-12)


@given(scores, thresholds)
def test_the_model_says_positive_from_the_threshold_on(values: list[float], threshold: float) -> None:
    """Exactly, since the threshold is an edge and a bin begins with its edge."""
    grid = grid_of(values, threshold)
    positive = grid.index(np.array(values)) >= grid.first_positive
    assert positive.tolist() == [value >= threshold for value in values]


def test_continuous_scores_get_2048_bins_of_equal_weight() -> None:
    """And one more, that the threshold cuts."""
    values = np.random.default_rng(7).uniform(size=204_800)
    grid = grid_of(values.tolist())
    assert grid.bins == GRID_BINS + 1
    counts = np.bincount(grid.index(values), minlength=grid.bins)
    assert np.sort(counts)[2:].min() >= 99  # the threshold's two bins share a hundred
    assert counts.max() <= 101


def test_a_score_that_repeats_has_a_bin_of_its_own() -> None:
    """So an AUC over few scores is exact."""
    values = [0.1, 0.2, 0.35, 0.9] * 50
    grid = grid_of(values)
    bins = grid.index(np.array([0.1, 0.2, 0.35, 0.9]))
    assert len(set(bins.tolist())) == 4
    assert grid.representatives[bins].tolist() == [0.1, 0.2, 0.35, 0.9]


@given(scores, thresholds)
def test_few_different_scores_have_a_bin_each_however_rare_they_are(values: list[float], threshold: float) -> None:
    """So what labels say of them is exact."""
    grid, different = grid_of(values, threshold), np.unique(values)
    assert len(np.unique(grid.index(different))) == len(different)


def test_rare_scores_of_a_coarse_model_are_told_apart() -> None:
    """One row in 50,000 is far below a quantile of 1 in 2,048."""
    different = np.arange(101) / 100
    values = np.concatenate([np.repeat(0.3, 50_000), different])
    grid = grid_of(values.tolist())
    assert len(np.unique(grid.index(different))) == 101
    assert grid.representatives[grid.index(different)] == pytest.approx(different, abs=1e-15)


def test_without_a_score_there_is_no_grid() -> None:
    """All missing, or none at all."""
    assert score_grid(np.array([np.nan, np.nan])) is None
    assert score_grid(np.array([])) is None


def test_the_id_is_that_of_everything_in_the_grid() -> None:
    """Two grids with one id count alike."""
    grid = grid_of([0.1, 0.2, 0.9])
    assert grid.id == grid_of([0.9, 0.1, 0.2]).id
    assert len(grid.id) == 16
    others = [
        msgspec.structs.replace(grid, edges=(*grid.edges[:-1], 1.0)),
        msgspec.structs.replace(grid, means=(*grid.means[:-1], 1.0)),
        msgspec.structs.replace(grid, threshold=grid.edges[0]),
    ]
    assert len({grid.id, *(other.id for other in others)}) == 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"edges": (0.5, 0.5)}, "edges must be finite and ascending"),
        ({"edges": (0.5, float("inf"))}, "edges must be finite and ascending"),
        ({"edges": tuple(i / 4_096 for i in range(1, 4_097))}, "there may be at most 4,096 bins"),
        ({"threshold": 0.4}, "the threshold must be one of the edges"),
        ({"means": (0.2,)}, "means must be one more than edges"),
        ({"means": (0.2, 1.2)}, "means must be in [0, 1]"),
        ({"means": (0.2, float("nan"))}, "means must be in [0, 1]"),
    ],
)
def test_a_broken_grid_is_complained_about(wrong: dict[str, object], says: str) -> None:
    """Nobody's registry entry may stop a worker."""
    good = ScoreGrid(edges=(0.5,), means=(0.2, 0.7), threshold=0.5)
    assert grid_complaint(good) is None
    assert grid_complaint(msgspec.structs.replace(good, **wrong)) == says
