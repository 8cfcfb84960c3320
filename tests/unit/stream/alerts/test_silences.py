"""What people say of alerts: which alerts a silence is about and when, and what is read of the topic."""

import fnmatch
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.alerts.narrowing import silence_narrows
from stream.alerts.request_book import RequestBook
from stream.alerts.silences import (
    LONGEST_TEXT,
    MOST_KEPT,
    Acknowledgement,
    Requests,
    Silence,
    acknowledgement_record,
    like,
    matcher_of,
    read_request,
    silence_record,
)
from stream.errors import InputError
from stream.records.source import Message

SCHEMA = json.loads((Path(__file__).parents[4] / "schemas" / "silence.schema.json").read_text(encoding="utf-8"))
LABELS = {
    "alertname": "DriftlinePSI", "model": "fraud", "version": "3", "check": "psi", "subject": "wind_speed",
    "segment": "", "severity": "warning",
}  # fmt: skip
ACK = Acknowledgement("9f2c0a1b2c3d4e5f", "ann", 1_500, "mine")


def silence(*matchers: str, start: int = 1_000, end: int = 2_000, silence_id: str = "5c1d") -> Silence:
    return Silence(silence_id, tuple(map(matcher_of, matchers)), start, end, "ann", "the feed is migrated")


@pytest.mark.parametrize(
    ("matchers", "applies"),
    [
        ((), True),
        (("model=fraud",), True),
        (("model=frau",), False),
        (("model!=fraud",), False),
        (("model!=spam",), True),
        (("subject=wind_*", "severity=warning"), True),
        (("subject=wind_*", "severity=critical"), False),  # all must match
        (("segment=",), True),  # of the whole traffic
        (("segment=*=EWR",), False),
        (("subject=*_speed",), True),
        (("subject!=*d*",), False),
    ],
)
def test_a_silence_is_about_the_alerts_that_fulfil_all_its_conditions(matchers: tuple[str, ...], applies: bool) -> None:
    assert silence(*matchers).is_about(LABELS) is applies


@pytest.mark.parametrize(("end_ms", "applies"), [(999, False), (1_000, True), (1_999, True), (2_000, False)])
def test_a_silence_counts_for_windows_that_end_from_its_start_to_before_its_end(end_ms: int, applies: bool) -> None:
    one = silence("model=fraud")
    assert Requests(1, (one,)).at(end_ms) == ((one,) if applies else ())


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_any_text_as_in_a_shell(pattern: str, text: str) -> None:
    assert like(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("matchers", "narrows"),
    [
        ((), False),
        (("model=*",), False),
        (("subject=**", "severity=*"), False),
        (("model!=fraud",), False),
        (("model!=fraud", "check=psi"), True),
        (("segment=",), False),  # the whole traffic of every model
        (("model=fr*",), True),
        (("model=f",), True),  # one name, if a short one
        (("version=3",), True),
        (("model=f*",), False),  # most names have one letter
        (("model=*a*", "check=*s*"), False),
        (("subject=*_*", "segment=*=*"), False),
        (("alertname=Driftline*",), False),  # that every alert has
        (("alertname=DriftlineQuality*",), True),
        (("check=*_*_*",), True),
        (("severity=*in*",), True),  # info and warning, but not critical
    ],
)
def test_what_silences_everything_or_nearly_is_known(matchers: tuple[str, ...], narrows: bool) -> None:
    assert silence_narrows(silence(*matchers)) is narrows


@pytest.mark.parametrize("text", ["model", "model~=x", "colour=red", "=x", "Model=x", "model=" + "x" * 501])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        matcher_of(text)


@pytest.mark.parametrize(
    ("said", "record"),
    [
        (silence("model=fraud", "subject!=x*"), silence_record),
        (silence(), silence_record),
        (ACK, acknowledgement_record),
    ],
)
def test_what_is_written_is_read_and_keeps_the_schema(said: Any, record: Any) -> None:
    Draft202012Validator(SCHEMA).validate(record(said))
    assert read_request(json.dumps(record(said)).encode()) == said


def test_the_schemas_examples_are_read() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for example in SCHEMA["examples"]:
        Draft202012Validator(SCHEMA).validate(example)
        assert not isinstance(read_request(json.dumps(example).encode()), str)


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": "driftline.silence/9"},
        {"schema": 7},
        {"id": 7},
        {"startsAt": "yesterday"},
        {"startsAt": "2024-01-01T00:00:00"},  # in which zone?
        {"endsAt": "1970-01-01T00:00:00Z"},
        {"matchers": ["model"]},
        {"matchers": 7},
        {"matchers": ["model=x"] * 21},
        {"comment": "x" * (LONGEST_TEXT + 1)},
        {"createdBy": None},
    ],
)
def test_what_anybody_writes_there_stops_nothing(changed: dict[str, Any]) -> None:
    value = {**silence_record(silence("model=fraud")), **changed}
    assert isinstance(read_request(json.dumps(value).encode()), str)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"7", b"null", b"\xff", b"{}"])
def test_what_is_no_record_is_said_to_be_none(value: bytes) -> None:
    assert isinstance(read_request(value), str)


def book(*said: Silence | Acknowledgement | bytes) -> RequestBook:
    found = RequestBook()
    for offset, one in enumerate(said):
        record = silence_record(one) if isinstance(one, Silence) else one
        if isinstance(record, Acknowledgement):
            record = acknowledgement_record(record)
        value = record if isinstance(record, bytes) else json.dumps(record).encode()
        found.add(Message(offset=offset, timestamp_ms=0, key=b"", value=value))
    return found


def test_of_each_silence_and_alert_the_newest_word_counts() -> None:
    ended = msgspec.structs.replace(silence("model=fraud"), ends_at_ms=1_200)
    newer = msgspec.structs.replace(ACK, author="bob")
    found = book(silence("model=fraud"), ACK, b"oops", ended, newer, silence(silence_id="1a")).requests
    assert found == Requests(6, (silence(silence_id="1a"), ended), (newer,))
    assert found.acknowledgement_of(ACK.alert) == newer
    assert [s.id for s in found.at(1_100)] == ["1a", "5c1d"]
    assert [s.id for s in found.at(1_200)] == ["1a"]  # the other one was ended


def test_only_the_newest_are_kept() -> None:
    said = [silence(silence_id=f"{n:04}") for n in range(MOST_KEPT + 2)]
    found = book(*said, said[0]).requests  # the first has been renewed
    assert len(found.silences) == MOST_KEPT
    assert {s.id for s in said} - {s.id for s in found.silences} == {"0001", "0002"}


@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_an_acknowledgement_is_found_by_its_alert(number: int) -> None:
    acks = tuple(msgspec.structs.replace(ACK, alert=f"{n:016x}") for n in range(number))
    assert [Requests(1, (), acks).acknowledgement_of(a.alert) for a in acks] == list(acks)
    for unknown in ("", f"{number:016x}", "0000000000000000x"):
        assert Requests(1, (), acks).acknowledgement_of(unknown) is None


def test_long_ones_are_kept_as_far_as_they_fit_a_message() -> None:
    long = [silence(*[f"subject={'x' * 490}"] * 20, silence_id=f"{n:04}") for n in range(100)]
    kept = book(*long).requests.silences
    assert 10 < len(kept) < 100
    assert [s.id for s in kept] == [s.id for s in long[-len(kept) :]]
    assert len(msgspec.msgpack.encode(kept)) < 250_000


def test_the_bytes_of_what_was_said_never_come_again() -> None:
    # The changelog takes a repeated activation for the first one.
    ended = msgspec.structs.replace(silence(), ends_at_ms=1_000)
    seen = [msgspec.msgpack.encode(book(*said).requests) for said in ((), (silence(),), (silence(), ended))]
    seen.append(msgspec.msgpack.encode(book(silence(), ended, silence(), ended).requests))
    assert len(set(seen)) == len(seen)
