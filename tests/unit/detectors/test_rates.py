"""Rates over a limit: scipy's laws as the oracle, the level where blocks differ, and the edges."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from detectors.outcome import Undefined
from detectors.rates import RateTest, minimum_detectable_rate, rate_over_limit, rate_overdispersion


def p_value(count: int, rows: int, limit: float, overdispersion: float = 0.0) -> float:
    found = rate_over_limit(count, rows, limit, overdispersion)
    assert isinstance(found, RateTest)
    return found.p_value


@given(st.integers(1, 5_000), st.floats(0, 1), st.floats(0.001, 0.999))
def test_without_overdispersion_it_is_the_exact_binomial(rows: int, part: float, limit: float) -> None:
    count = round(part * rows)
    assert p_value(count, rows, limit) == pytest.approx(binom.sf(count - 1, rows, limit), rel=1e-9, abs=1e-300)


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0.0005, 0.95))
def test_with_it_it_is_the_sum_of_the_beta_binomial(rows: int, part: float, limit: float, rho: float) -> None:
    count = round(part * rows)
    size = (1 - rho) / rho
    exact = betabinom.pmf(np.arange(count, rows + 1), rows, limit * size, (1 - limit) * size).sum()
    assert p_value(count, rows, limit, rho) == pytest.approx(exact, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("count", "rows", "limit", "rho"), [
    (700, 60_000, 0.01, 1e-5), (1_500, 60_000, 0.01, 0.001), (9_000, 60_000, 0.01, 0.05), (59_000, 60_000, 0.9, 0.3),
])  # fmt: skip
def test_long_tails_are_summed_to_their_end(count: int, rows: int, limit: float, rho: float) -> None:
    size = (1 - rho) / rho
    exact = betabinom.pmf(np.arange(count, rows + 1), rows, limit * size, (1 - limit) * size).sum()
    assert p_value(count, rows, limit, rho) == pytest.approx(exact, rel=1e-6)


def test_a_little_overdispersion_is_nearly_none_and_all_of_it_is_one_row() -> None:
    assert p_value(12, 600, 0.01, 1e-9) == pytest.approx(p_value(12, 600, 0.01), rel=1e-4)
    assert p_value(12, 600, 0.01, 1.0) == 0.01


def blocks(rng: np.random.Generator, number: int, rows: int, rate: float, rho: float) -> np.ndarray:
    size = (1 - rho) / rho
    return rng.binomial(rows, rng.beta(rate * size, (1 - rate) * size, number))


@pytest.mark.parametrize(("rows", "rate", "rho"), [(600, 0.01, 0.005), (6_000, 0.01, 0.002), (200, 0.3, 0.1)])
def test_the_learned_overdispersion_is_the_true_one_and_the_level_then_holds(
    rows: int, rate: float, rho: float
) -> None:
    rng = np.random.default_rng(7)
    learned = [rate_overdispersion(blocks(rng, 168, rows, rate, rho), np.full(168, rows)) for _ in range(60)]
    assert np.mean(learned) == pytest.approx(rho, rel=0.15)
    alarms = [
        p_value(int(count), rows, rate, one) <= 0.01 for one in learned for count in blocks(rng, 300, rows, rate, rho)
    ]
    assert 0.003 <= np.mean(alarms) <= 0.016


def test_the_plain_binomial_would_break_its_level_on_such_blocks() -> None:
    rng = np.random.default_rng(8)
    alarms = [p_value(int(count), 6_000, 0.01) <= 0.01 for count in blocks(rng, 2_000, 6_000, 0.01, 0.002)]
    assert np.mean(alarms) > 0.1


def test_overdispersion_of_unequal_blocks() -> None:
    rng = np.random.default_rng(9)
    rows = rng.integers(100, 2_000, 2_000)
    size = (1 - 0.01) / 0.01
    over = rng.binomial(rows, rng.beta(0.05 * size, 0.95 * size, 2_000))
    assert rate_overdispersion(over, rows) == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize(("over", "rows"), [
    ([], []), ([3], [10]), ([0, 0, 0], [9, 9, 9]), ([9, 9], [9, 9]), ([1, 0, 1], [1, 1, 1]), ([5, 5, 5], [10, 10, 10]),
])  # fmt: skip
def test_what_cannot_vary_has_no_overdispersion(over: list[int], rows: list[int]) -> None:
    assert rate_overdispersion(np.array(over, np.int64), np.array(rows, np.int64)) == 0.0


@given(st.integers(1, 300), st.floats(0.01, 0.5), st.sampled_from([0.0, 0.002, 0.1, 0.7]))
def test_more_over_the_limit_never_has_a_higher_p_value(rows: int, limit: float, rho: float) -> None:
    p = [p_value(count, rows, limit, rho) for count in range(0, rows + 1, max(1, rows // 20))]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(p))
    assert p[0] == 1.0


@pytest.mark.parametrize("rho", [0.0, 0.003])
@pytest.mark.parametrize("rows", [50, 600, 6_000])
def test_the_minimum_detectable_rate_is_the_first_that_alarms_and_half_of_its_windows_do(rows: int, rho: float) -> None:
    rate = minimum_detectable_rate(rows, 0.01, 1e-6, rho)
    assert isinstance(rate, float)
    count = round(rate * rows)
    assert p_value(count, rows, 0.01, rho) <= 1e-6 < p_value(count - 1, rows, 0.01, rho)
    assert 0.4 <= binom.sf(count - 1, rows, rate) <= 0.65


def test_no_rows_is_no_verdict_and_too_few_rows_have_no_detectable_rate() -> None:
    assert rate_over_limit(0, 0, 0.01) == Undefined("empty")
    assert minimum_detectable_rate(0, 0.01, 1e-6) == Undefined("too few")
    assert minimum_detectable_rate(600, 0.01, 1e-6, 0.9) == Undefined("too few")


def test_a_limit_of_nothing_is_broken_by_one_row_and_a_limit_of_all_never() -> None:
    assert (p_value(0, 100, 0.0), p_value(1, 100, 0.0), p_value(100, 100, 1.0)) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize("wrong", [(3, 2, 0.1, 0.0), (-1, 2, 0.1, 0.0), (1, 2, 1.1, 0.0), (1, 2, 0.1, -0.1),
                                   (1, 2, float("nan"), 0.0)])  # fmt: skip
def test_what_is_out_of_range_is_refused(wrong: tuple[int, int, float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= count <= rows"):
        rate_over_limit(*wrong)
