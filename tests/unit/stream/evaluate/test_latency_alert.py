"""The life of a latency alert, from the partials of several sources to its messages."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jsonschema import Draft202012Validator

from stream.alerts.rules import LatencyRule
from stream.baselines.definition import Definition
from stream.records.alert import alert_id
from stream.records.partial import PanePart, pack_counts
from tests.small_model import START_MS, baseline, settings
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, hear_of_two, relative, row_counts

SCHEMAS = Path(__file__).parents[4] / "schemas"
ONE = baseline()
SLA_MS = 250
FAST, SLOW, SLOWER = (990, 10), (970, 30), (900, 100)  # answers within and over the SLA, of 1,000


def timed(sla_ms: int | None = SLA_MS) -> Any:
    return msgspec.structs.replace(settings(), latency_sla_ms=sla_ms)


def part(of: Definition, start: int, rows: tuple[int, int], *, next_offset: int = 1) -> PanePart:
    """A pane with answers of 20 ms and of 900 ms."""
    layout = of.layout
    counts = np.zeros(layout.width, np.int64)
    counts[: layout.starts[-1]] = row_counts(of.baseline, sum(rows))
    if layout.latency is not None:
        at = layout.starts[-1] + layout.latency.index(np.array([20.0, 900.0]))
        counts[at] = rows
    return PanePart(of.id, "", START_MS + start, next_offset - 1, next_offset, pack_counts(counts), START_MS + start)


def evaluate_of(rule: LatencyRule | None = None) -> Evaluate:
    evaluate = Evaluate(ONE, window_ms=1_000)
    of_psi = evaluate.judging.psi
    # All rows fall into one bin: PSI is not what these tests are about.
    evaluate.judging = replace(
        evaluate.judging,
        psi=replace(of_psi, default=replace(of_psi.default, warning=None, critical=None)),
        latency=rule or LatencyRule(level=0.001),
    )
    return evaluate


def run(*seconds: tuple[int, int], rule: LatencyRule | None = None, crashes: bool = False) -> Evaluate:
    """Two sources, a pane of each in every second."""
    evaluate = evaluate_of(rule)
    hear_of_two(evaluate, ONE, timed(), seconds, part_of=part, crashes=crashes)
    return evaluate


def moves(evaluate: Evaluate) -> list[tuple[str, str, int]]:
    """Status, severity and end of the window of each message."""
    return [(a["status"], a["severity"], relative(a["evidence"]["window"]["end"])) for a in evaluate.alerts]


def test_it_fires_gets_worse_and_ends() -> None:
    evaluate = run(FAST, SLOW, SLOW, SLOWER, (989, 11), FAST, FAST)
    assert moves(evaluate) == [
        ("firing", "critical", 2_000),  # 60 of 2,000 where 20 may be
        ("resolved", "critical", 6_000),  # (989, 11) is beyond the limit without the evidence: it moves nothing
    ]


def test_a_warning_becomes_critical_under_one_id() -> None:
    evaluate = run(FAST, (981, 19), SLOWER, FAST)
    assert moves(evaluate) == [
        ("firing", "warning", 2_000),
        ("firing", "critical", 3_000),
        ("resolved", "critical", 4_000),
    ]
    assert [a["seq"] for a in evaluate.alerts] == [1, 2, 3]
    assert {a["id"] for a in evaluate.alerts} == {
        alert_id(
            model="m", version="0", check="latency_sla", subject="latency", segment="", first_pane_ms=START_MS + 1_000
        )
    }


def test_the_message_has_the_evidence() -> None:
    (alert,) = run(FAST, (981, 19)).alerts
    assert alert["labels"] == {
        "alertname": "DriftlineLatencySLA", "model": "m", "version": "0", "check": "latency_sla", "subject": "latency",
        "segment": "",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == (
        "answers are slow: 38 of 2000 answers (1.90%) took longer than 250ms (1% may) over 1 s"
    )
    assert (alert["value"], alert["threshold"]) == (0.019, 0.01)
    evidence = alert["evidence"]
    assert (evidence["n"], evidence["violations"], evidence["sla_ms"], evidence["allowed_share"]) == (
        2_000,
        38,
        250,
        0.01,
    )
    assert 0 < evidence["p_value"] < 0.001
    assert evidence["sources"] == {"predictions/0": [1, 2], "predictions/1": [1, 2]}
    assert evidence["counting"]["latency_sla_ms"] == evidence["sla_ms"]


def test_the_plain_rule_says_the_quantile() -> None:
    (alert,) = run(FAST, (989, 11), rule=LatencyRule(rule="threshold")).alerts
    assert alert["threshold"] == SLA_MS
    assert 891 <= alert["value"] <= 909
    assert alert["annotations"]["summary"].startswith("answers are slow: p99 9")


def test_a_crash_after_every_word_changes_no_byte() -> None:
    seconds = (FAST, (981, 19), SLOWER, FAST, SLOW)
    assert run(*seconds, crashes=True).sent == run(*seconds).sent


def test_reports_tell_of_every_window_and_keep_their_schema() -> None:
    evaluate = run(FAST, (981, 19), (989, 11), SLOWER, (0, 0))
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        schema = Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
        for record in records:
            schema.validate(record)
    told = [report["latency"] for report in evaluate.reports]
    assert [(t["n"], t["violations"], t["check"]["verdict"], t["check"]["reason"]) for t in told] == [
        (2_000, 20, "ok", None),
        (2_000, 38, "warning", None),
        (2_000, 22, "undefined", "sampling noise"),
        (2_000, 200, "critical", None),
        (0, 0, "undefined", "empty"),
    ]
    assert evaluate.reports[1]["alerts_firing"] == [evaluate.alerts[0]["id"]]


def test_a_model_without_the_check_says_nothing_of_latency() -> None:
    evaluate = evaluate_of()
    speaker = Speaker()
    definition = speaker.counts_with(ONE)
    evaluate.hears(speaker.says(1_000, [part(definition, 0, SLOWER)]))
    (report,) = evaluate.reports
    assert (report["latency"], evaluate.alerts) == (None, [])


def test_a_check_that_is_switched_off_ends_its_alert_and_says_why() -> None:
    evaluate = evaluate_of()
    speaker = Speaker()
    definition = speaker.counts_with(ONE, counting=timed())
    evaluate.hears(speaker.says(1_000, [part(definition, 0, SLOWER)]))
    evaluate.judging = replace(evaluate.judging, latency=None)
    evaluate.hears(speaker.says(2_000, [part(definition, 1_000, SLOWER)]))
    fired, ended = evaluate.alerts
    assert (fired["id"], ended["status"], ended["value"]) == (ended["id"], "resolved", None)
    assert "`checks.latency` is off" in ended["annotations"]["summary"]
    Draft202012Validator(json.loads((SCHEMAS / "alert.schema.json").read_text())).validate(ended)
    assert evaluate.reports[-1]["latency"]["check"] is None


def test_another_sla_takes_over_once_its_window_is_full_and_the_episode_goes_on() -> None:
    """Both definitions count side by side meanwhile, as after a promotion; no window is blind."""
    evaluate = evaluate_of()
    evaluate.judging = replace(evaluate.judging, window_ms=2_000)
    speaker = Speaker()
    old = speaker.counts_with(ONE, counting=timed(250))
    for second in range(2):
        evaluate.hears(speaker.says(1_000 * (second + 1), [part(old, 1_000 * second, SLOWER)]))
    speaker.counts_with(ONE, counting=timed(250), until_ms=6_000)
    new = speaker.counts_with(ONE, counting=timed(300), from_ms=2_000)
    for second in range(2, 6):
        panes = [part(one, 1_000 * second, SLOWER) for one in (old, new)]
        evaluate.hears(speaker.says(1_000 * (second + 1), panes))
    assert [r["latency"]["sla_ms"] for r in evaluate.reports] == [250, 250, 250, 300, 300, 300]
    assert [a["status"] for a in evaluate.alerts] == ["firing"]
