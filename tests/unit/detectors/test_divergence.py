"""PSI, KL and JS against scipy, against the classical formula in plain numpy, and their properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, norm

from detectors import ShapeMismatch, Smoothing, divergences, jensen_shannon, kl, psi, quantile_edges

CLASSICAL = Smoothing.parse("epsilon:1e-8")
RAW = Smoothing(pseudo_count=0)
SMOOTHINGS = st.sampled_from([Smoothing(), CLASSICAL, Smoothing.parse("epsilon:0.001")])


def histograms(bins: int, *, least: int = 0) -> st.SearchStrategy[np.ndarray]:
    counts = st.lists(st.integers(least, 10_000), min_size=bins, max_size=bins)
    return counts.filter(lambda c: sum(c) > 0).map(lambda c: np.array(c, np.int64))


PAIRS = st.integers(1, 12).flatmap(lambda bins: st.tuples(histograms(bins), histograms(bins)))
FULL_PAIRS = st.integers(1, 12).flatmap(lambda bins: st.tuples(histograms(bins, least=1), histograms(bins, least=1)))


def smoothed_by_hand(counts: list[int], other: list[int], smoothing: Smoothing) -> list[float]:
    used = [c for c, o in zip(counts, other, strict=True) if c + o > 0]
    whole = sum(c + smoothing.pseudo_count for c in used)
    return [
        (c + smoothing.pseudo_count * (c + o > 0)) / whole + smoothing.epsilon
        for c, o in zip(counts, other, strict=True)
    ]


@given(FULL_PAIRS)
def test_unsmoothed_values_are_those_of_scipy(pair: tuple[np.ndarray, np.ndarray]) -> None:
    b, c = pair
    assert kl(b, c, RAW) == pytest.approx(entropy(c, b), abs=1e-12)
    assert psi(b, c, RAW) == pytest.approx(entropy(c, b) + entropy(b, c), abs=1e-12)
    assert jensen_shannon(b, c, RAW) == pytest.approx(jensenshannon(b, c) ** 2, abs=1e-12)


@given(PAIRS, SMOOTHINGS)
def test_values_are_those_of_a_plain_loop(pair: tuple[np.ndarray, np.ndarray], smoothing: Smoothing) -> None:
    b = smoothed_by_hand(pair[0].tolist(), pair[1].tolist(), smoothing)
    c = smoothed_by_hand(pair[1].tolist(), pair[0].tolist(), smoothing)
    used = [(p, q) for p, q in zip(b, c, strict=True) if p != q]
    assert psi(*pair, smoothing) == pytest.approx(sum((q - p) * math.log(q / p) for p, q in used), abs=1e-11)
    assert kl(*pair, smoothing) == pytest.approx(sum(q * math.log(q / p) for p, q in used), abs=1e-11)


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0, 30.0])
def test_epsilon_is_the_classical_psi_to_the_letter(shift: float) -> None:
    rng = np.random.default_rng(11)
    baseline, current = rng.normal(size=3_000), rng.normal(shift, size=700)
    edges = np.quantile(baseline, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    b = np.histogram(baseline, edges)[0] / 3_000 + 1e-8
    c = np.histogram(current, edges)[0] / 700 + 1e-8
    classical = float(np.sum((c - b) * np.log(c / b)))

    cut = quantile_edges(baseline, 10)
    counts = cut.histogram(baseline), cut.histogram(current)
    assert psi(*counts, CLASSICAL) == pytest.approx(classical, abs=1e-9)
    twice = [np.concatenate([side, [0, 0], side, [0]]) for side in counts]  # beside empty bins, as a register has
    found = divergences(*twice, np.array([0, 12]), CLASSICAL)
    assert found.psi == pytest.approx([classical, classical], abs=1e-9)


@given(st.lists(PAIRS, min_size=1, max_size=5), SMOOTHINGS)
def test_one_pass_over_all_series_equals_each_alone(
    pairs: list[tuple[np.ndarray, np.ndarray]], smoothing: Smoothing
) -> None:
    starts = np.cumsum([0, *(len(b) for b, _ in pairs[:-1])])
    found = divergences(np.concatenate([b for b, _ in pairs]), np.concatenate([c for _, c in pairs]), starts, smoothing)
    for statistic, one in ((found.psi, psi), (found.kl, kl), (found.js, jensen_shannon)):
        assert statistic == pytest.approx([one(b, c, smoothing) for b, c in pairs], abs=1e-12)


def test_many_windows_in_one_pass_equal_each_alone() -> None:
    rng = np.random.default_rng(5)
    baseline, windows = rng.integers(0, 50, 30), rng.integers(0, 50, (7, 30))
    starts = np.array([0, 10, 13])
    at_once = divergences(baseline, windows, starts)
    assert at_once.psi.tolist() == [divergences(baseline, w, starts).psi.tolist() for w in windows]


@given(PAIRS, SMOOTHINGS)
def test_they_are_never_negative_and_zero_for_equal_shares(
    pair: tuple[np.ndarray, np.ndarray], smoothing: Smoothing
) -> None:
    b, c = pair
    assert psi(b, c, smoothing) >= 0
    assert kl(b, c, smoothing) >= -1e-12 - 20 * len(b) * smoothing.epsilon
    assert -1e-12 <= jensen_shannon(b, c, smoothing) <= math.log(2) + 30 * smoothing.epsilon * len(b)
    assert psi(b, b, smoothing) == kl(b, b, smoothing) == jensen_shannon(b, b, smoothing) == 0


@given(PAIRS, st.randoms())
def test_the_order_of_the_bins_does_not_matter(pair: tuple[np.ndarray, np.ndarray], random) -> None:
    order = list(range(len(pair[0])))
    random.shuffle(order)
    assert psi(pair[0][order], pair[1][order]) == pytest.approx(psi(*pair), abs=1e-12)


@given(PAIRS)
def test_bins_that_are_empty_on_both_sides_change_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for smoothing in (Smoothing(), CLASSICAL):
        wider = [np.append(side, [0, 0]) for side in pair]
        assert psi(*wider, smoothing) == pytest.approx(psi(*pair, smoothing), abs=1e-13)


def test_a_side_without_counts_is_undefined_and_only_that_series() -> None:
    found = divergences(np.array([5, 5, 5, 5]), np.array([0, 0, 5, 5]), np.array([0, 2]))
    assert np.isnan([found.psi[0], found.kl[0], found.js[0]]).all()
    assert found.psi[1] == 0
    assert math.isnan(psi(np.array([0, 0]), np.array([1, 1])))


def test_without_smoothing_an_empty_bin_is_infinite() -> None:
    assert psi(np.array([1, 1]), np.array([0, 1]), RAW) == math.inf
    assert kl(np.array([0, 1]), np.array([1, 1]), RAW) == math.inf
    assert kl(np.array([1, 1]), np.array([0, 1]), RAW) == pytest.approx(math.log(2))


def test_size_to_expect_for_one_sigma() -> None:
    # The closed form: ten bins of N(0,1), the shares of N(1,1) in them.
    edges = norm.ppf(np.linspace(0, 1, 11))
    counts = [np.round(np.diff(norm.cdf(edges - shift)) * 1e12).astype(np.int64) for shift in (0, 1)]
    assert psi(*counts) == pytest.approx(0.93, abs=0.005)
    assert kl(*counts) == pytest.approx(0.45, abs=0.005)
    assert jensen_shannon(*counts) == pytest.approx(0.106, abs=0.001)


def test_size_to_expect_by_chance() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        edges = quantile_edges(baseline := rng.normal(size=1_000))
        found.append(psi(edges.histogram(baseline), edges.histogram(rng.normal(size=100))))
    assert np.mean(found) == pytest.approx(9 * (1 / 1_000 + 1 / 100), rel=0.15)


def test_different_numbers_of_bins_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match=r"\(2,\).*\(3,\)"):
        psi(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(ShapeMismatch):
        divergences(np.array([1, 2]), np.array([[1, 2, 3]]), np.array([0]))


@pytest.mark.parametrize("text", ["", "none", "epsilon", "epsilon:", "epsilon:0", "epsilon:-1", "epsilon:1", "half:1",
                                  "epsilon:nan", "epsilon:inf"])  # fmt: skip
def test_other_words_for_smoothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="half or epsilon:X"):
        Smoothing.parse(text)


@pytest.mark.parametrize("wrong", [{"pseudo_count": -1}, {"epsilon": -1e-8}, {"epsilon": math.nan}])
def test_negative_smoothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=">= 0"):
        Smoothing(**wrong)
