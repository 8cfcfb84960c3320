"""A model that answers less, or not at all: one that stops while others go on, and when everything stops."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from detectors import Verdict
from stream.alerts.throughput_rule import ThroughputRule
from stream.baselines.baseline import Baseline
from stream.baselines.evidence import RateEvidence, RowsEvidence, SeriesEvidence, WindowEvidence
from stream.evaluate.throughput_evaluator import ThroughputCheck, ThroughputYardstick, evaluate_throughput
from tests.small_model import START_MS, baseline
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits, part, relative
from tests.unit.stream.evaluate.test_report import validator

RULE = ThroughputRule(level=1e-4, idle_ms=500)
WINDOW_MS = 1_000
FIRST_MS = -START_MS % WINDOW_MS  # from START_MS to the first whole multiple of the window's length


def known(**rows: Any) -> WindowEvidence:
    """200 windows of 600 rows on the average, never below 400, silent for 100 ms at most."""
    told = {"windows": 200, "mean": 600.0, "smallest": 400, "overdispersion": 0.01, "longest_silence_ms": 100}
    return WindowEvidence(
        window_ms=WINDOW_MS,
        pane_ms=WINDOW_MS,
        stored=(SeriesEvidence(blocks=200, block_rows=600.0),) * 3,
        rates=(RateEvidence(),) * 3,
        rows=RowsEvidence(**(told | rows)),
    )


def timed(**rows: Any) -> Baseline:
    return msgspec.structs.replace(baseline(), evidence=(known(**rows),))


def judged(n: int, evidence: WindowEvidence | None, rule: ThroughputRule = RULE) -> ThroughputCheck:
    yardstick = ThroughputYardstick(rule=rule, level=1e-4, window_ms=WINDOW_MS, known=evidence)
    found = evaluate_throughput(yardstick, n, complete=True)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("n", "verdict", "reason"),
    [
        (900, Verdict.OK, None),
        (301, Verdict.OK, None),  # less than half is gone
        (300, Verdict.WARNING, None),
        (60, Verdict.CRITICAL, None),
        (0, Verdict.CRITICAL, None),
    ],
)
def test_so_many_rows_may_be_gone(n: int, verdict: Verdict, reason: str | None) -> None:
    found = judged(n, known())
    assert (found.verdict, found.reason, found.value) == (verdict, reason, pytest.approx(1 - n / 600))


@pytest.mark.parametrize(
    ("rows", "rule", "most"),
    [
        ({}, RULE, 300),  # the limit decides
        ({}, ThroughputRule(level=1e-4, warning=0.7), 180),
        ({"overdispersion": 0.2}, RULE, None),  # the test does; what, is worked out below
        ({"smallest": 100}, RULE, 99),  # what a healthy window had is no alarm
        ({"smallest": 0}, RULE, -1),
        ({"mean": 3.0, "smallest": 1}, RULE, -1),  # not even no row is evidence
        ({"mean": 3.0, "smallest": 1}, replace(RULE, rule="threshold"), 1),
        ({"mean": 0.0}, RULE, 0),  # nothing is known
    ],
)
def test_the_rows_that_are_said_to_be_seen_are_where_the_alarms_end(
    rows: dict[str, Any], rule: ThroughputRule, most: int | None
) -> None:
    found = judged(700, known(**rows), rule)
    seen = -1 if found.most_seen is None else found.most_seen
    assert seen == most or most is None
    for n in range(700):
        assert judged(n, known(**rows), rule).verdict.is_breach is (n <= seen)
    if most is None:
        assert 0 < seen < 299


def test_what_a_healthy_window_had_is_no_alarm() -> None:
    """One of them had 250 rows, or they differ so much that 250 are nothing."""
    assert judged(250, known(smallest=250)).reason == "sampling noise"
    assert judged(250, known(overdispersion=0.5)).reason == "sampling noise"
    assert judged(250, known(smallest=251)).verdict is Verdict.WARNING
    assert judged(250, known(smallest=250), replace(RULE, rule="threshold")).verdict is Verdict.WARNING


def test_without_times_only_nothing_at_all_is_an_alarm_and_provisional() -> None:
    few, nothing = judged(1, None), judged(0, None)
    assert (few.verdict, few.value) == (Verdict.OK, None)
    assert (nothing.verdict, nothing.provisional) == (Verdict.CRITICAL, True)
    assert not judged(0, known()).provisional


def run(of: Baseline, *, rule: ThroughputRule | None = RULE) -> tuple[Evaluate, Speaker, Any]:
    evaluate, source = Evaluate(of, rules=limits(None, None), window_ms=WINDOW_MS), Speaker()
    evaluate.judging = replace(evaluate.judging, throughput=rule)
    return evaluate, source, source.counts_with(of)


def test_a_model_that_stops_while_others_go_on_is_an_alert_until_it_answers_again() -> None:
    evaluate, source, of = run(baseline())
    evaluate.hears(source.says(1_000, [part(of, 0, 100)]), source.says(2_000), source.says(3_000))
    (alert,) = evaluate.alerts
    assert (alert["labels"]["alertname"], alert["severity"]) == ("DriftlineThroughput", "critical")
    assert alert["annotations"]["summary"] == "the model has stopped answering: no prediction in 1 s"
    assert relative(alert["startsAt"]) == 2_000
    evaluate.hears(source.says(4_000, [part(of, 3_000, 100)]))
    assert [a["status"] for a in evaluate.alerts] == ["firing", "resolved"]
    assert evaluate.alerts[-1]["annotations"]["summary"] == "the model answers again: 100 predictions in 1 s"


def test_when_every_partition_falls_silent_the_silence_is_the_alert_once() -> None:
    evaluate, source, of = run(timed())
    evaluate.hears(source.says(1_000, [part(of, 0, 600)]))
    assert evaluate.alerts == []
    evaluate.hears(source.says(1_000, idle=True))
    (alert,) = evaluate.alerts
    assert alert["annotations"]["summary"].endswith("no prediction on any partition for 500ms")
    assert alert["evidence"]["silent_ms"] == 500
    evaluate.hears(source.says(1_000, idle=True))  # a zombie's word, or a replay
    evaluate.crash()
    evaluate.hears(source.says(1_000, idle=True))
    assert len(evaluate.alerts) == 1
    evaluate.hears(source.says(2_000, [part(of, 1_000, 600)]))
    assert [a["status"] for a in evaluate.alerts] == ["firing", "resolved"]
    for record in evaluate.alerts:
        validator("alert").validate(record)


def test_one_partition_that_is_silent_is_none() -> None:
    of = timed()
    evaluate = Evaluate(of, rules=limits(None, None), window_ms=WINDOW_MS)
    evaluate.judging = replace(evaluate.judging, throughput=RULE)
    one, other = Speaker(0, sources=2), Speaker(1, sources=2)
    definition, _ = one.counts_with(of), other.counts_with(of)
    evaluate.hears(one.says(1_000, [part(definition, 0, 600)]), other.says(1_000))
    evaluate.hears(one.says(1_000, idle=True))
    assert evaluate.alerts == []
    evaluate.hears(other.says(1_000, idle=True))
    assert len(evaluate.alerts) == 1


@pytest.mark.parametrize(
    ("of", "rule", "alerts"),
    [
        (timed(longest_silence_ms=500), RULE, 0),  # the baseline was silent for as long
        (timed(mean=2.0, smallest=1), RULE, 0),  # one row in 500 ms is expected: none is chance
        (baseline(), RULE, 0),  # what is usual is not known
        (baseline(), replace(RULE, rule="threshold"), 1),
        (timed(), None, 0),
    ],
)
def test_a_silence_that_is_not_known_to_be_unusual_is_none(
    of: Baseline, rule: ThroughputRule | None, alerts: int
) -> None:
    evaluate, source, definition = run(of, rule=rule)
    evaluate.hears(source.says(1_000, [part(definition, 0, 600)]), source.says(1_000, idle=True))
    assert len(evaluate.alerts) == alerts


def first_windows(source: Speaker, of: Any, *, rows: int = 600) -> list[Any]:
    """24 whole windows, as a model's first; behind them time stands at their end."""
    return [source.says(FIRST_MS + 1_000 * (i + 1), [part(of, FIRST_MS + 1_000 * i, rows)]) for i in range(24)]


def test_a_baseline_without_times_learns_how_many_rows_are_usual_from_live_windows() -> None:
    evaluate, source, of = run(baseline())
    evaluate.hears(*first_windows(source, of))
    end_ms = FIRST_MS + 24_000
    assert evaluate.alerts == []
    evaluate.hears(source.says(end_ms + 1_000, [part(of, end_ms, 250)]))
    (alert,) = evaluate.alerts
    assert (alert["severity"], alert["evidence"]["usual"], alert["evidence"]["provisional"]) == ("warning", 600, False)
    assert alert["evidence"]["live_rows"] == {
        "windows": 24, "mean": 600.0, "smallest": 600, "overdispersion": 0.0, "longest_silence_ms": 0,
    }  # fmt: skip
    validator("alert").validate(alert)
    validator("report").validate(evaluate.reports[-1])


def test_a_silence_is_an_alert_once_it_is_learned_that_it_is_unusual_after_a_crash_too() -> None:
    evaluate, source, of = run(baseline())
    evaluate.hears(*first_windows(source, of))
    evaluate.crash()
    evaluate.hears(source.says(FIRST_MS + 24_000, idle=True))
    (alert,) = evaluate.alerts
    assert (alert["evidence"]["silent_ms"], alert["severity"]) == (500, "critical")
    assert alert["evidence"]["live_rows"]["windows"] == 24


@pytest.mark.parametrize("windows_before", [3, 24])
def test_a_silence_that_was_heard_before_is_none(windows_before: int) -> None:
    """Rows come in bursts: the first silence is in the time of learning, or 24 windows of few rows were no proof."""
    evaluate, source, of = run(baseline())
    few = first_windows(source, of, rows=2 if windows_before == 24 else 600)
    evaluate.hears(*few[:windows_before], source.says(FIRST_MS + 1_000 * windows_before, idle=True))
    evaluate.crash()
    evaluate.hears(*few[windows_before:], source.says(FIRST_MS + 24_000, idle=True))
    evaluate.hears(source.says(FIRST_MS + 25_000, [part(of, FIRST_MS + 24_000, 600)]))
    evaluate.hears(source.says(FIRST_MS + 25_000, idle=True))
    assert [a["labels"]["check"] for a in evaluate.alerts] == []


def test_an_outage_after_the_first_lesson_does_not_hide_the_next_one() -> None:
    """The window in breach is not kept, nor are those that evaluate leaps over: the smallest would be 0 for ever."""
    evaluate, source, of = run(baseline())
    evaluate.hears(*first_windows(source, of))
    for second in (*range(28, 60), 64):
        at_ms = FIRST_MS + 1_000 * second
        evaluate.hears(source.says(at_ms + 1_000, [part(of, at_ms, 600)]))
        evaluate.crash()
    assert [a["status"] for a in evaluate.alerts] == ["firing", "resolved"] * 2
    assert evaluate.alerts[-2]["evidence"]["live_rows"] == {
        "windows": 48, "mean": 600.0, "smallest": 600, "overdispersion": 0.0, "longest_silence_ms": 0,
    }  # fmt: skip


def test_a_baseline_with_times_knows_better_than_live_windows() -> None:
    evaluate, source, of = run(timed(mean=100.0, smallest=90))
    evaluate.hears(*first_windows(source, of))
    end_ms = FIRST_MS + 24_000
    evaluate.hears(source.says(end_ms + 1_000, [part(of, end_ms, 200)]))
    assert evaluate.alerts == []
    assert evaluate.reports[-1]["operations"]["throughput"]["usual"] == 100.0


def test_reports_tell_of_it_and_keep_their_schema() -> None:
    for of in (timed(), baseline()):
        evaluate, source, definition = run(of)
        evaluate.hears(source.says(1_000, [part(definition, 0, 250)]), source.says(2_000), source.says(3_000))
        for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
            for record in records:
                validator(name).validate(record)
        assert [r["operations"]["throughput"]["value"] for r in evaluate.reports] == [
            None if of.evidence == () else pytest.approx(1 - 250 / 600), 1.0,
        ]  # fmt: skip
        assert evaluate.reports[0]["operations"]["throughput"]["minimum_detectable"] == (
            {"rows": 0, "share": 1.0} if of.evidence == () else {"rows": 300, "share": 0.5}
        )


def test_it_is_one_of_the_budgets_quality_tests() -> None:
    evaluate, _, _ = run(baseline(), rule=ThroughputRule())
    assert evaluate.judging.tests(baseline())["quality"] == 1
