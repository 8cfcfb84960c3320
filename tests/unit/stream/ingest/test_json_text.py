"""Bytes are one JSON value, or the detail says what else they look like."""

import gzip

import pytest

from stream.ingest.fault import Fault
from stream.ingest.json_text import MAX_ELEMENTS, opening_brackets, parse_json, split_array

TEXT = '{"model": "m", "score": 0.5}'

NOT_JSON = [
    # bytes, what the detail must say
    (TEXT.encode("utf-8-sig"), "byte order mark"),
    (TEXT.encode("utf-16"), "UTF-16"),
    (TEXT.encode("utf-16-le"), "UTF-16"),
    (TEXT.encode("utf-16-be"), "UTF-16"),
    (gzip.compress(TEXT.encode(), mtime=0), "gzip"),
    (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
    (b"\x00\x00\x00\x00\x07\x02m", "Avro"),
    ('{"model": "é"}'.encode("latin-1"), "not UTF-8: byte 0xe9 at 11"),
    (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),  # a surrogate, written as UTF-8
    (b'{"a": NaN}', "NaN is not JSON; send null"),
    (b'{"a": [1, -Infinity]}', "-Infinity is not JSON; send null"),
    (b'{"a": Infinity', "Infinity is not JSON; send null"),
    (b'{"a": "NaN", "b": }', "column"),  # the text "NaN" is not to blame
    (b'{"a": nan}', "column"),
    (b'{"a": 1', ""),  # truncated
    (b'{"a": 1}{"a": 1}', ""),
    (b'{"a": 1,}', ""),
    (b'{"a": 01}', ""),
    (b'{"a": "\\ud800"}', ""),  # half a character
    (b'{"a": "\\udc00\\ud800"}', ""),
    (b'{"a": "\\ud800\\u0041"}', ""),
    (b'{"a": "\n"}', ""),
    (b" \n ", ""),
    (b"[" * 100_000, "nested too deeply"),
    (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    (b'{"a": 1e999, "b": ' + b"[" * 501 + b"]" * 501 + b"}", ""),  # no second opinion on deep nesting
    (b'{"a": 1e999, "b": "\\ud800"}', ""),  # the second opinion is as strict as the first
]


@pytest.mark.parametrize(("value", "says"), NOT_JSON)
def test_what_is_not_json_is_named(value: bytes, says: str) -> None:
    """The reason is always `not_json`."""
    fault = parse_json(value)
    assert isinstance(fault, Fault)
    assert fault.reason == "not_json"
    assert says in fault.detail
    assert 0 < len(fault.detail) < 200


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b' {"a": "\\ud834\\udd1e"}\r\n', {"a": "\U0001d11e"}),
        (b'{"a": 1e999, "b": -1e999, "c": 0.5}', {"a": float("inf"), "b": float("-inf"), "c": 0.5}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {"a": float("inf")}),
        (b'{"a": 1e-999}', {"a": 0.0}),
        ('{"a": "\\u0000é"}'.encode(), {"a": "\x00é"}),
        (b"3", 3),
    ],
)
def test_json_is_read_as_the_standard_says(value: bytes, meaning: object) -> None:
    """A number that no float holds is valid JSON, and infinite."""
    assert parse_json(value) == meaning


def test_nesting_as_deep_as_orjson_reads_is_json() -> None:
    """A thousand levels: more than any producer needs."""
    assert not isinstance(parse_json(b"[" * 1_000 + b"]" * 1_000), Fault)


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b'[ {"a" : 1.50 } ,\n[1, 2],"]",null]', [b'{"a" : 1.50 }', b"[1, 2]", b'"]"', b"null"]),
        ('["é", 1e999]'.encode(), ['"é"'.encode(), b"1e999"]),
    ],
)
def test_an_array_falls_into_the_exact_bytes_of_its_elements(value: bytes, elements: list[bytes]) -> None:
    """Neither white space around an element nor its way of writing numbers changes."""
    assert split_array(value) == elements


@pytest.mark.parametrize("value", [b"[1, 2", b"[1] [2]", b"[1,]", b"[NaN]", b'["\xff"]', b"[" * 100_000])
def test_a_broken_array_is_refused_as_a_whole(value: bytes) -> None:
    """Its elements cannot be told apart."""
    fault = split_array(value)
    assert isinstance(fault, Fault)
    assert fault.reason == "not_json"


def test_an_array_of_very_many_elements_is_too_large() -> None:
    """Ten megabytes of "0," would become five million dead letters."""
    assert split_array(b"[" + b"0," * (MAX_ELEMENTS - 1) + b"0]") == [b"0"] * MAX_ELEMENTS
    fault = split_array(b"[" + b"0," * MAX_ELEMENTS + b"0]")
    assert isinstance(fault, Fault)
    assert fault.reason == "too_large"


def test_opening_brackets_bound_the_depth() -> None:
    """Brackets of both kinds; those in texts count, to be on the safe side."""
    assert opening_brackets(b'[{"a": "["}]') == 3
