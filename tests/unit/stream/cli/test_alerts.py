"""Which alerts `driftline alerts tail` shows, and each on one line."""

from typing import Any

import orjson
import pytest

from stream.cli.alerts import Wanted, _line
from stream.records.source import Message

ALERT: dict[str, Any] = {
    "id": "9f2c0a1b2c3d4e5f",
    "status": "firing",
    "severity": "warning",
    "startsAt": "2013-10-02T00:00:00Z",
    "endsAt": None,
    "labels": {"model": "fraud", "version": "3", "segment": ""},
    "annotations": {"summary": "amount drifted"},
    "evidence": {"window": {"start": "2013-10-02T00:00:00Z", "end": "2013-10-03T00:00:00Z"}},
}


def line(alert: Any) -> str:
    value = alert if isinstance(alert, bytes) else orjson.dumps(alert)
    return _line(Message(offset=7, timestamp_ms=0, key=None, value=value))


def test_a_line_says_when_what_how_bad_which_and_whose() -> None:
    assert line(ALERT) == "2013-10-03T00:00:00Z  firing    warning   9f2c0a1b2c3d4e5f  fraud@3  amount drifted"


def test_a_segment_belongs_to_the_model() -> None:
    labels = ALERT["labels"] | {"segment": "origin=EWR"}
    assert "  fraud@3/origin=EWR  " in line(ALERT | {"labels": labels})


def test_lost_input_has_no_model_and_perhaps_no_time() -> None:
    lost = ALERT | {"labels": {"model": "", "version": ""}, "startsAt": None, "evidence": {"n": 3}}
    assert line(lost) == "-  firing    warning   9f2c0a1b2c3d4e5f  -  amount drifted"


def test_names_cannot_write_to_the_terminal_or_begin_a_line() -> None:
    told = line(ALERT | {"annotations": {"summary": "\x1b[31mred\nnext"}})
    assert told.endswith("·[31mred·next")


@pytest.mark.parametrize(
    "value", [b"{oops", b"null", b"[]", orjson.dumps({"id": "9f2c"}), orjson.dumps({**ALERT, "evidence": 3})]
)
def test_what_is_no_alert_is_one_line_too(value: bytes) -> None:
    assert line(value) == "offset 7: not an alert"


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(statuses=("firing", "pending")), True),
        (Wanted(statuses=("resolved",)), False),
        (Wanted(severity="info"), True),
        (Wanted(severity="warning"), True),
        (Wanted(severity="critical"), False),
        (Wanted(model="fraud"), True),
        (Wanted(model="fraud", statuses=("resolved",)), False),
        (Wanted(model="other"), False),
    ],
)
def test_all_that_is_asked_for_must_be_so(wanted: Wanted, takes: bool) -> None:
    assert wanted.takes(ALERT) is takes


def test_what_is_no_alert_is_shown_only_if_nothing_is_asked_for() -> None:
    assert (Wanted().takes(None), Wanted(model="fraud").takes(None)) == (True, False)


def test_a_severity_that_is_not_known_is_shown_rather_than_hidden() -> None:
    assert Wanted(severity="critical").takes(ALERT | {"severity": "page"})


def test_a_single_slow_answer_is_an_event_of_its_own_time() -> None:
    """It has no window, and is neither firing nor resolved; whoever wants such ones asks for them."""
    event = ALERT | {"status": "event", "startsAt": "2013-10-02T00:00:01Z", "endsAt": "2013-10-02T00:00:01Z",
                     "evidence": {"n": 1, "offset": 17}}  # fmt: skip
    assert line(event) == "2013-10-02T00:00:01Z  event     warning   9f2c0a1b2c3d4e5f  fraud@3  amount drifted"
    assert Wanted(statuses=("event",)).takes(event)
    assert not Wanted(statuses=("firing", "resolved")).takes(event)
