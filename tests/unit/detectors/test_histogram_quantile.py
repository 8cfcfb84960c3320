"""Quantiles from counts: within the right bin, and linear inside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import BinEdges, ShapeMismatch, Undefined, histogram_quantile

EDGES = np.array([1.0, 2.0, 4.0, 8.0])


@given(st.lists(st.floats(0, 16), min_size=1, max_size=80), st.floats(0, 1))
def test_it_lies_in_the_bin_of_the_exact_quantile(values: list[float], level: float) -> None:
    cut = BinEdges(tuple(EDGES.tolist()))
    found = histogram_quantile(cut.histogram(np.array(values)), EDGES, level, lowest=0.0, highest=16.0)
    assert isinstance(found, float)
    exact = np.quantile(values, level, method="inverted_cdf")
    full = [0.0, *EDGES.tolist(), 16.0]
    i = int(cut.index(np.array([exact]))[0])
    assert full[i] <= found <= full[i + 1]


@given(st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_level_never_reads_less(counts: list[int], a: float, b: float) -> None:
    low, high = (histogram_quantile(np.array(counts), EDGES, level) for level in sorted((a, b)))
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low <= high + 1e-12


@pytest.mark.parametrize(("counts", "level", "expected"), [
    ([0, 4, 0, 0, 0], 0.5, 1.5),
    ([0, 4, 0, 0, 0], 0.0, 1.0),    # not the edge of an empty bin before it
    ([0, 4, 0, 0, 0], 1.0, 2.0),
    ([0, 2, 0, 2, 0], 0.5, 2.0),    # the end of the bin that reaches it, not the gap behind
    ([0, 2, 0, 2, 0], 0.75, 6.0),
    ([4, 0, 0, 0, 0], 0.5, 1.0),    # below the first edge: the edge
    ([0, 0, 0, 0, 4], 0.5, 8.0),    # above the last one: the edge
])  # fmt: skip
def test_by_hand(counts: list[int], level: float, expected: float) -> None:
    assert histogram_quantile(np.array(counts), EDGES, level) == pytest.approx(expected)


def test_known_ends_of_the_outer_bins_are_used() -> None:
    assert histogram_quantile(np.array([4, 0, 0, 0, 0]), EDGES, 0.25, lowest=0.0) == 0.25
    assert histogram_quantile(np.array([0, 0, 0, 0, 4]), EDGES, 0.5, highest=10.0) == 9.0


def test_nothing_counted_is_undefined() -> None:
    assert histogram_quantile(np.zeros(5, np.int64), EDGES, 0.5) == Undefined("empty")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeMismatch):
        histogram_quantile(np.zeros(4, np.int64), EDGES, 0.5)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        histogram_quantile(np.ones(5, np.int64), EDGES, 1.5)
