"""Bytes to one JSON value, or the reason why they are none.

Promise: strict RFC 8259 in UTF-8 without a byte order mark, at most about 1,000 levels deep; never raises
and never recurses. Of duplicate keys the last counts. A number beyond a float's range (1e999) is valid
JSON: it reads as inf, so that it spoils one feature and not the row.
Cost: orjson's, about 2 us for 400 bytes; bytes that it refuses are read twice more for a good reason.
"""

import json
from typing import Annotated, Final

import msgspec
import orjson

from stream.ingest.fault import Fault

# Beyond this many opening brackets nothing is asked of parsers that recurse within Python's own limit
# (1,000 less the present stack): what a message becomes must not depend on who calls.
MAX_BRACKETS_FOR_RECURSION: Final = 500
# An array message of "0,0,0,..." must not become as many dead letters as it has bytes.
MAX_ELEMENTS: Final = 100_000

# What parsers raise at bytes that they do not read; msgspec's errors are not ValueErrors in every version.
UNREADABLE: Final = (ValueError, RecursionError, msgspec.MsgspecError)

_FOREIGN_STARTS: Final = {
    b"\xef\xbb\xbf": "a byte order mark comes first; send UTF-8 without one",
    b"\xff\xfe": "looks like UTF-16; send UTF-8",
    b"\xfe\xff": "looks like UTF-16; send UTF-8",
    b"{\x00": "looks like UTF-16; send UTF-8",
    b"\x00{": "looks like UTF-16; send UTF-8",
    b"[\x00": "looks like UTF-16; send UTF-8",
    b"\x00[": "looks like UTF-16; send UTF-8",
    b"\x1f\x8b": "looks compressed by gzip; send plain JSON and let Kafka compress (compression.type)",
    b"\x28\xb5\x2f\xfd": "looks compressed by zstd; send plain JSON and let Kafka compress (compression.type)",
    b"\x00": "looks like a schema registry's framing (Avro, Protobuf); send plain JSON",
}

_valid_but_for_numbers = msgspec.json.Decoder(msgspec.Raw)
_array = msgspec.json.Decoder(Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_ELEMENTS)])


def parse_json(value: bytes) -> object:
    """The JSON value in the bytes, or a `Fault` with reason `not_json`.

    >>> parse_json(b'{"a": 1, "a": 2}')
    {'a': 2}
    >>> parse_json(b'{"a": NaN}').detail
    'NaN is not JSON; send null'
    >>> parse_json(b'{"a": 1e999}')
    {'a': inf}
    """
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return _second_opinion(value, str(error))


def split_array(value: bytes) -> list[bytes] | Fault:
    """The bytes of each element of a JSON array, exactly as they came; `value` begins with a bracket.

    >>> split_array(b'[{"a": 1.0}, null ]')
    [b'{"a": 1.0}', b'null']
    """
    try:
        value.decode()
        return [bytes(element) for element in _array.decode(value)]
    except msgspec.ValidationError:
        return Fault("too_large", f"an array of more than {MAX_ELEMENTS} elements; send several messages")
    except UNREADABLE as error:
        return _complaint(value, str(error))


def opening_brackets(value: bytes) -> int:
    """An upper bound of how deep the JSON in the bytes can be nested; brackets in strings count too."""
    return value.count(b"[") + value.count(b"{")


def _second_opinion(value: bytes, complaint: str) -> object:
    # orjson refuses a whole message for one number that no float can hold.
    if opening_brackets(value) > MAX_BRACKETS_FOR_RECURSION:
        return _complaint(value, complaint)
    try:
        text = value.decode()
        _valid_but_for_numbers.decode(value)
        return json.loads(text, parse_int=_integer)
    except UNREADABLE:
        return _complaint(value, complaint)


def _integer(digits: str) -> int | float:
    """As orjson reads it: beyond 64 bits a float."""
    number = float(digits)
    if abs(number) > 2**65:
        return number
    exact = int(digits)
    return exact if -(2**63) <= exact < 2**64 else number


def _complaint(value: bytes, complaint: str) -> Fault:
    """The most helpful of the things that can be said about bytes that are not JSON."""
    for start, advice in _FOREIGN_STARTS.items():
        if value.startswith(start):
            return Fault("not_json", advice)
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        return Fault("not_json", f"not UTF-8: byte {value[error.start]:#04x} at {error.start}")
    if opening_brackets(value) > MAX_BRACKETS_FOR_RECURSION and "depth" in complaint:
        return Fault("not_json", "nested too deeply")
    constant = _first_constant(text)
    if constant:
        return Fault("not_json", f"{constant} is not JSON; send null")
    return Fault("not_json", complaint)


class _ConstantFound(Exception):
    """NaN, Infinity or -Infinity stands where a value should."""


def _first_constant(text: str) -> str | None:
    def found(constant: str) -> None:
        raise _ConstantFound(constant)

    try:
        json.loads(text, parse_constant=found, parse_int=float)
    except _ConstantFound as constant:
        return str(constant)
    except UNREADABLE:
        pass
    return None
