"""A single answer over the hard limit, read again: equal, another than was told, or not there any more."""

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest

from stream.ingest.settings import IngestSettings
from stream.verify.rejoin import Joins
from stream.verify.telling import as_plain, in_words
from stream.verify.verifier import Result, Verified, Verifier
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS
from tests.unit.stream.count.test_slow_answers import Answers, message, told, whole
from tests.unit.stream.evaluate.partials import judging

ANSWERS: Answers = [(0, 20), [(1_000, 20), (1_500, 2_500.5)], (1_600, 3_000)]


def verifier(log: MemoryLog, ingest: IngestSettings | None = None) -> Verifier:
    return Verifier(
        log=log,
        joins=Joins(log, ()),
        find_baseline=lambda _: None,  # none is needed
        settings_of=lambda _: judging(),
        ingest=ingest or IngestSettings(),
        segments_of=lambda _: {},
        joins_labels=lambda _: False,
    )


def two_events() -> tuple[MemoryLog, list[dict[str, Any]]]:
    run = whole(ANSWERS)
    return run.log, sorted(told(run.sent).values(), key=lambda m: m["evidence"]["offset"])


async def test_what_was_told_is_equal_to_what_lies_there() -> None:
    log, events = two_events()
    found = {event["id"]: [await verifier(log).verify(event)] for event in events}
    assert [(one.result, one.differences) for (one,) in found.values()] == [(Result.EQUAL, [])] * 2
    words = in_words(found)
    assert "message 1: event warning" in words
    assert "counted again: 1 row in 1 message: predictions/0 [1, 2)" in words
    assert "equal: value 2500.5, threshold 2000" in words
    assert as_plain(found)["result"] == "equal"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("value", 2_500.0),
        ("startsAt", "2001-09-09T01:46:41Z"),
        ("id", "0123456789abcdef"),
        ("threshold", 2_600),  # which the answer does not exceed
    ],
)
async def test_what_was_tampered_with_is_named(field: str, value: object) -> None:
    log, (event, _) = two_events()
    event = copy.deepcopy(event)
    event[field] = value
    found = await verifier(log).verify(event)
    assert found.result is Result.UNEQUAL
    assert field in [d.field for d in found.differences]


async def test_a_limit_that_is_not_exceeded_is_a_difference_even_if_all_else_is_said_alike() -> None:
    log, (event, _) = two_events()
    event = {**event, "threshold": 2_501, "annotations": copy.deepcopy(event["annotations"])}
    event["annotations"]["summary"] = event["annotations"]["summary"].replace("2000", "2501")
    found = await verifier(log).verify(event)
    assert [tuple(d) for d in found.differences] == [("threshold", 2_501, "not exceeded")]


@pytest.mark.parametrize(
    "lies_there",
    [
        b"{oops",
        orjson.dumps([message((1_000, 20))]),  # no such element
        orjson.dumps(message((1_500, 2_500.5))),  # not in an array
        orjson.dumps([message((1_000, 20)), message((1_500, 2_500.5)) | {"model": "other"}]),
    ],
)
async def test_an_answer_that_does_not_lie_there_is_a_difference(lies_there: bytes) -> None:
    log, (event, _) = two_events()
    log.records[PREDICTIONS][1] = replace(log.records[PREDICTIONS][1], value=lies_there)
    found = await verifier(log).verify(event)
    assert [tuple(d) for d in found.differences] == [("value", 2_500.5, "(absent)")]


async def test_what_retention_has_cut_cannot_be_read() -> None:
    log, (event, _) = two_events()
    await log.trim(PREDICTIONS, 2)
    found: Verified = await verifier(log).verify(event)
    assert found.result is Result.CANNOT
    assert found.reason.startswith("predictions/0 is kept from offset 2 on only")


async def test_a_message_of_another_shape_is_read_by_the_configuration() -> None:
    log, (_, event) = two_events()
    foreign = message((1_600, None)) | {"took": {"ms": 3_000}}
    log.records[PREDICTIONS][2] = replace(log.records[PREDICTIONS][2], value=orjson.dumps(foreign))
    settings = IngestSettings(fields={"latency_ms": "took.ms"})
    assert (await verifier(log, settings).verify(event)).result is Result.EQUAL
    assert (await verifier(log).verify(event)).result is Result.UNEQUAL
