"""Columns of a table as series: numbers as float64, categories as codes.

What a value means is decided here, once, for baselines and for backtests:

* numbers and booleans are numeric; null and NaN are missing, +-inf is invalid;
* strings are categorical; null is missing. In a CSV an empty field is null;
* dates, lists and other types are no features, unless a column is declared categorical.
"""

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream.errors import InputError
from stream.records.prediction import CODE_MISSING, CODE_UNSEEN

NUMBER: Final = r"^\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
MOSTLY: Final = 0.9  # from this share of numbers on, a text among them is a mistake rather than a category
SMALLEST_EPOCH_MS: Final = 1e11  # March 1973; a smaller number is seconds


class Kind(enum.StrEnum):
    """What a column can be counted as."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    EMPTY = "empty"  # only nulls, of no type: agrees with either


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericColumn:
    """Numbers of one series."""

    name: str
    values: npt.NDArray[np.float64]  # shape (rows,); NaN = missing, +-inf = invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalColumn:
    """Categories of one series."""

    name: str
    codes: npt.NDArray[np.int32]  # shape (rows,): index into `categories`, or a CODE_*
    categories: tuple[str, ...]  # without repeats, in any order

    def recoded(self, categories: Sequence[str]) -> npt.NDArray[np.int32]:
        """The same values as codes of another list of categories; what that has not is CODE_UNSEEN."""
        code_of: Mapping[str, int] = {category: code for code, category in enumerate(categories)}
        mapped = np.array([code_of.get(c, CODE_UNSEEN) for c in self.categories] or [CODE_UNSEEN], np.int32)
        return np.where(self.codes >= 0, mapped[np.maximum(self.codes, 0)], self.codes).astype(np.int32)


Column = NumericColumn | CategoricalColumn


def kind_of(column_type: pa.DataType) -> Kind | None:
    """What a column of this type is counted as by itself; None for dates, lists and the like."""
    if pa.types.is_dictionary(column_type):
        return kind_of(column_type.value_type)
    if pa.types.is_null(column_type):
        return Kind.EMPTY
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    if any(is_numeric(column_type) for is_numeric in numeric):
        return Kind.NUMERIC
    strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    binaries = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    if any(is_text(column_type) for is_text in strings + binaries):
        return Kind.CATEGORICAL
    return None


def stray_text(column: pa.ChunkedArray) -> str | None:
    """The first text of a text column that is mostly numbers, which makes all of it categories; None for any other.

    >>> stray_text(pa.chunked_array([["1", "2.5", "3", "4", "5", "6", "7", "8", "9", "abc"]]))
    'abc'
    >>> stray_text(pa.chunked_array([["1", "a", "b"]]))
    """
    if kind_of(column.type) is not Kind.CATEGORICAL or not len(column):
        return None
    text = _plain(column).drop_null()
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)) or not len(text):
        return None
    is_number = pc.match_substring_regex(text, NUMBER)
    share = pc.mean(is_number).as_py()
    return str(text.filter(pc.invert(is_number))[0].as_py()) if MOSTLY <= share < 1 else None


def numeric_column(name: str, column: pa.ChunkedArray) -> NumericColumn:
    """Any numeric, boolean or empty column as float64."""
    plain = _plain(column)
    values = plain.cast(pa.float64(), safe=False).to_numpy()
    return NumericColumn(name=name, values=np.ascontiguousarray(values, np.float64))


def number_texts_column(name: str, column: pa.ChunkedArray) -> NumericColumn:
    """Texts as numbers; one that is none is invalid: +inf.

    >>> number_texts_column("took", pa.chunked_array([["12.5", " 3 ", "+.5", "fast", "1e999", None]])).values.tolist()
    [12.5, 3.0, 0.5, inf, inf, nan]

    Raises:
        InputError: bytes that are not UTF-8.
    """
    texts = categorical_column(name, column)
    of_text = np.array([float(text) if re.match(NUMBER, text) else np.inf for text in texts.categories] or [np.nan])
    return NumericColumn(name=name, values=np.where(texts.codes >= 0, of_text[np.maximum(texts.codes, 0)], np.nan))


def categorical_column(name: str, column: pa.ChunkedArray) -> CategoricalColumn:
    """Any column as categories, by its values' text: 7 is "7", true is "true".

    Raises:
        InputError: bytes that are not UTF-8, or a type that has no text.
    """
    try:
        text = _plain(column).cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        fix = "save the file as UTF-8, or leave the column out with --ignore"
        raise InputError(f"column {name!r} cannot be read as text ({problem}); {fix}") from problem
    encoded = pa.chunked_array([text.combine_chunks()]).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no row at all
        return CategoricalColumn(name=name, codes=np.empty(0, np.int32), categories=())
    codes = pc.fill_null(encoded.indices, CODE_MISSING).to_numpy(zero_copy_only=False)
    return CategoricalColumn(name=name, codes=codes.astype(np.int32), categories=tuple(encoded.dictionary.to_pylist()))


def time_column_ms(name: str, column: pa.ChunkedArray, *, gaps: bool = False) -> npt.NDArray[np.int64]:
    """Event times, shape (rows,), in epoch milliseconds; a time without a zone is taken as UTC.

    Args:
        name: of the column.
        column: the times.
        gaps: whether a row may have none; what stands for it then is no time.

    Raises:
        InputError: a row without a time, a number too small to be milliseconds, or text that is no time.
    """
    if column.null_count and not gaps:
        row = pc.index(column.is_null(), True).as_py()
        raise InputError(
            f"time column {name!r} has no value in {column.null_count} rows, the first is row {row}; fill them in, or "
            "leave the column out with --ignore"
        )
    plain = _plain(column)
    if kind_of(plain.type) is Kind.NUMERIC:
        numbers = numeric_column(name, column).values
        return _epoch_ms(name, np.where(np.isnan(numbers), SMALLEST_EPOCH_MS, numbers) if gaps else numbers)
    if kind_of(plain.type) is Kind.CATEGORICAL:
        plain = _parsed_times(name, plain.cast(pa.string()))
    if not (pa.types.is_timestamp(plain.type) or pa.types.is_date(plain.type)):
        raise InputError(f"time column {name!r} holds {plain.type}; use RFC 3339 text, a timestamp, or epoch ms")
    unit = "us" if not pa.types.is_timestamp(plain.type) or plain.type.unit != "ns" else "ns"
    ticks = plain.cast(pa.timestamp(unit)).cast(pa.int64()).fill_null(0).to_numpy()
    per_ms = 1_000 if unit == "us" else 1_000_000
    return np.floor_divide(np.asarray(ticks, np.int64), per_ms)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _epoch_ms(name: str, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    usable = np.isfinite(numbers) & (np.abs(numbers) >= SMALLEST_EPOCH_MS)
    if not usable.all():
        row = int(np.argmin(usable))
        rule = "must be epoch milliseconds (at least 1e11); multiply seconds by 1000"
        raise InputError(f"time column {name!r}, row {row}: {numbers[row]:g} {rule}")
    return numbers.astype(np.int64)


def _parsed_times(name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
    read = 0  # rows, by whatever reads the most of them
    for target in (pa.timestamp("ns", "UTC"), pa.timestamp("ns"), pa.timestamp("us", "UTC"), pa.timestamp("us")):
        found = _cast(text, target)
        if found is not None:
            return found
        read = max(read, _rows_read(text, target))
    raise InputError(
        f"time column {name!r}, row {read}: {text[read].as_py()!r} must be RFC 3339, all with a zone or none with one; "
        "mend it, or leave the column out with --ignore"
    )


def _cast(text: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return text.cast(target)
    except pa.ArrowInvalid:
        return None


def _rows_read(text: pa.ChunkedArray, target: pa.DataType) -> int:
    """How many rows come before the first one that is no such time; there is one."""
    good, bad = 0, len(text)  # so many rows can be read, and so many cannot
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if _cast(text.slice(good, middle - good), target) is None else (middle, bad)
    return good
