"""Times and categories of a table's columns."""

import numpy as np
import pyarrow as pa
import pytest

from stream.baselines.columns import CategoricalColumn, categorical_column, time_column_ms
from stream.errors import InputError
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN

EXPECTED = [1_577_836_800_123, 1_577_836_800_000]


@pytest.mark.parametrize("times", [
    pa.array(["2020-01-01T00:00:00.123Z", "2020-01-01T02:00:00+02:00"]),
    pa.array(["2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:00Z"]),
    pa.array(["2020-01-01 00:00:00.123", "2020-01-01"]),  # without a zone: UTC
    pa.array(EXPECTED),
    pa.array(EXPECTED, pa.timestamp("ms")),
    pa.array([t * 1_000_000 for t in EXPECTED], pa.timestamp("ns", "Europe/Berlin")),
    pa.array([float(t) for t in EXPECTED]),
    pa.array(["2020-01-01T00:00:00.123Z", "2020-01-01T00:00:00Z"]).dictionary_encode(),
], ids=lambda a: str(a.type))  # fmt: skip
def test_times_are_epoch_milliseconds(times: pa.Array) -> None:
    assert time_column_ms("ts", pa.chunked_array([times])).tolist() == EXPECTED


def test_dates_are_midnights_and_times_before_1970_are_rounded_down() -> None:
    assert time_column_ms("ts", pa.chunked_array([pa.array([1], pa.date32())])).tolist() == [86_400_000]
    assert time_column_ms("ts", pa.chunked_array([pa.array([-1], pa.timestamp("us"))])).tolist() == [-1]


@pytest.mark.parametrize(("times", "message"), [
    (pa.array(["2020-01-01", None, None]), "no value in 2 rows, the first is row 1"),
    (pa.array([1_600_000_000]), "row 0: 1.6e\\+09 must be epoch milliseconds.*multiply seconds by 1000"),
    (pa.array([1.6e12, np.nan]), "row 1: nan must be epoch milliseconds"),
    (pa.array(["noon"]), "'ts', row 0: 'noon' must be RFC 3339"),
    (pa.array(["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"]), "row 1: '2020-01-01T00:00:00' .* a zone or none with"),
    (pa.array(["2020-01-01T00:00:00"] * 700 + ["2020-01-32T00:00:00"] + ["2020-01-01T00:00:00"] * 300),
     "row 700: '2020-01-32T00:00:00' must"),
    (pa.array(["2020-01-01T00:00:00Z"] * 7 + ["later", "2020-01-01T00:00:00Z"]), "row 7: 'later' must"),
    (pa.array(["", *["2020-01-01T00:00:00Z"] * 7]), "row 0: '' must"),
    (pa.array([1], pa.time32("s")), "holds time32"),
])  # fmt: skip
def test_what_is_no_time_is_refused(times: pa.Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        time_column_ms("ts", pa.chunked_array([times]))


def test_codes_of_another_list_of_categories() -> None:
    codes = np.array([0, 1, CODE_MISSING, CODE_INVALID], np.int32)
    column = CategoricalColumn(name="c", codes=codes, categories=("a", "b"))
    assert column.recoded(["x", "b"]).tolist() == [CODE_UNSEEN, 1, CODE_MISSING, CODE_INVALID]
    assert column.recoded([]).tolist() == [CODE_UNSEEN, CODE_UNSEEN, CODE_MISSING, CODE_INVALID]


def test_a_column_of_nulls_has_no_category() -> None:
    column = categorical_column("c", pa.chunked_array([pa.nulls(2, pa.string())]))
    assert (column.codes.tolist(), column.categories) == ([-1, -1], ())
    assert column.recoded(["a"]).tolist() == [-1, -1]


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InputError, match=r"column 'c' cannot be read as text.*UTF-8"):
        categorical_column("c", pa.chunked_array([pa.array([b"\xe9"])]))
