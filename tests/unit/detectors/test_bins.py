"""Bins against numpy by hand, and what atoms do."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import BinEdges, FineBins, Smoothing, fine_bins, psi, quantile_edges

NORMAL = np.random.default_rng(7).normal(size=5_000)
MODERATE = st.floats(-1e6, 1e6)
SAMPLES = st.one_of(
    st.lists(MODERATE, min_size=1, max_size=300),
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=300),  # ties everywhere
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50),  # huge ones too
).map(lambda values: np.array(values, np.float64))


def by_hand(values: np.ndarray, bins: int) -> list[float]:
    """The rule as design says it, in plain Python: outer edges first, then unique, then the atoms."""
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)).tolist()
    edges[0], edges[-1] = -np.inf, np.inf
    inner = edges[1:-1]
    with_atoms = set(inner) | {float(np.nextafter(v, np.inf)) for v in inner if inner.count(v) > 1}
    return sorted(with_atoms)


@given(st.lists(MODERATE, min_size=2, max_size=200).map(np.array), st.integers(3, 20))
def test_edges_follow_the_rule(values: np.ndarray, bins: int) -> None:
    assert quantile_edges(values, bins).inner == pytest.approx(by_hand(values, bins), abs=0)


def test_without_repeats_the_edges_are_the_classical_ones_bit_for_bit() -> None:
    assert quantile_edges(NORMAL, 10).inner == tuple(np.quantile(NORMAL, np.linspace(0, 1, 11))[1:-1].tolist())


def test_counts_are_those_of_numpy_over_half_open_bins() -> None:
    edges = quantile_edges(NORMAL, 10)
    rows = np.concatenate([NORMAL[:100], edges.inner])  # values on edges too
    full = [-np.inf, *edges.inner, np.inf]
    loop = [sum(a <= v < b for v in rows.tolist()) for a, b in itertools.pairwise(full)]
    assert edges.histogram(rows).tolist() == loop


@given(SAMPLES, st.integers(2, 20))
def test_fine_bins_coarsen_exactly(values: np.ndarray, bins: int) -> None:
    cut = fine_bins(values, bins)
    assert cut.coarse == quantile_edges(values, bins)
    probes = np.concatenate([values, [-1e308, 0.0, 1e308], cut.fine.inner])
    assert cut.coarsen(cut.fine.histogram(probes)).tolist() == cut.coarse.histogram(probes).tolist()


@given(SAMPLES, st.randoms())
def test_order_does_not_matter(values: np.ndarray, random) -> None:
    shuffled = values.tolist()
    random.shuffle(shuffled)
    assert quantile_edges(np.array(shuffled)) == quantile_edges(values)


@given(SAMPLES, SAMPLES)
def test_merging_two_histograms_equals_one_of_both(left: np.ndarray, right: np.ndarray) -> None:
    edges = quantile_edges(left)
    both = edges.histogram(np.concatenate([left, right]))
    assert (edges.histogram(left) + edges.histogram(right)).tolist() == both.tolist()


@pytest.mark.parametrize("constant", [0.0, -0.0, 5.0, -3.25, 1e-300, 1e300, 0.1])
@pytest.mark.parametrize("smoothing", [Smoothing(), Smoothing.parse("epsilon:1e-8")], ids=str)
@pytest.mark.parametrize("bins", [2, 3, 10])
def test_a_constant_reads_zero_while_it_stays_and_more_than_one_when_it_leaves(
    constant: float, smoothing: Smoothing, bins: int
) -> None:
    edges = quantile_edges(np.full(1_000, constant), bins)
    baseline = edges.histogram(np.full(1_000, constant))

    def reads(value: float) -> float:
        return psi(baseline, edges.histogram(np.full(30, value)), smoothing)

    assert reads(constant) == 0.0
    assert reads(np.nextafter(constant, np.inf)) > 1
    assert reads(np.nextafter(constant, -np.inf)) > 1


@pytest.mark.parametrize("zeros", [0.25, 0.5, 0.9, 0.99])
def test_a_zero_inflated_feature_shows_that_the_zeros_left_upwards(zeros: float) -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random(4_000) < zeros, 0.0, rng.exponential(size=4_000))
    edges = quantile_edges(values)
    moved = np.where(values == 0.0, 1e-9, values)  # an epsilon above the atom, in the same old bin otherwise
    assert psi(edges.histogram(values), edges.histogram(moved)) > 1


def test_a_binary_feature_has_a_bin_for_each_value() -> None:
    values = np.repeat([0.0, 1.0], [300, 700])
    counts = quantile_edges(values).histogram(values)
    assert sorted(counts[counts > 0].tolist()) == [300, 700]


def test_the_largest_float_has_no_neighbour_above() -> None:
    largest = np.finfo(np.float64).max
    assert quantile_edges(np.full(9, largest)).inner == (largest,)


def test_huge_values_do_not_overflow() -> None:
    edges = quantile_edges(np.array([-1.6e308, 1.6e308]), 4)  # their distance is beyond the largest float
    assert edges.inner == (-0.8e308, 0.0, 0.8e308)


def test_no_value_gives_one_bin() -> None:
    assert fine_bins(np.array([])) == FineBins(BinEdges(()), (0,))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        quantile_edges(np.array([1.0, bad]))


def test_one_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="bins must be >= 2"):
        quantile_edges(NORMAL, 1)


@pytest.mark.parametrize("inner", [(1.0, 1.0), (2.0, 1.0), (np.nan,), (np.inf,)])
def test_edges_that_do_not_ascend_are_refused(inner: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        BinEdges(inner)
