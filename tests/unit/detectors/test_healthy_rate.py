"""The law of a healthy rate: what baselines of a few rows leave open, and what is said to be seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.healthy_rate import HealthyRates, detectable_rates, healthy_rates, out_of_range_count
from detectors.outcome import Undefined
from detectors.rates import minimum_detectable_rate, rate_over_limit


def test_false_alarms_of_small_baselines_keep_their_level() -> None:
    """Many baselines of 200 rows, each with one window: the binomial test alone would alarm twenty times as often."""
    rng, level = np.random.default_rng(11), 0.01
    alarms = plain = 0
    for _ in range(4_000):
        seen, now = int(rng.binomial(200, 0.02)), int(rng.binomial(1_000, 0.02))
        law = healthy_rates(seen, 200)
        tested = rate_over_limit(now, 1_000, float(law.rate), float(law.overdispersion))
        naive = rate_over_limit(now, 1_000, seen / 200)
        assert not isinstance(tested, Undefined)
        assert not isinstance(naive, Undefined)
        alarms, plain = alarms + (tested.p_value < level), plain + (naive.p_value < level)
    assert alarms / 4_000 < 1.5 * level
    assert plain / 4_000 > 10 * level


def test_what_lies_beyond_the_extremes_has_its_law_whatever_the_distribution() -> None:
    rng = np.random.default_rng(12)
    for draw in (rng.normal, rng.exponential):
        beyond = []
        for _ in range(2_000):
            old, new = draw(size=100), draw(size=50)
            beyond.append(int(((new < old.min()) | (new > old.max())).sum()))
        law = healthy_rates(out_of_range_count(100), 100)
        assert np.mean(beyond) == pytest.approx(50 * float(law.rate), rel=0.1)
        tail = rate_over_limit(5, 50, float(law.rate), float(law.overdispersion))
        assert not isinstance(tail, Undefined)
        assert np.mean(np.array(beyond) >= 5) == pytest.approx(tail.p_value, abs=0.006)


def test_blocks_that_differ_widen_the_law_and_few_blocks_more() -> None:
    plain, wide, few = (healthy_rates(100, 10_000, rho, n) for rho, n in ((0.0, 0), (0.01, 100), (0.01, 4)))
    assert float(plain.overdispersion) == pytest.approx(1 / 10_002)
    assert float(wide.overdispersion) == pytest.approx(0.0101 + 1 / 10_002)
    assert float(few.overdispersion) == pytest.approx(0.0125 + 1 / 10_002)
    assert float(healthy_rates(0, 1, 1.0, 1).overdispersion) == 1.0


@given(st.integers(50, 5_000), st.floats(1e-5, 0.5), st.just(0.0) | st.floats(1e-6, 0.1))
def test_what_is_said_to_be_seen_is_close_to_what_is(rows: int, rate: float, rho: float) -> None:
    exact = minimum_detectable_rate(rows, rate, 1e-6, rho)
    about = float(detectable_rates(HealthyRates(np.array([rate]), np.array([rho])), rows, 1e-6)[0])
    if isinstance(exact, Undefined):
        assert about > 0.9
    else:
        assert 0.9 * exact - 1 / rows <= about <= 2.5 * exact + 1 / rows


@pytest.mark.parametrize(("rows", "rho"), [(1, 0.0), (1, 0.5), (50, 1.0)])
def test_where_rows_are_all_or_nothing_nothing_less_is_seen(rows: int, rho: float) -> None:
    assert detectable_rates(HealthyRates(np.array([0.01]), np.array([rho])), rows, 1e-6).tolist() == [1.0]
