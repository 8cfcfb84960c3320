"""Bytes to msgspec structs, as strictly as the slow route reads them; what is in doubt is left to it."""

from collections.abc import Callable
from typing import Any, Final, cast

from stream.ingest.json_text import MAX_BRACKETS_FOR_RECURSION, UNREADABLE, opening_brackets

Decode = Callable[[Any], Any]  # of a msgspec.json.Decoder

# Python's recursion limit bounds what msgspec reads: a text without that many bytes has not that many brackets.
_SHORT_BYTES: Final = MAX_BRACKETS_FOR_RECURSION


def decode_each(values: list[bytes | None], decode: Decode, max_message_bytes: int) -> list[Any]:
    """One struct per value, None where msgspec refuses it or must not be asked."""
    if _all_plain(values, max_message_bytes):
        try:
            return list(map(decode, values))
        except UNREADABLE:
            pass  # one of them: which, the loop tells
    structs: list[Any] = []
    for value in values:
        try:
            structs.append(decode(value) if _may_decode(value, max_message_bytes) else None)
        except UNREADABLE:
            structs.append(None)
    return structs


def _all_plain(values: list[bytes | None], max_message_bytes: int) -> bool:
    """Whether `_may_decode` holds for all of them at first sight."""
    if None in values:
        return False
    texts = cast("list[bytes]", values)
    longest = max(map(len, texts), default=0)
    return longest <= min(_SHORT_BYTES, max_message_bytes) and all(map(bytes.isascii, texts))


def _may_decode(value: bytes | None, max_message_bytes: int) -> bool:
    """Whether msgspec, which skips what it need not read, judges these bytes as strictly as the slow route."""
    if value is None or len(value) > max_message_bytes:
        return False
    if len(value) > _SHORT_BYTES and opening_brackets(value) > MAX_BRACKETS_FOR_RECURSION:
        return False
    if not value.isascii():
        value.decode()  # raises what the caller takes for a refusal
    return True
