"""The fast route takes what is usual; what it must not take is in test_decode.py's properties."""

import json
from typing import Any

import numpy as np
import pytest

from stream.ingest.chunk import Units
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import WIDE_FEATURES, TypedRows
from stream.records.prediction import Answer, ModelKey, Schema
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, WITH_IDS, M, batch_of, rows_of


def left_alone(values: list[bytes | None], schemas: dict[ModelKey, Schema], **settings: Any) -> list[int]:
    """Which values are for the slow route."""
    n = len(values)
    units = Units(values, np.arange(n, dtype=np.int64), np.full(n, RECORD_MS, np.int64))
    return TypedRows(schemas, IngestSettings(**settings)).read(units)[1]


FAST = [
    b'{"model":"m","score":0.5}',
    b'{"score":1,"model":"m","version":"0","ts":"2013-04-01T05:15:00Z"}',
    b'{"model":"m","score":0.5,"ts":1364793300000,"features":{"x":1,"y":true,"c":3,"z":[1]},"segment":{"a":"b"}}',
    b'{"model":"m","features":{"x":null}}',
    b'{"model":"m","scores":[0.5,0.5]}',
    '{"model":"m","score":0.5,"segment":{"place":"Orléans"}}'.encode(),
    b'{"model":"m","score":0.5,"segment":{"place":"Orl\\u00e9ans"}}',
    b'{"model":"m","score":0.5,"note":"' + b"x" * 5_000 + b'"}',
]


@pytest.mark.parametrize("value", FAST)
def test_usual_predictions_take_the_fast_route(value: bytes) -> None:
    """Were one of them left alone, every result would be right and the service slow."""
    assert left_alone([value], {M: SCHEMA}) == []


BROKEN_WHERE_NOBODY_READS = [
    b'{"model":"m","score":0.5,"note":"\xff"}',
    b'{"model":"m","score":0.5,"\xff":1}',
    b'{"model":"m","score":0.5,"note":"\xed\xa0\x80"}',
    b'{"model":"m","score":0.5,"note":"\\ud800"}',
    b'{"model":"m","score":0.5,"note":[1,]}',
    b'{"model":"m","score":0.5,"note":' + b"[" * 600 + b"]" * 600 + b"}",
]


@pytest.mark.parametrize("value", BROKEN_WHERE_NOBODY_READS)
def test_what_is_skipped_is_judged_all_the_same(value: bytes) -> None:
    """msgspec does not look at the encoding of what it skips, and Python's own limit bounds its depth."""
    assert left_alone([value], {M: SCHEMA}) == [0]
    assert left_alone([value, FAST[5]], {M: SCHEMA}) == [0]


IDS = [b'"a"', b'"f-20130401-UA-1545"', b"17", b"-9223372036854775808", b"18446744073709551615", b"null", b'""']


@pytest.mark.parametrize("value", IDS)
def test_usual_ids_take_the_fast_route(value: bytes) -> None:
    """Texts, whole numbers of 64 bits, and none."""
    assert left_alone([b'{"prediction_id":' + value + b',"model":"m","score":0.5}'], {M: WITH_IDS}) == []


def test_one_odd_id_does_not_slow_its_neighbours() -> None:
    """Only its position is left over: a whole number that another library reads as a float."""
    ids = [b"1", b"18446744073709551616", b"2", b"1.0", b"true", b'"x"', b"-9223372036854775809"]
    values: list[bytes | None] = [b'{"prediction_id":' + one + b',"model":"m","score":0.5}' for one in ids]
    assert left_alone(values, {M: WITH_IDS}) == [1, 3, 4, 6]


def test_one_odd_row_does_not_slow_its_neighbours() -> None:
    """Only its position is left over."""
    odd = b'{"model":"m","score":0.5,"features":{"x":"a text"}}'
    assert left_alone([FAST[0], odd, None, FAST[0], b"\xff", FAST[1]], {M: SCHEMA}) == [1, 2, 4]


NUMERIC_X = Schema(numeric=("x",), categorical=(), categories=(), answer=Answer.SCORE)
CATEGORICAL_X = Schema(numeric=(), categorical=("x",), categories=(("1",),), answer=Answer.SCORE)
QUOTED = Schema(numeric=('a "quoted" name',), categorical=(), categories=(), answer=Answer.SCORE)


@pytest.mark.parametrize(
    ("schemas", "why"),
    [
        ({M: NUMERIC_X, ModelKey("m", "1"): CATEGORICAL_X}, "one struct cannot read x as both"),
        ({M: QUOTED}, "JSON writes the name with escapes"),
        ({}, "nothing is known"),
    ],
)
def test_models_that_no_struct_describes_are_left_alone(schemas: dict[ModelKey, Schema], why: str) -> None:
    """They are read by the slow route, and other models are not drawn in."""
    other = ModelKey("other", "0")
    values: list[bytes | None] = [b'{"model":"m","score":0.5}', b'{"model":"other","score":0.5}']
    assert left_alone(values, schemas) == [0, 1], why
    assert left_alone(values, schemas | {other: NUMERIC_X}) == [0], why


def test_versions_of_one_model_may_have_other_features() -> None:
    """One struct holds the features of all versions."""
    more = Schema(numeric=("z", "x"), categorical=(), categories=(), answer=Answer.VALUE)
    schemas = {M: SCHEMA, ModelKey("m", "1"): more}
    value = b'{"model":"m","version":"1","value":-7,"features":{"x":1,"z":2}}'
    units = Units([value], np.zeros(1, np.int64), np.full(1, RECORD_MS, np.int64))
    (chunk,), rest = TypedRows(schemas, IngestSettings()).read(units)
    assert (chunk.numeric.tolist(), chunk.categorical.shape, rest) == ([[2.0, 1.0, -7.0]], (1, 0), [])


def test_wide_models_are_read_alike_whatever_the_order_of_the_features() -> None:
    """The struct takes the order of the first message that has most features; messages of other orders stay right."""
    names = [f"f{i:02}" for i in range(2 * WIDE_FEATURES)]
    wide = {M: Schema(numeric=tuple(names[1:]), categorical=(names[0],), categories=(("0",),), answer=Answer.SCORE)}
    orders = [names[:3], names[::-1], names, names[7:] + names[:7], names[::2]]
    messages = [
        json.dumps({"model": "m", "score": 0.5, "features": {name: int(name[1:]) for name in order}}).encode()
        for order in orders
    ]
    messages.insert(0, b'{"model":"m","score":0.5,"note":1e999}')
    fast, careful = (Decoder(wide, IngestSettings(), only_careful=only) for only in (False, True))
    for message in messages * 2:
        assert rows_of(fast.decode(batch_of([message]))) == rows_of(careful.decode(batch_of([message])))
    assert left_alone(messages, wide) == []


def test_each_column_lies_together_in_memory() -> None:
    """Counting goes through the columns."""
    units = Units([FAST[0]] * 5, np.arange(5), np.full(5, RECORD_MS, np.int64))
    (chunk,), _ = TypedRows({M: SCHEMA}, IngestSettings()).read(units)
    assert chunk.numeric.flags.f_contiguous
