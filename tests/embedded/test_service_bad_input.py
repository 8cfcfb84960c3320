"""Bad input never stops the service and is never lost."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from stream.records.source import Message
from tests.brokers import Broker
from tests.embedded import contract
from tests.embedded.rows import baseline_columns
from tests.embedded.service import START_MS, Service

SMALL_BYTES = 20_000  # what the dead-letter topic of this service takes
GOOD = b'{"model": "m", "score": 0.5, "ts": %d}' % START_MS
BAD_ELEMENT = b'{"model": "m", "score": 7, "ts": %d }' % START_MS
MANY = 600  # dead letters that the producer would like to send in one batch
RECORD_BYTES = 100  # more than a record and its batch take beside key, value and headers


class Case(NamedTuple):
    """A message and what becomes of it."""

    what: str
    value: bytes | None
    reason: str | None  # None: it counts
    element: int | None = None  # of the element that is the dead letter
    letter: bytes | None = None  # its bytes, where they are not the message's


def text(**fields: Any) -> bytes:
    """A prediction of the known model."""
    return json.dumps({"model": "m", "score": 0.5, "ts": START_MS, **fields}).encode()


DEEP = b'{"model": "m", "score": 0.5, "features": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001
HUGE = text(note="x" * 10_000_000)
LONG = text(features={"x": "é" * 150_000})[:-1]  # not JSON, and longer than the dead-letter topic takes
CASES = [
    Case("not JSON", b"hello", "not_json"),
    Case("JSON that its neighbour would complete", b'{"model": "m", "score": 0.', "not_json"),
    Case("and the neighbour", b'5, "ts": 1364774400000}', "not_json"),
    Case("half an array", b'[{"model": "m", "score": 0.5},', "not_json"),
    Case("the other half", b'{"model": "m", "score": 0.5}]', "not_json"),
    Case("two values", GOOD + b" " + GOOD, "not_json"),
    Case("NaN", b'{"model": "m", "score": NaN}', "not_json"),
    Case("Infinity", b'{"model": "m", "score": 0.5, "features": {"x": -Infinity}}', "not_json"),
    Case("UTF-16", GOOD.decode().encode("utf-16"), "not_json"),
    Case("Latin-1", '{"model": "m", "score": 0.5, "note": "Zürich"}'.encode("latin-1"), "not_json"),
    Case("a byte order mark", b"\xef\xbb\xbf" + GOOD, "not_json"),
    Case("compressed", gzip.compress(GOOD), "not_json"),
    Case("any bytes", bytes(range(256)), "not_json"),
    Case("deep nesting", DEEP, "not_json"),
    Case("longer than the dead-letter topic takes", LONG, "not_json"),
    Case("a text", b'"m"', "not_object"),
    Case("a number", b"7", "not_object"),
    Case("null", b"null", "not_object"),
    Case("no value", None, "empty"),
    Case("zero bytes", b"", "empty"),
    Case("no model", b'{"score": 0.5}', "missing_model"),
    Case("a model that is a number", text(model=7), "wrong_type"),
    Case("a score that is a text", text(score="0.5"), "wrong_type"),
    Case("features that are an array", text(features=[1]), "wrong_type"),
    Case("an unknown model", text(model="who"), "unknown_model"),
    Case("an unknown model of strange letters", text(model="🦆" * 200, version="🦆" * 200), "unknown_model"),
    Case("no answer", b'{"model": "m", "ts": "2013-04-01T00:00:00Z"}', "missing_answer"),
    Case("a score of 1.7", text(score=1.7), "score_out_of_range"),
    Case("seconds", text(ts=START_MS // 1_000), "bad_time"),
    Case("no zone", text(ts="2013-04-01T00:00:00"), "bad_time"),
    Case("the far future", text(ts="4013-04-01T00:00:00Z"), "future"),
    Case(
        "an array of good and bad",
        b"[" + GOOD + b",  " + BAD_ELEMENT + b" ," + GOOD + b"]",
        "score_out_of_range",
        1,
        BAD_ELEMENT,
    ),
    Case("duplicate keys: the last counts", b'{"model": "m", "score": 7, "score": 0.5, "ts": 1364774400000}', None),
    Case("a wrong feature spoils itself only", text(features={"x": "abc"}), None),
    Case("good", GOOD, None),
]
COUNTED = sum(case.reason is None for case in CASES) + 2  # the array's good ones


@pytest.fixture(scope="module")
def service(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has been sent all of it, and whose dead-letter topic takes little."""
    service = Service(broker, tmp_path_factory.mktemp("bad"), {"unknown_models": "dead-letter"})
    try:
        service.make_topic(service.config.topics.dead_letters, 1, max_message_bytes=str(SMALL_BYTES))
        service.make_topic(service.config.topics.predictions, 2, max_message_bytes=str(12_000_000))
        service.run("topics", "create", "--partitions", "2")
        service.create_baseline("m", "0", baseline_columns())
        service.start_ready()
        service.send(*(case.value for case in CASES), key=b"a tombstone needs one")
        service.wait_for("all of it", lambda: service.counter("predictions_received_total") >= len(CASES) + 2)
        service.wait_for("the dead letters", lambda: service.dead_letters())
        yield service
    finally:
        service.close()


def headers_of(letter: Message) -> dict[str, str]:
    """As text."""
    return {name: value.decode() for name, value in letter.headers}


@pytest.fixture(scope="module")
def letters(service: Service) -> dict[int, Message]:
    """The dead letters of CASES, by the offset of the message."""
    bad = sum(case.reason is not None for case in CASES)
    service.wait_for("every dead letter", lambda: len(service.dead_letters()) >= bad)
    return {int(headers_of(letter)["offset"]): letter for letter in service.dead_letters()}


@pytest.mark.parametrize("offset", range(len(CASES)), ids=[case.what for case in CASES])
def test_what_cannot_be_counted_lies_in_the_dead_letters_as_it_came(
    offset: int, letters: dict[int, Message], service: Service
) -> None:
    case = CASES[offset]
    if case.reason is None:
        assert offset not in letters
        return
    letter, value = letters[offset], case.value if case.letter is None else case.letter
    headers = headers_of(letter)
    topic = service.config.topics.predictions
    index = "" if case.element is None else str(case.element)
    assert headers.pop("detail")
    assert headers == {
        "reason": case.reason,
        "size": str(len(value or b"")),
        "sha256": hashlib.sha256(value or b"").hexdigest(),
        "topic": topic,
        "partition": "0",
        "offset": str(offset),
        "index": index,
    }
    assert letter.key == f"{topic}/0/{offset}{'/' * bool(index)}{index}".encode()
    if value is None:
        assert letter.value is None
    elif len(value) <= SMALL_BYTES // 2:
        assert letter.value == value
    else:
        assert letter.value
        assert value.startswith(letter.value)
        assert len(letter.value) >= SMALL_BYTES // 2, "cut no shorter than it must be"
    assert _size(letter) <= SMALL_BYTES


def _size(letter: Message) -> int:
    """What the topic's limit is compared with."""
    headers = sum(len(name) + len(value) + 4 for name, value in letter.headers)
    return len(letter.key or b"") + len(letter.value or b"") + headers + RECORD_BYTES


def test_the_good_ones_beside_them_are_counted(service: Service, letters: dict[int, Message]) -> None:
    assert service.counter("predictions_counted_total") == COUNTED


def test_they_are_counted_by_reason(service: Service, letters: dict[int, Message]) -> None:
    for reason, count in Counter(case.reason for case in CASES if case.reason).items():
        assert service.counter("dead_letters_total", reason=reason) == count, reason


def test_the_command_lists_them(service: Service, letters: dict[int, Message]) -> None:
    listed = json.loads(service.run("dead-letters", "list", "--last", "1000", "--json"))["dead_letters"]
    assert {(d["offset"], d["index"], d["reason"]) for d in listed} == {
        (offset, case.element, case.reason) for offset, case in enumerate(CASES) if case.reason
    }
    chosen = service.run("dead-letters", "list", "--reason", "future").splitlines()
    assert len(chosen) == 1
    assert f"{service.config.topics.predictions}/0/30  future: ts is " in chosen[0]


def test_more_dead_letters_than_the_topic_takes_at_once(service: Service, letters: dict[int, Message]) -> None:
    before = len(service.dead_letters())
    service.send(*[b"no json " + b"x" * 500] * MANY, partition=1)
    service.wait_for("all of them", lambda: len(service.dead_letters()) == before + MANY)


def test_a_message_of_ten_megabytes_is_too_large(service: Service, letters: dict[int, Message]) -> None:
    before = service.counter("predictions_received_total")
    service.send(HUGE, partition=1)
    service.wait_for("it", lambda: service.counter("predictions_received_total") == before + 1)
    assert service.counter("dead_letters_total", reason="too_large") == 1
    letter = service.wait_for(
        "its letter", lambda: next((m for m in service.dead_letters() if _reason(m) == "too_large"), None)
    )
    assert headers_of(letter)["sha256"] == hashlib.sha256(HUGE).hexdigest()
    assert HUGE.startswith(letter.value)


def _reason(letter: Message) -> str:
    return headers_of(letter)["reason"]


def test_every_example_of_the_schema_is_accepted(service: Service, letters: dict[int, Message]) -> None:
    examples = contract.examples("prediction")
    predictions = [p for e in examples for p in (e if isinstance(e, list) else [e])]
    for model, version in sorted({(p["model"], p.get("version", "0")) for p in predictions}):
        service.create_baseline(model, version, baseline_columns())
        service.wait_for("it", partial(service.workers[0].has_read, f"{model}@{version}#1"))
    before = {name: service.counter(f"{name}_total") for name in ("predictions_received", "dead_letters")}

    service.send(*sorted(examples, key=lambda e: "ts" not in e), partition=1)

    received = before["predictions_received"] + len(predictions)
    service.wait_for("them", lambda: service.counter("predictions_received_total") == received)
    assert service.counter("dead_letters_total") == before["dead_letters"]


def test_nothing_has_vanished(service: Service, letters: dict[int, Message]) -> None:
    samples = service.workers[0].metrics()
    totals = {name: sum(series.values()) for name, series in samples.items() if name.endswith("_total")}
    whats = ("predictions_counted", "predictions_late", "predictions_ignored", "dead_letters")
    assert totals["driftline_predictions_received_total"] == sum(totals[f"driftline_{w}_total"] for w in whats)
    assert service.workers[0].process.poll() is None
    ours = [event for event in service.workers[0].log() if event["logger"].startswith("driftline")]
    assert {event["level"] for event in ours} == {"INFO"}


def test_under_ignore_an_unknown_model_is_ignored_and_everything_else_is_as_before(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Service.deployed(broker, tmp_path_factory.mktemp("ignore"), unknown_models="ignore") as service:
        service.create_baseline("m", "0", baseline_columns())
        service.start_ready()
        service.send(GOOD, text(model="who"), [json.loads(GOOD), {"model": "who", "score": 1}], b"{", text(version="9"))
        service.wait_for("all", lambda: service.counter("predictions_received_total") == 6)
        assert service.counter("predictions_counted_total") == 2
        assert service.counter("predictions_ignored_total") == 3
        assert service.counter("dead_letters_total") == service.counter("dead_letters_total", reason="not_json") == 1
