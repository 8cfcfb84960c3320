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
from tests.small_model import baseline
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits, part, relative
from tests.unit.stream.evaluate.test_report import validator

RULE = ThroughputRule(level=1e-4, idle_ms=500)
WINDOW_MS = 1_000


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
    found = evaluate_throughput(ThroughputYardstick(rule=rule, level=1e-4, known=evidence), n, complete=True)
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


def test_it_is_one_of_the_budgets_quality_tests() -> None:
    evaluate, _, _ = run(baseline(), rule=ThroughputRule())
    assert evaluate.judging.tests(baseline())["quality"] == 1
