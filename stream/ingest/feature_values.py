"""One feature's JSON value to what its series counts: a number or a code.

A wrong value spoils its own feature and never the row: it reads as invalid. Both routes of decoding
follow these rules; the typed one takes shortcuts for the values that are usual.
"""

import math
from typing import Final

from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN

MISSING_NUMBER: Final = math.nan
INVALID_NUMBER: Final = math.inf
# Beyond it JSON libraries disagree about whole numbers (RFC 8259, section 6).
LARGEST_EXACT_INTEGER: Final = 2**53

Codes = dict[str | int | None, int]


def numeric_value(value: object) -> float:
    """A number as it is, true and false as 1 and 0, null as NaN, anything else as +inf.

    >>> numeric_value(3), numeric_value(True), numeric_value(None), numeric_value("3")
    (3.0, 1.0, nan, inf)
    """
    if value is None:
        return MISSING_NUMBER
    if not isinstance(value, int | float):
        return INVALID_NUMBER
    number = float(value)
    return number if math.isfinite(number) else INVALID_NUMBER


def category_codes(categories: tuple[str, ...]) -> Codes:
    """Code of each category by what JSON may hold for it: a text, a whole number or null.

    >>> category_codes(("UA", "3"))
    {None: -1, 'UA': 0, 3: 1, '3': 1}
    """
    codes: Codes = {None: CODE_MISSING}
    for code, category in enumerate(categories):
        number = _whole_number(category)
        if number is not None:
            codes[number] = code
        codes[category] = code
    return codes


def categorical_code(value: object, codes: Codes) -> int:
    """The category's index, or CODE_MISSING, CODE_UNSEEN, CODE_INVALID.

    >>> codes = category_codes(("3", "2.5", "true"))
    >>> [categorical_code(v, codes) for v in ("3", 3, 3.0, 2.5, True, None, "4", [])]
    [0, 0, 0, 1, 2, -1, -2, -3]
    """
    if value is None or isinstance(value, str):
        return codes.get(value, CODE_UNSEEN)
    if isinstance(value, int | float):
        text = number_text(value)
        return CODE_UNSEEN if text is None else codes.get(text, CODE_UNSEEN)
    return CODE_INVALID


def number_text(value: float) -> str | None:
    """How a baseline writes a number or a boolean as a category; None for numbers that JSON cannot keep exact.

    >>> number_text(3), number_text(3.0), number_text(2.5), number_text(True), number_text(1e300)
    ('3', '3', '2.5', 'true', None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not abs(value) <= LARGEST_EXACT_INTEGER:
        return None
    return str(int(value)) if value == int(value) else repr(value)


def _whole_number(category: str) -> int | None:
    """The integer that `number_text` writes as this category, if there is one."""
    if not category.lstrip("-").isdecimal() or len(category) > len(str(-LARGEST_EXACT_INTEGER)):
        return None
    try:
        number = int(category)
    except ValueError:
        return None
    return number if number_text(number) == category else None
