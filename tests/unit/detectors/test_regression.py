"""MAE, RMSE, bias and R² against scikit-learn on rows in whole units."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from detectors import RegressionMetrics, RegressionSums, Undefined, regression_metrics

VALUES = st.integers(-10_000, 10_000)
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=60)


def sums_of(rows: list[tuple[int, int]]) -> RegressionSums:
    errors, labels = [e - y for e, y in rows], [y for _, y in rows]
    return RegressionSums(
        n=len(rows),
        error=sum(errors),
        absolute_error=sum(map(abs, errors)),
        squared_error=sum(e * e for e in errors),
        label=sum(labels),
        squared_label=sum(y * y for y in labels),
    )


@given(ROWS, st.sampled_from([1.0, 0.001, 0.25]))
def test_they_are_those_of_scikit_learn(rows: list[tuple[int, int]], unit: float) -> None:
    found = regression_metrics(sums_of(rows), unit)
    assert isinstance(found, RegressionMetrics)
    estimates, labels = np.array(rows).T * unit
    assert found.mae == pytest.approx(mean_absolute_error(labels, estimates), abs=1e-9)
    assert found.rmse == pytest.approx(np.sqrt(mean_squared_error(labels, estimates)), abs=1e-9)
    assert found.bias == pytest.approx((estimates - labels).mean(), abs=1e-9)
    assert found.mae_se == pytest.approx(np.abs(estimates - labels).std(ddof=1) / np.sqrt(len(rows)), abs=1e-9)
    assert (found.label_mean, found.label_deviation) == pytest.approx((labels.mean(), labels.std()), abs=1e-9)
    if len({y for _, y in rows}) > 1:
        assert found.r2 == pytest.approx(r2_score(labels, estimates), rel=1e-9)
    else:
        assert found.r2 == Undefined("constant labels")


@given(ROWS)
def test_a_common_offset_of_a_billion_loses_nothing(rows: list[tuple[int, int]]) -> None:
    far = [(e + 10**9, y + 10**9) for e, y in rows]
    near, found = regression_metrics(sums_of(rows), 1.0), regression_metrics(sums_of(far), 1.0)
    assert (found.r2, found.mae, found.label_deviation) == (near.r2, near.mae, near.label_deviation)


def test_of_one_row_spread_is_unknown() -> None:
    found = regression_metrics(sums_of([(3, 1)]), 1.0)
    assert (found.mae, found.rmse, found.bias) == (2.0, 2.0, 2.0)
    assert (found.mae_se, found.r2) == (Undefined("too few"), Undefined("constant labels"))


def test_no_row_is_undefined() -> None:
    assert regression_metrics(sums_of([]), 1.0) == Undefined("empty")


def test_size_to_expect_for_normal_errors() -> None:
    errors = np.random.default_rng(1).normal(scale=1_000, size=40_000).round().astype(int).tolist()
    found = regression_metrics(sums_of([(e, 0) for e in errors]), 0.001)
    assert found.mae == pytest.approx(0.80 * found.rmse, rel=0.01)
    assert found.mae_se == pytest.approx(0.60 * found.rmse / np.sqrt(40_000), rel=0.02)


@given(ROWS, st.integers(-1_000, 1_000))
def test_labels_may_be_summed_less_a_centre(rows: list[tuple[int, int]], centre: int) -> None:
    """Only the mean of the labels depends on it."""
    centred = sums_of([(e - centre, y - centre) for e, y in rows])
    found, plain = regression_metrics(centred, 0.25, centre * 0.25), regression_metrics(sums_of(rows), 0.25)
    assert found.label_mean == pytest.approx(plain.label_mean, abs=1e-9)
    assert replace(found, label_mean=0.0) == replace(plain, label_mean=0.0)


@pytest.mark.parametrize("wrapped", ["squared_error", "squared_label"])
def test_sums_that_no_rows_can_have_are_undefined(wrapped: str) -> None:
    """A counter that ran over would make the root of something negative."""
    sums = replace(sums_of([(3, 1), (4, 9)]), **{wrapped: -(1 << 62)})
    assert regression_metrics(sums, 1.0) == Undefined("sums overflowed")


def test_a_pair_taken_out_twice_is_undefined_and_does_not_raise() -> None:
    assert regression_metrics(replace(sums_of([(3, 1)]), absolute_error=-2), 1.0) == Undefined("sums overflowed")
