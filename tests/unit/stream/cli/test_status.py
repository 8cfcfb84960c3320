"""What `driftline status` shows of reports, alerts and lag."""

import asyncio
from typing import Any

from stream.cli.status import as_plain, lines, table
from stream.config import Config
from stream.records.source import Source
from stream.service.standing import DeadLetters, Lag, Standing, dead_letters_of, verdicts
from tests.unit.stream.baselines.memory_log import MemoryLog

REPORT: dict[str, Any] = {
    "schema": "driftline.report/1",
    "model": "fraud",
    "version": "3",
    "segment": "",
    "window": {"start": "2013-10-01T00:00:00Z", "end": "2013-10-02T00:00:00Z"},
    "n": 1_912,
    "complete": True,
    "baseline": "fraud@3#1",
    "checks": [{"verdict": "ok"}, {"verdict": "critical"}, {"verdict": "undefined", "reason": "too few"}],
    "latency": {"n": 3, "check": {"verdict": "ok", "reason": None}},
}
LABELS = REPORT | {"schema": "driftline.performance/1", "n": 80, "complete": False, "checks": [], "latency": None}
ALERT: dict[str, Any] = {
    "id": "9f2c0a1b2c3d4e5f",
    "status": "firing",
    "severity": "critical",
    "startsAt": "2013-10-02T00:00:00Z",
    "labels": {"alertname": "DriftlinePSI", "model": "fraud", "version": "3", "segment": "origin=EWR"},
    "annotations": {"summary": "amount drifted"},
}
LAGS = [Lag(Source("predictions", 0), 3_400, 3_388), Lag(Source("predictions", 1), 7, None)]
FOUND = Standing([REPORT, LABELS], [ALERT], LAGS)


def test_verdicts_are_counted_wherever_they_stand() -> None:
    assert verdicts(REPORT) == {"ok": 2, "critical": 1, "undefined (too few)": 1}


def test_people_see_models_alerts_and_lag() -> None:
    assert list(lines(Config(), FOUND)) == [
        "driftline at localhost:9092",
        "",
        "MODEL           ROWS   WINDOW                                                  BASELINE   CHECKS",
        "fraud@3         1,912  2013-10-01T00:00:00Z to 2013-10-02T00:00:00Z            fraud@3#1  "
        "1 critical, 2 ok, 1 undefined (too few)",
        "fraud@3 labels  80     2013-10-01T00:00:00Z to 2013-10-02T00:00:00Z (filling)  fraud@3#1  none",
        "",
        "1 alert firing",
        "  9f2c0a1b2c3d4e5f  critical  fraud@3/origin=EWR  since 2013-10-02T00:00:00Z  amount drifted",
        "",
        "to be read by group driftline: 19 records",
        "  predictions/0  12  read to 3,388 of 3,400",
        "  predictions/1  7   nothing read yet of 7",
    ]


def test_nothing_is_said_to_be_nothing() -> None:
    assert list(lines(Config(), Standing([], [], [])))[2:] == [
        "no reports yet: no window of a model with a baseline has closed",
        "",
        "0 alerts firing",
        "",
        "to be read by group driftline: 0 records",
    ]


def test_who_knows_of_an_alert_is_named() -> None:
    known = ALERT | {"acknowledged": {"by": "ann", "at": "2013-10-02T01:00:00Z", "comment": ""}}
    assert any(
        line.endswith("amount drifted (acknowledged by ann)") for line in lines(Config(), Standing([], [known], []))
    )


def test_programs_get_the_same() -> None:
    plain = as_plain(Config(), FOUND)
    assert [(m["of"], m["model"], m["n"], m["verdicts"].get("ok")) for m in plain["models"]] == [
        ("predictions", "fraud", 1_912, 2),
        ("labels", "fraud", 80, None),
    ]
    assert [(a["id"], a["summary"]) for a in plain["alerts_firing"]] == [("9f2c0a1b2c3d4e5f", "amount drifted")]
    assert plain["lag"][1] == {"topic": "predictions", "partition": 1, "end": 7, "committed": None, "records": 7}


def test_dead_letters_are_counted_and_the_newest_says_why() -> None:
    log = MemoryLog()
    sources = [Source("dead-letters", p) for p in range(3)]
    assert asyncio.run(dead_letters_of(log, sources)) == DeadLetters()
    for source, at_ms, reason in ((0, 5_000, "bad-json"), (0, 9_000, "late"), (1, 8_000, "no-id"), (1, 1, "bad-json")):
        headers = (("reason", reason.encode()), ("detail", b"as told"))
        log.put(sources[source], b"x", timestamp_ms=at_ms, headers=headers)
    found = asyncio.run(dead_letters_of(log, sources))
    assert found == DeadLetters(4, 9_000, "late: as told")
    told = list(lines(Config(), Standing([], [], [], found)))
    assert (
        told[-1] == "4 dead letters, the newest of 1970-01-01T00:00:09Z, late: as told  (driftline dead-letters list)"
    )
    assert as_plain(Config(), Standing([], [], [], found))["dead_letters"] == {
        "total": 4, "newest": {"received": "1970-01-01T00:00:09Z", "reason": "late: as told"},
    }  # fmt: skip
    assert as_plain(Config(), FOUND)["dead_letters"] == {"total": 0, "newest": None}
    assert not any("dead letter" in line for line in lines(Config(), FOUND))


def test_a_lag_is_never_below_zero() -> None:
    assert Lag(Source("predictions", 0), 5, 6).records == 0


def test_a_name_cannot_write_to_the_terminal() -> None:
    assert list(table([("\x1b[2Jm", "1")])) == ["·[2Jm  1"]
