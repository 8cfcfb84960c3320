"""One feature's value: a number, a code, missing or invalid."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.feature_values import categorical_code, category_codes, number_text, numeric_value

CODES = category_codes(("UA", "3", "2.5", "true", "-1", "007", "9007199254740993"))


@pytest.mark.parametrize("value", ["3", "", [], [1], {}, math.inf, -math.inf])
def test_what_is_no_finite_number_is_invalid(value: object) -> None:
    """Invalid is +inf, whatever its sign was."""
    assert numeric_value(value) == math.inf


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("UA", 0),
        ("3", 1),
        (3, 1),
        (3.0, 1),
        (2.5, 2),
        ("2.5", 2),
        (True, 3),
        ("true", 3),
        (-1, 4),
        ("007", 5),
        (7, -2),  # 7 is not written 007
        (9007199254740993, -2),  # beyond 2 ** 53: JSON libraries round it
        ("9007199254740993", 6),
        (False, -2),
        (1, -2),  # not true
        (math.inf, -2),
        (None, -1),
        ("", -2),
        ([], -3),
        ({}, -3),
    ],
)
def test_a_category_is_matched_by_its_text(value: object, code: int) -> None:
    """Producers send 3 or "3"; numbers match the shortest text of theirs."""
    assert categorical_code(value, CODES) == code
    if type(value) is int:
        assert CODES.get(value, -2) == code  # the fast route's direct look-up


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_match_their_digits_as_integer_and_as_float(number: int) -> None:
    """In the fast route's look-up too."""
    codes = category_codes((str(number),))
    assert categorical_code(number, codes) == categorical_code(float(number), codes) == codes.get(number) == 0


@given(st.floats(-1e9, 1e9).filter(lambda x: not x.is_integer()))
def test_fractions_match_their_shortest_text(number: float) -> None:
    """As Python and JSON write it."""
    assert number_text(number) == repr(number)
    assert categorical_code(number, category_codes((repr(number),))) == 0
