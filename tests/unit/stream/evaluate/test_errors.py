"""Answers that fail: the verdict on a window, and the alert's life from partials to messages."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from scipy.stats import binom

from detectors import Undefined, Verdict
from stream.alerts.error_rule import ErrorRule
from stream.baselines.definition import Definition
from stream.baselines.layout import Layout
from stream.evaluate.error_evaluator import ErrorCheck, ErrorYardstick, evaluate_errors
from stream.evaluate.evaluator import Evaluation, evaluate_window
from stream.evaluate.yardstick import yardstick_of
from stream.records.partial import PanePart, pack_counts
from stream.records.settings import SegmentSettings
from stream.records.source import Source
from tests.small_model import START_MS, baseline, settings
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, hear_of_two, limits, relative, row_counts
from tests.unit.stream.evaluate.test_report import validator
from tests.unit.stream.service.test_latency_metrics import registry

ONE = baseline()
COUNTING = msgspec.structs.replace(settings(), errors=True)
LAYOUT = Layout(ONE, errors=True)
RULE = ErrorRule(level=1e-4)
PLAIN = ErrorRule(rule="threshold")


def counts_of(ok: int, failed: int, bad: int = 0, layout: Layout = LAYOUT) -> "np.ndarray[Any, np.dtype[np.int64]]":
    counts = np.zeros(layout.width, np.int64)
    counts[: layout.starts[-1]] = row_counts(ONE, ok + failed + bad)
    if layout.errors:
        counts[-3:] = ok, failed, bad
    return counts


def check(ok: int, failed: int, bad: int = 0, rule: ErrorRule = RULE, *, complete: bool = True) -> ErrorCheck:
    yardstick = ErrorYardstick(rule=rule, level=rule.level or 1e-4)
    found = evaluate_errors(LAYOUT, counts_of(ok, failed, bad), yardstick, complete=complete)
    assert found is not None
    assert found.check is not None
    return found.check


@pytest.mark.parametrize(
    ("ok", "failed", "verdict", "reason"),
    [
        (0, 0, Verdict.UNDEFINED, "empty"),
        (0, 49, Verdict.UNDEFINED, "too few"),
        (0, 50, Verdict.CRITICAL, None),
        (990, 10, Verdict.OK, None),  # just what may
        (989, 11, Verdict.UNDEFINED, "sampling noise"),
        (950, 50, Verdict.WARNING, None),  # not over the critical limit
        (949, 51, Verdict.CRITICAL, None),
        (48, 4, Verdict.UNDEFINED, "sampling noise"),  # 7.7 %, but p = 0.002
    ],
)
def test_a_breach_needs_the_effect_and_the_evidence(ok: int, failed: int, verdict: Verdict, reason: str | None) -> None:
    found = check(ok, failed)
    assert (found.verdict, found.reason) == (verdict, reason)


def test_the_p_value_is_that_of_the_limit() -> None:
    """Against scipy; and it is only asked beyond the limit."""
    assert check(970, 30).p_value == pytest.approx(binom.sf(29, 1_000, 0.01), rel=1e-9)
    assert check(991, 9).p_value is None
    assert (check(970, 30).spent, check(991, 9).spent) == (1e-4, 0.0)


def test_rows_of_which_it_is_not_known_are_in_no_share() -> None:
    """Were they taken for ok, 30 of 2,000 would fail; for failed, half of all."""
    found = check(970, 30, bad=1_000)
    assert (found.value, found.counts.bad) == (0.03, 1_000)
    assert check(10, 10, bad=1_000).reason == "too few"


def test_the_plain_rule_asks_for_the_limit_alone() -> None:
    found = check(989, 11, rule=PLAIN)
    assert (found.verdict, found.p_value, found.provisional, found.spent) == (Verdict.WARNING, None, False, 0.0)
    assert check(990, 10, rule=PLAIN).verdict is Verdict.OK
    assert check(0, 49, rule=PLAIN).reason == "too few"


def test_a_window_that_is_filling_has_no_verdict() -> None:
    found = check(0, 1_000, complete=False)
    assert (found.verdict, found.reason, found.value) == (Verdict.UNDEFINED, "window filling", 1.0)


def test_what_would_be_seen_is_at_the_edge_of_the_test() -> None:
    """Half of the windows at that share alarm: one failure fewer does not."""
    seen = check(1_000, 0).detectable
    assert not isinstance(seen, Undefined)
    failed = round(seen * 1_000)
    assert check(1_000 - failed, failed).verdict.is_breach
    assert not check(1_001 - failed, failed - 1).verdict.is_breach


def window(rule: ErrorRule | None, *, segments: int = 0) -> Evaluation:
    evaluate = evaluate_of(rule)
    counting = msgspec.structs.replace(
        COUNTING, segments={"c": SegmentSettings(values=tuple("ab"[:segments]))} if segments else {}
    )
    yardstick = yardstick_of(Definition(ONE, counting), evaluate.judging, 3_000)
    counts = counts_of(900, 100)
    return evaluate_window(yardstick, counts, start_ms=0, end_ms=3_000, complete=True)


def test_the_budget_pays_for_its_test() -> None:
    """A level of quality's share, divided among the whole and each segment; the sum of what was spent has it."""
    rule = ErrorRule()
    levels = []
    for segments in (0, 2):
        found = window(rule, segments=segments).errors
        assert found is not None
        assert found.check is not None
        levels.append(found.check.level)
    assert levels[0] == pytest.approx(4 * levels[1])  # c=a, c=b and c=other beside the whole
    with_errors, without = window(rule), window(None)
    assert without.errors is not None
    assert without.errors.check is None
    assert with_errors.spent - without.spent == pytest.approx(levels[0])


def part(of: Definition, start: int, rows: tuple[int, int], *, next_offset: int) -> PanePart:
    packed = pack_counts(counts_of(*rows, layout=of.layout))
    return PanePart(of.id, "", START_MS + start, next_offset - 1, next_offset, packed, START_MS + start)


def evaluate_of(rule: ErrorRule | None = RULE) -> Evaluate:
    evaluate = Evaluate(ONE, rules=limits(None, None), window_ms=1_000)
    evaluate.judging = replace(evaluate.judging, errors=rule)
    return evaluate


def run(*seconds: tuple[int, int], rule: ErrorRule | None = RULE, crashes: bool = False) -> Evaluate:
    """Two sources, a pane of each in every second."""
    evaluate = evaluate_of(rule)
    hear_of_two(evaluate, ONE, COUNTING, seconds, part_of=part, crashes=crashes)
    return evaluate


WELL, ILL, WORSE = (500, 0), (480, 20), (400, 100)


def test_an_alert_fires_gets_worse_and_ends() -> None:
    """11 of 1,000 are beyond the limit without the evidence: that window moves nothing."""
    evaluate = run(WELL, ILL, WORSE, (494, 6), WELL, WELL)
    assert [(a["status"], a["severity"], relative(a["evidence"]["window"]["end"])) for a in evaluate.alerts] == [
        ("firing", "warning", 2_000),
        ("firing", "critical", 3_000),
        ("resolved", "critical", 5_000),
    ]
    assert len({a["id"] for a in evaluate.alerts}) == 1


def test_its_message_says_what_failed() -> None:
    (alert,) = run(WELL, ILL).alerts
    assert alert["labels"] == {
        "alertname": "DriftlineErrorRate", "model": "m", "version": "0", "check": "error_rate", "subject": "status",
        "segment": "",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == "answers fail: 40 of 1000 answers (4.00%) failed (1% may) over 1 s"
    assert (alert["value"], alert["threshold"]) == (0.04, 0.01)
    evidence = alert["evidence"]
    assert (evidence["of"], evidence["failed"], evidence["bad"], evidence["counting"]["errors"]) == (1_000, 40, 0, True)
    assert evidence["sources"] == {"predictions/0": [1, 2], "predictions/1": [1, 2]}


def test_reports_tell_of_every_window_and_all_messages_keep_their_schema() -> None:
    evaluate = run(WELL, ILL, (494, 6), WORSE, (0, 0))
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        for record in records:
            validator(name).validate(record)
    told = [report["operations"]["errors"] for report in evaluate.reports]
    assert [(t["n"], t["failed"], t["check"]["verdict"], t["check"]["reason"]) for t in told] == [
        (1_000, 0, "ok", None),
        (1_000, 40, "warning", None),
        (1_000, 12, "undefined", "sampling noise"),
        (1_000, 200, "critical", None),
        (0, 0, "undefined", "empty"),
    ]


def test_a_crash_after_every_word_changes_no_byte() -> None:
    seconds = (WELL, ILL, WORSE, WELL, ILL)
    assert run(*seconds, crashes=True).sent == run(*seconds).sent


def test_a_model_without_the_check_says_nothing_of_errors() -> None:
    evaluate = evaluate_of()
    speaker = Speaker()
    definition = speaker.counts_with(ONE)
    evaluate.hears(speaker.says(1_000, [part(definition, 0, WORSE, next_offset=1)]))
    assert (evaluate.reports[0]["operations"]["errors"], evaluate.alerts) == (None, [])


def test_a_check_that_is_switched_off_ends_its_alert_and_says_why() -> None:
    evaluate = evaluate_of()
    speaker = Speaker()
    definition = speaker.counts_with(ONE, counting=COUNTING)
    evaluate.hears(speaker.says(1_000, [part(definition, 0, WORSE, next_offset=1)]))
    evaluate.judging = replace(evaluate.judging, errors=None)
    evaluate.hears(speaker.says(2_000, [part(definition, 1_000, WORSE, next_offset=2)]))
    fired, ended = evaluate.alerts
    assert (fired["id"], ended["status"], ended["value"]) == (ended["id"], "resolved", None)
    assert "`checks.errors` is off" in ended["annotations"]["summary"]
    validator("alert").validate(ended)


def sample(found: CollectorRegistry, name: str, **labels: str) -> float | None:
    return found.get_sample_value(f"driftline_{name}", {"model": "m", "version": "0", **labels})


def test_the_share_of_the_newest_window_is_a_gauge() -> None:
    found = registry({Source("partials", 0): run(WELL, ILL).fold})
    assert sample(found, "error_ratio", segment="") == 0.04
    assert sample(registry({Source("partials", 0): run((0, 0)).fold}), "error_ratio", segment="") is None
