"""The sketch of quantiles: within its accuracy on named distributions, mergeable, exact at a limit."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import ShapeMismatch
from detectors.outcome import Undefined
from detectors.quantile_sketch import QuantileSketch

SLA_MS = 250.0
SKETCH = QuantileSketch(lowest=0.001, highest=3_600_000.0, exact=(SLA_MS,))
LEVELS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
SIZES = (1, 7, 100, 5_000, 100_000)
Values = npt.NDArray[np.float64]


def streams(n: int, seed: int = 7) -> dict[str, Values]:
    """Ten distributions of latencies in milliseconds, by name."""
    rng = np.random.default_rng(seed)
    slow = rng.random(n) < 0.02
    return {
        "constant": np.full(n, 42.0),
        "uniform": rng.uniform(1, 500, n),
        "normal": np.abs(rng.normal(120, 20, n)) + 0.01,
        "exponential": rng.exponential(80, n) + 0.001,
        "lognormal": rng.lognormal(4, 1, n),
        "pareto": np.minimum(5 * (1 + rng.pareto(1.1, n)), 3_599_999),
        "two modes": np.where(slow, rng.normal(2_000, 100, n), rng.normal(20, 2, n)),
        "time-outs": np.where(slow, 30_000.0, rng.gamma(3, 10, n) + 0.01),
        "whole milliseconds": np.maximum(np.round(rng.lognormal(2, 0.7, n)), 1.0),
        "microseconds to minutes": 10 ** rng.uniform(-2.9, 5, n),
    }


@pytest.mark.parametrize("name", streams(1))
@pytest.mark.parametrize("size", SIZES)
def test_every_quantile_is_within_one_per_cent_of_the_exact_one(name: str, size: int) -> None:
    values = streams(size)[name]
    counts = SKETCH.histogram(values)
    for level in LEVELS:
        exact = float(np.quantile(values, level, method="inverted_cdf"))
        assert SKETCH.quantile(counts, level) == pytest.approx(exact, rel=0.01 + 1e-12), level


@pytest.mark.parametrize("name", streams(1))
def test_a_merge_of_100_panes_equals_one_sketch_of_all(name: str) -> None:
    values = streams(50_000)[name]
    merged = sum((SKETCH.histogram(pane) for pane in np.array_split(values, 100)), np.zeros(SKETCH.bins, np.int64))
    assert np.array_equal(merged, SKETCH.histogram(values))


@pytest.mark.parametrize("accuracy", [0.001, 0.01, 0.05])
def test_another_accuracy_holds_as_well(accuracy: float) -> None:
    sketch = QuantileSketch(lowest=0.001, highest=3_600_000.0, relative_accuracy=accuracy)
    for values in streams(5_000).values():
        counts = sketch.histogram(values)
        for level in LEVELS:
            exact = float(np.quantile(values, level, method="inverted_cdf"))
            assert sketch.quantile(counts, level) == pytest.approx(exact, rel=accuracy + 1e-12)


near = st.sampled_from([SLA_MS, math.nextafter(SLA_MS, 0), math.nextafter(SLA_MS, math.inf), 249.0, 251.0])


@given(st.lists(near | st.floats(0, 1e7), min_size=1, max_size=60))
def test_the_count_above_the_limit_is_exact_and_a_value_on_it_is_within(values: list[float]) -> None:
    assert SKETCH.above(SKETCH.histogram(np.array(values)), SLA_MS) == sum(v > SLA_MS for v in values)


@given(st.lists(near | st.floats(0, 1e7), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.07]))
def test_a_quantile_is_above_the_limit_exactly_when_too_many_values_are(values: list[float], level: float) -> None:
    """Otherwise the rule on the quantile and the rule on the count would contradict each other."""
    found = SKETCH.quantile(SKETCH.histogram(np.array(values)), level)
    exact = float(np.quantile(np.array(values), level, method="inverted_cdf"))
    assert isinstance(found, float)
    assert (found > SLA_MS) == (exact > SLA_MS)


@pytest.mark.parametrize(("n", "level", "rank"), [(100, 0.07, 7), (100, 0.57, 57), (1_000, 0.99, 990), (3, 0.5, 2)])
def test_a_whole_rank_is_not_pushed_up_by_binary_fractions(n: int, level: float, rank: int) -> None:
    values = 1.1 ** np.arange(1, n + 1) if n <= 100 else 100 + np.arange(1, n + 1) * 10.0
    assert SKETCH.quantile(SKETCH.histogram(values), level) == pytest.approx(values[rank - 1], rel=0.01 + 1e-12)


def test_what_lies_outside_of_the_range_is_counted_apart() -> None:
    counts = SKETCH.histogram(np.array([0.0, 0.0009, 3_600_000.0, 1e12]))
    assert (counts[0], counts[-1], counts.sum()) == (2, 2, 4)
    assert SKETCH.quantile(counts, 0.5) == 0.0
    assert SKETCH.quantile(counts, 0.99) == 3_600_000.0
    assert SKETCH.above(counts, SLA_MS) == 2


def test_an_empty_sketch_has_no_quantile() -> None:
    empty = np.zeros(SKETCH.bins, np.int64)
    assert SKETCH.quantile(empty, 0.5) == Undefined("empty")
    assert SKETCH.above(empty, SLA_MS) == 0


def test_the_limit_costs_one_bin_and_the_edges_ascend() -> None:
    plain = QuantileSketch(lowest=0.001, highest=3_600_000.0)
    assert SKETCH.bins == plain.bins + 1 == 1_104
    assert (np.diff(SKETCH.inner_edges) > 0).all()
    assert (plain.inner_edges[0], plain.inner_edges[-1]) == (0.001, 3_600_000.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lowest": 0.0, "highest": 1.0},
        {"lowest": 2.0, "highest": 1.0},
        {"lowest": 1.0, "highest": math.inf},
        {"lowest": 1.0, "highest": 2.0, "relative_accuracy": 0.0},
        {"lowest": 1.0, "highest": 2.0, "exact": (2.0,)},
    ],
)
def test_impossible_edges_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|needed"):
        QuantileSketch(**wrong)


def test_counts_of_another_sketch_and_limits_without_an_edge_are_refused() -> None:
    with pytest.raises(ShapeMismatch):
        SKETCH.quantile(np.zeros(3, np.int64), 0.5)
    with pytest.raises(ValueError, match="exact limits"):
        SKETCH.above(np.zeros(SKETCH.bins, np.int64), 251.0)
    with pytest.raises(ValueError, match="level"):
        SKETCH.quantile(np.zeros(SKETCH.bins, np.int64), 1.5)
