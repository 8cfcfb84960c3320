"""What pairs add to a pane: a regression's sums at the limits of what they hold."""

import msgspec
import numpy as np
import pytest

from detectors import RegressionMetrics, regression_metrics
from stream.evaluate.label_coverage import sums_of
from stream.join.registers import LARGEST_UNITS, Pairs, pair_counters
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import Counts, Sections
from tests.unit.stream.join.outcomes import PRICE

SECTIONS = Sections.of(PRICE)


def counted(definition: PerformanceDefinition, estimates: np.ndarray, labels: np.ndarray, times: int = 1) -> Counts:
    """A pane that holds the pairs that many times."""
    none = np.zeros(len(labels), np.int64)
    pairs = Pairs(
        number=none,
        time_s=none,
        label_time_s=none,
        payload=none,
        estimate=estimates.astype(np.float32).view(np.uint32),
        value=labels.astype(np.float32),
    )
    columns, weights = pair_counters(pairs, definition, SECTIONS)
    counts = np.zeros(SECTIONS.width, np.int64)
    np.add.at(counts, columns, weights)
    return counts * times


def test_half_a_billion_pairs_beyond_the_limit_fit_the_sums() -> None:
    """A label that says -999999 for "unknown" is clipped, counted so, and breaks nothing."""
    counts = counted(PRICE, np.array([1.0]), np.array([-999_999.0]), times=(1 << 29) - 1)
    found = regression_metrics(sums_of(counts, SECTIONS), PRICE.unit)
    assert isinstance(found, RegressionMetrics)
    assert found.mae == pytest.approx(LARGEST_UNITS * PRICE.unit)
    assert counts[SECTIONS.moments][1] == (1 << 29) - 1, "clipped"


def test_labels_far_from_zero_keep_their_spread() -> None:
    """In kelvin, with a baseline that deviates by half a one; three hundred million of them."""
    unit = 0.5 / 256
    kelvin = msgspec.structs.replace(PRICE, unit=unit, centre=288.0)
    rng = np.random.default_rng(0)
    labels = (288 + rng.normal(0, 0.5, 30_000)).astype(np.float32)
    estimates = (labels + rng.normal(0, 0.2, 30_000)).astype(np.float32)
    counts = counted(kelvin, estimates, labels, times=10_000)
    found = regression_metrics(sums_of(counts, SECTIONS), unit, kelvin.centre)
    assert isinstance(found, RegressionMetrics)
    assert counts[SECTIONS.moments][1] == 0, "nothing is clipped"
    errors = estimates.astype(np.float64) - labels
    assert (found.mae, found.bias) == pytest.approx((np.abs(errors).mean(), errors.mean()), abs=unit / 10)
    assert found.rmse == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-4)
    assert found.label_mean == pytest.approx(labels.astype(np.float64).mean(), abs=unit / 10)
    assert found.label_deviation == pytest.approx(labels.astype(np.float64).std(), rel=1e-4)
    assert found.r2 == pytest.approx(1 - (errors**2).sum() / (labels.astype(np.float64).var() * len(labels)), rel=1e-3)


def test_what_is_infinitely_far_is_clipped_too() -> None:
    counts = counted(msgspec.structs.replace(PRICE, unit=2.0**-1022), np.array([3e38]), np.array([3e38]))
    assert counts[SECTIONS.moments].tolist() == [1, 1, 0, 0, 0, LARGEST_UNITS, LARGEST_UNITS**2]
