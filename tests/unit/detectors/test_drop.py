"""Tests of a drop: their level where nothing fell, their direction, and their edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from detectors import Auc, auc, auc_drop_p_value, gap_z, rise_p_value

HEALTHY = Auc(0.8, 0.8, 0.8, se=0.02, negatives=200, positives=200)
EDGES = norm.ppf(np.linspace(0, 1, 257))[1:-1] * 1.2 + 0.5


def measured(value: float, se: float = 0.02, rows: int = 200) -> Auc:
    return Auc(value, value, value, se=se, negatives=rows, positives=rows)


def sampled(rng: np.random.Generator, true_auc: float, negatives: int, positives: int) -> Auc:
    """Of normal scores whose classes are so far apart that the AUC is `true_auc`."""
    away = norm.ppf(true_auc) * math.sqrt(2)
    counts = [
        np.bincount(np.searchsorted(EDGES, rng.normal(mean, size=n)), minlength=256)
        for mean, n in ((0.0, negatives), (away, positives))
    ]
    found = auc(*counts)
    assert isinstance(found, Auc)
    return found


@pytest.mark.parametrize(("negatives", "positives", "factor"), [(100, 100, 1.5), (3_000, 100, 1.5), (30, 30, 2.5)])
def test_on_the_limit_it_alarms_with_the_level_as_its_rate(negatives: int, positives: int, factor: float) -> None:
    rng = np.random.default_rng(7)
    baseline = sampled(rng, 0.8, 200_000, 200_000)
    limit = baseline.value - 0.05
    p = np.array([auc_drop_p_value(sampled(rng, limit, negatives, positives), baseline, 0.05) for _ in range(2_000)])
    for level in (0.1, 0.02):
        assert level / factor <= (p < level).mean() <= level * factor


def test_the_baselines_own_sampling_error_counts() -> None:
    rng = np.random.default_rng(9)
    p = np.array([auc_drop_p_value(sampled(rng, 0.8, 150, 150), sampled(rng, 0.8, 150, 150)) for _ in range(2_000)])
    assert 0.012 <= (p < 0.02).mean() <= 0.03


def test_rows_needed_to_see_a_fall() -> None:
    rng = np.random.default_rng(4)
    baseline = sampled(rng, 0.8, 200_000, 200_000)

    def median_p(rows: int) -> float:
        return float(np.median([auc_drop_p_value(sampled(rng, 0.7, rows, rows), baseline, 0.05) for _ in range(200)]))

    assert median_p(140) == pytest.approx(0.05, abs=0.015)
    assert median_p(500) == pytest.approx(0.001, abs=0.0006)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.2), st.floats(0, 0.3))
def test_a_lower_auc_never_has_a_higher_p_value(a: float, b: float, se: float, tolerance: float) -> None:
    lower, higher = sorted((a, b))
    if lower > 0.02 and higher < 0.98:  # as (se, value) are free here, the delta method bends at the very ends
        same_spread = [measured(v, se * v * (1 - v)) for v in (lower, higher)]
        p = [auc_drop_p_value(one, HEALTHY, tolerance) for one in same_spread]
        assert 0 <= p[0] <= p[1] <= 1


def test_a_larger_tolerance_raises_the_p_value() -> None:
    p = [auc_drop_p_value(measured(0.7), HEALTHY, tolerance) for tolerance in (0.0, 0.05, 0.1, 0.2)]
    assert p == sorted(p)
    assert p[0] < 0.001 < 0.01 < p[1]
    assert p[-1] > 0.99


@pytest.mark.parametrize(("current", "baseline", "tolerance", "low", "high"), [
    (measured(1.0, 0.0), HEALTHY, 0.05, 0.99, 1.0),                     # perfect: nothing fell
    (measured(0.0, 0.0), HEALTHY, 0.05, 0.0, 1e-9),                     # reversed
    (measured(0.8), measured(1.0, 0.0), 0.05, 0.0, 1e-6),               # a perfect baseline
    (measured(0.99, 0.005), measured(1.0, 0.0), 0.0, 0.1, 0.9),         # 200 rows cannot tell 1 from .99
    (measured(0.5, 0.0), HEALTHY, 0.05, 0.0, 1e-4),                     # constant scores: exactly one half
    (measured(0.5, 0.0), measured(0.5, 0.0), 0.0, 0.5, 0.5),            # both constant
    (measured(0.2), measured(0.3), 0.5, 1.0, 1.0),                      # a limit below zero cannot be crossed
])  # fmt: skip
def test_edges(current: Auc, baseline: Auc, tolerance: float, low: float, high: float) -> None:
    assert low <= auc_drop_p_value(current, baseline, tolerance) <= high


def test_a_rise_has_the_level_as_its_rate() -> None:
    rng = np.random.default_rng(3)
    p = []
    for _ in range(4_000):
        now, before = np.abs(rng.normal(size=200)), np.abs(rng.normal(size=500))
        p.append(
            rise_p_value(now.mean(), now.std(ddof=1) / math.sqrt(200), before.mean(), before.std(ddof=1) / 500**0.5)
        )
    assert 0.007 <= (np.array(p) < 0.01).mean() <= 0.015


def test_a_rise_has_a_direction_and_a_tolerance() -> None:
    assert rise_p_value(0.3, 0.01, 0.2, 0.01) < 1e-9
    assert rise_p_value(0.1, 0.01, 0.2, 0.01) > 1 - 1e-9
    assert rise_p_value(0.3, 0.01, 0.2, 0.01, 0.1) == pytest.approx(0.5)


def test_without_any_standard_error_a_rise_is_certain_or_none() -> None:
    assert [rise_p_value(now, 0.0, 0.25, 0.0) for now in (0.5, 0.25, 0.0)] == [0.0, 0.5, 1.0]


def test_the_gap_is_standard_normal_while_the_estimate_holds() -> None:
    rng = np.random.default_rng(2)
    z = np.array([gap_z(sampled(rng, 0.8, 300, 100), 0.8) for _ in range(2_000)])
    assert z.mean() == pytest.approx(0, abs=0.1)
    assert z.std() == pytest.approx(1, abs=0.08)
    assert (np.abs(z) > 3.3).mean() <= 0.004


def test_the_gap_says_in_which_direction_and_counts_the_estimates_own_error() -> None:
    assert gap_z(measured(0.7), 0.8) < -3
    assert gap_z(measured(0.9), 0.8) > 3
    assert abs(gap_z(measured(0.7), 0.8, 0.04)) < abs(gap_z(measured(0.7), 0.8))


def test_the_gap_of_constant_scores_is_nothing_or_certain() -> None:
    constant = measured(0.5, 0.0)
    assert [gap_z(constant, estimate) for estimate in (0.4, 0.5, 0.6)] == [math.inf, 0.0, -math.inf]
    assert math.isfinite(gap_z(measured(1.0, 0.0), 0.9))
