"""Dead letters carry the bytes, the reason and the place; a repeat is the same message."""

import hashlib

import pytest

from stream.durable.log import Outgoing
from stream.ingest.dead_letter import DeadLetters, DeadLetterTopic, dead_letter
from stream.records.ledger import Ledger
from stream.records.rejection import Rejection
from stream.records.source import Source

HOME = Source("dead-letters", 2)


def letter(value: bytes | None = b"{oops", *, index: int | None = None, detail: str = "no JSON") -> Outgoing:
    rejection = Rejection(reason="not_json", detail=detail, offset=42, index=index, value=value)
    return dead_letter(rejection, Source("predictions", 3), HOME, max_bytes=10)


def test_it_goes_where_it_is_sent() -> None:
    assert letter().to == HOME


@pytest.mark.parametrize(
    ("index", "key"),
    [
        (None, b"predictions/3/42"),
        (0, b"predictions/3/42/0"),  # the first element of an array is not the array
        (7, b"predictions/3/42/7"),
    ],
)
def test_its_key_is_the_place_it_came_from(index: int | None, key: bytes) -> None:
    assert letter(index=index).key == key


def test_the_headers_say_why_where_and_what() -> None:
    assert dict(letter(index=7).headers) == {
        "reason": b"not_json",
        "detail": b"no JSON",
        "size": b"5",
        "sha256": hashlib.sha256(b"{oops").hexdigest().encode(),
        "topic": b"predictions",
        "partition": b"3",
        "offset": b"42",
        "index": b"7",
    }


def test_a_message_that_is_no_array_has_an_empty_index() -> None:
    assert dict(letter().headers)["index"] == b""


def test_a_long_value_is_cut_but_size_and_hash_are_of_the_whole() -> None:
    whole = b"0123456789ABCDEF"
    cut = letter(whole)
    assert cut.value == b"0123456789"
    assert dict(cut.headers)["size"] == b"16"
    assert dict(cut.headers)["sha256"] == hashlib.sha256(whole).hexdigest().encode()


def test_a_tombstone_stays_one() -> None:
    assert letter(None).value is None
    assert dict(letter(None).headers)["size"] == b"0"


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    assert dict(letter(detail="got \udcff").headers)["detail"] == b"got \\udcff"


def test_letters_wait_in_order_and_are_counted_by_reason_once() -> None:
    rejections = [
        Rejection(reason=reason, detail="", offset=offset, index=None, value=b"{}")
        for offset, reason in enumerate(("not_json", "future", "not_json"))
    ]
    ledger = Ledger(dead={"future": 4})
    letters = DeadLetters(Source("predictions", 5), DeadLetterTopic(name="dead-letters", partitions=3, max_bytes=1))
    letters.add(rejections[:2], ledger)
    letters.add(rejections[2:], ledger)
    assert ledger.dead == {"not_json": 2, "future": 5}
    taken = letters.take()
    assert [(one.to, one.key, one.value) for one in taken] == [
        (Source("dead-letters", 2), f"predictions/5/{offset}".encode(), b"{") for offset in range(3)
    ]
    assert letters.take() == []
