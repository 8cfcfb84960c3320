"""Likeness of an unknown feature's values to those of a baseline's: gaps worked out by hand."""

import msgspec
import numpy as np
import pytest

from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.evaluate.likeness import Likeness, likeness
from stream.ingest.value_codes import value_code
from stream.records.feature_names import ValueCodes
from tests.small_model import categorical, numeric

X = numeric("x")  # as many in each quarter of [0, 1]: the share below t is t
C = categorical("c")  # a 200, b 190, z 10


def codes_of(*values: object) -> ValueCodes:
    found: ValueCodes = {}
    for value in values:
        found[value_code(value)] = found.get(value_code(value), 0) + 1
    return found


def gap(series: NumericSeries | CategoricalSeries, *values: object) -> float:
    found = likeness(codes_of(*values), series)
    assert found is not None
    return found.gap


def test_the_gap_of_numbers_is_where_the_two_distribution_functions_are_farthest_apart() -> None:
    # 0.3 lies in the bin [0.25, 0.3125): at its end half of the values are below, and 0.3125 of the baseline's.
    assert gap(X, 0.1, 0.3, 0.6, 0.9) == pytest.approx(0.5 - 0.3125)
    # All in [0.5, 0.625): below it none, and half of the baseline's.
    assert gap(X, *[0.6] * 10) == pytest.approx(0.5)
    assert gap(X, 40.0, 50.0) == pytest.approx(1.0)
    assert gap(X, -0.5, -1.0) == pytest.approx(1.0)


def test_the_gap_of_categories_is_in_the_order_of_their_shares() -> None:
    # Shares 0.5, 0.475, 0.025 against 0.5, 0.5, 0.
    assert gap(C, *["a"] * 5, *["b"] * 5) == pytest.approx(0.025)
    assert gap(C, *["b"] * 4) == pytest.approx(0.5)
    assert gap(C, "somewhere", "else") == pytest.approx(1.0)


def test_categories_that_are_digits_meet_numbers_as_well_as_texts() -> None:
    month = msgspec.structs.replace(C, categories=("1", "2"), other_categories=("12",), counts=(50, 50), other=0)
    assert gap(month, 1, 2, 1, 2) == pytest.approx(0.0)
    assert gap(month, "1", "2", "2", "1") == pytest.approx(0.0)
    assert gap(month, 5, 6) == pytest.approx(1.0)


def test_texts_are_no_numbers_and_numbers_no_texts() -> None:
    assert gap(X, "0.1", "0.3", "0.6", "0.9") == pytest.approx(1.0)
    assert gap(C, 0.1, 0.3) == pytest.approx(1.0)
    assert gap(X, True, [1]) == pytest.approx(1.0)


def test_nulls_are_passed_over_and_nothing_is_like_nothing() -> None:
    found = likeness(codes_of("a", "b", None, None), C)
    assert found is not None
    assert found.values == 2
    none = likeness(codes_of(None), C)
    assert none is not None
    assert not none.fits
    empty = msgspec.structs.replace(X, counts=(0, 0, 0, 0), minimum=None, maximum=None)
    assert likeness(codes_of(0.5), empty) is None


def test_what_fits() -> None:
    """1.63 / sqrt(n), or 0.2 where that is less: with 16 values 0.4075, with 100 0.2."""
    assert Likeness(0.40, 16).fits
    assert not Likeness(0.41, 16).fits
    assert Likeness(0.2, 1_000).fits
    assert not Likeness(0.21, 1_000).fits


def test_a_sample_of_the_baseline_fits_and_one_of_another_size_does_not() -> None:
    """Of 1,000 samples of 30 at most 1 in 100 is refused by Kolmogorov's limit; it is coarser, so fewer are."""
    rng = np.random.default_rng(7)
    fits = sum(likeness(codes_of(*rng.random(30).tolist()), X).fits for _ in range(1_000))
    assert fits >= 985
    assert not any(likeness(codes_of(*(3 * rng.random(30) + 0.5).tolist()), X).fits for _ in range(100))
