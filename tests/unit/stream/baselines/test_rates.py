"""Healthy rates, computed by hand: what is missing, what lies outside the range of all other windows."""

import numpy as np
import pytest

from detectors.rates import rate_overdispersion
from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.baselines.evidence import Rate, RateEvidence
from stream.baselines.rates import rate_evidence, rows_evidence

NUMBER = NumericSeries(
    name="x", inner_edges=(0.0,), coarse_starts=(0, 1), counts=(1, 1), missing=0, invalid=0,
    minimum=None, maximum=None, mean=None, deviation=None,
)  # fmt: skip
WORD = CategoricalSeries(
    name="c", categories=("a", "b"), other_categories=("d",), counts=(1, 1), other=0, missing=0, invalid=0
)


def number_rates(values: list[float], block: list[int], window_panes: int = 1) -> RateEvidence:
    """Of numbers in windows of one pane."""
    panes = np.zeros((max(block) + 1, 4), np.int64)
    for value, at in zip(values, block, strict=True):
        panes[at, 2 if np.isnan(value) else 3 if np.isinf(value) else int(value >= 0)] += 1
    return rate_evidence(NUMBER, panes, np.array(values), np.array(block) // window_panes, window_panes)


def word_rates(codes: list[int], block: list[int]) -> RateEvidence:
    panes = np.zeros((max(block) + 1, 6), np.int64)
    for code, at in zip(codes, block, strict=True):
        panes[at, code if 0 <= code < 2 else {2: 2, -1: 3, -3: 5}[code]] += 1
    return rate_evidence(WORD, panes, np.array(codes, np.int32), np.array(block), 1)


def test_missing_and_invalid_have_their_share_and_their_overdispersion() -> None:
    nan, inf = float("nan"), float("inf")
    found = number_rates([1, nan, nan, 2, 1, 2, 1, inf], [0, 0, 0, 0, 1, 1, 1, 1])
    assert found.missing.rate == 0.25
    assert found.missing.overdispersion == pytest.approx(rate_overdispersion(np.array([2, 0]), np.array([4, 4])))
    assert found.invalid.rate == 0.125


def test_a_number_outside_the_range_of_all_other_windows_is_beyond() -> None:
    # Window 1 has two values above 3, window 2 one below 1; 1 itself is in window 0.
    found = number_rates([1, 3, 2, 5, 4, 3, 0.5, 2], [0, 0, 0, 1, 1, 1, 2, 2])
    assert found.beyond.rate == 3 / 8


def test_the_largest_value_in_two_windows_is_beyond_in_none() -> None:
    assert number_rates([1, 9, 1, 9], [0, 0, 1, 1]).beyond == Rate()


def test_what_is_no_number_is_not_outside_a_range() -> None:
    assert number_rates([1, 2, float("inf"), 1, 2, float("nan")], [0, 0, 0, 1, 1, 1]).beyond == Rate()


def test_one_window_with_numbers_has_no_other_to_be_held_against() -> None:
    assert number_rates([1, 99], [0, 0]).beyond == Rate()
    assert number_rates([1, 99, float("nan")], [0, 0, 1]).beyond == Rate()


def test_a_category_that_one_window_has_alone_is_beyond() -> None:
    # The third category in window 0 twice, the second in window 1 once, the first everywhere; -1 is missing.
    found = word_rates([0, 2, 2, 0, 1, -1, 0, 0], [0, 0, 0, 1, 1, 1, 2, 2])
    assert found.beyond.rate == 3 / 8
    assert found.missing.rate == 1 / 8


def test_what_is_missing_in_a_window_is_no_category_of_it() -> None:
    assert word_rates([0, -1, 0, -3], [0, 0, 1, 1]).beyond == Rate()


def test_rows_behind_the_last_whole_window_are_left_out() -> None:
    found = number_rates([1, 2, 1, 2, 99], [0, 1, 2, 3, 4], window_panes=2)
    assert found.beyond == Rate()


def test_rows_of_windows() -> None:
    found = rows_evidence(np.array([90, 110, 100, 0]), np.array([0, 7, 10, 30]))
    assert (found.windows, found.mean, found.smallest, found.longest_silence_ms) == (4, 75.0, 0, 20)
    # Mean 75, variance 7700 / 3.
    assert found.overdispersion == pytest.approx((np.var([90, 110, 100, 0], ddof=1) - 75) / 75**2, abs=1e-6)


def test_rows_as_even_as_chance_have_no_overdispersion() -> None:
    assert rows_evidence(np.array([100, 100, 100]), np.array([0])).overdispersion == 0
    assert rows_evidence(np.array([], np.int64), np.array([5])).mean == 0
