"""Alerts on data quality: what moves them, what they say, and that a crash changes no byte of it."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from detectors import Verdict
from stream.alerts.alert_names import ALERT_NAMES
from stream.alerts.quality_rules import QualityRule
from stream.baselines.definition import Definition
from stream.evaluate.quality_evaluator import QualityCheck
from stream.evaluate.quality_report import quality_content
from stream.records.alert import runbook
from stream.records.partial import PanePart, pack_counts
from tests.small_model import START_MS, baseline, settings
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits, relative
from tests.unit.stream.evaluate.test_report import ROOT, validator

RULE = QualityRule(level=1e-4)
WELL = (0, 0, 100)  # missing x, x above the range, the rest
MISSING = (150, 0, 850)
ABOVE = (0, 60, 940)


def part(of: Definition, second: int, rows: tuple[int, int, int]) -> PanePart:
    """A pane: x is missing, above the baseline's range, or spread over its bins; all else is as in the baseline."""
    layout = of.layout
    start, n = layout.starts.tolist(), sum(rows)
    counts = np.zeros(layout.width, np.int64)
    counts[[start[0] + 6, start[0] + 5]] = rows[:2]
    for first, spread in ((start[0] + 1, rows[2]), (start[2] + 1, n)):
        counts[first : first + 4] = [spread // 4 + (i < spread % 4) for i in range(4)]
    counts[start[1] : start[1] + 2] = [n // 2, n - n // 2]
    return PanePart(of.id, "", START_MS + 1_000 * second, second, second + 1, pack_counts(counts), START_MS)


def run(*seconds: tuple[int, int, int], rule: QualityRule | None = RULE, crashes: bool = False) -> Evaluate:
    """A window a second; PSI is left alone."""
    evaluate, source = Evaluate(baseline(), rules=limits(None, None), window_ms=1_000), Speaker()
    evaluate.judging = replace(evaluate.judging, quality=rule)
    definition = source.counts_with(baseline())
    for second, rows in enumerate(seconds):
        evaluate.hears(source.says(1_000 * (second + 1), [part(definition, second, rows)]))
        if crashes:
            evaluate.crash()
    return evaluate


def test_an_alert_begins_changes_and_ends_with_what_is_missing() -> None:
    evaluate = run(WELL, (50, 0, 950), MISSING, WELL)
    moves = [(a["status"], a["severity"], relative(a["startsAt"])) for a in evaluate.alerts]
    assert moves == [("firing", "warning", 2_000), ("firing", "critical", 2_000), ("resolved", "critical", 2_000)]
    assert len({a["id"] for a in evaluate.alerts}) == 1


def test_the_message_says_what_is_missing_and_how_sure_that_is() -> None:
    (alert,) = run(MISSING).alerts
    assert alert["labels"]["alertname"] == "DriftlineQualityMissing"
    assert alert["annotations"]["summary"] == "x is missing in 15% of 1000 rows (0.125% when healthy) over 1 s"
    assert "p = " in alert["annotations"]["description"]
    assert "With 1000 rows a share from about 2.41% on is seen." in alert["annotations"]["description"]
    assert alert["value"] == 0.15
    assert alert["threshold"] == pytest.approx(0.1 + 0.5 / 401)
    assert alert["evidence"]["count"] == 150
    assert alert["evidence"]["sources"] == {"predictions/0": [0, 1]}


def test_what_is_out_of_range_is_an_alert_though_psi_says_nothing() -> None:
    (alert,) = run(WELL, ABOVE).alerts
    assert alert["annotations"]["summary"].startswith("x is out of the baseline's range in 6% of 1000 rows (0.499%")


def test_a_stuck_value_is_named_by_its_bin() -> None:
    evaluate, source = Evaluate(baseline(), rules=limits(None, None), window_ms=1_000), Speaker()
    evaluate.judging = replace(evaluate.judging, quality=RULE)
    definition = source.counts_with(baseline())
    whole = part(definition, 0, (0, 0, 400))
    counts = np.zeros(definition.layout.width, np.int64)
    counts[definition.layout.starts[:-1] + np.array([2, 1, 2])] = 400
    stuck = msgspec.structs.replace(whole, counts=pack_counts(counts))
    evaluate.hears(source.says(1_000, [stuck]))
    told = {a["labels"]["subject"]: a["annotations"]["summary"] for a in evaluate.alerts}
    assert told["x"] == "x is stuck: 100% of 400 values are [0.25, 0.5) (25.1% when healthy) over 1 s"
    assert told["c"].startswith("c is stuck: 100% of 400 values are b ")


def test_few_different_values_are_told_by_the_bins_that_they_fill() -> None:
    layout, of = Definition(baseline(), settings()).layout, {"x": "bins", "c": "categories"}
    for name, kind in of.items():
        check = QualityCheck(
            check="cardinality", subject=name, value=0.6, healthy=0.0, count=11, n=626, warning=0.5, critical=0.75,
            p_value=1e-9, level=1e-4, detectable=None, verdict=Verdict.WARNING, reason=None, provisional=False,
        )  # fmt: skip
        series = layout.series[layout.names.index(name)]
        said = quality_content(check, series, 3_600_000, severity=Verdict.WARNING, resolved=False).summary
        assert said == f"{name} fills only 11 of its {kind} with 626 values, 60% fewer than healthy windows over 1 h"


def test_a_check_that_is_switched_off_ends_its_alerts() -> None:
    evaluate, source = Evaluate(baseline(), rules=limits(None, None), window_ms=1_000), Speaker()
    definition = source.counts_with(baseline())
    evaluate.judging = replace(evaluate.judging, quality=RULE)
    evaluate.hears(source.says(1_000, [part(definition, 0, MISSING)]))
    evaluate.judging = replace(evaluate.judging, quality=replace(RULE, off=frozenset({"x"})))
    evaluate.hears(source.says(2_000, [part(definition, 1, MISSING)]))
    assert [a["status"] for a in evaluate.alerts] == ["firing", "resolved"]
    assert evaluate.alerts[-1]["annotations"]["summary"].startswith("x is not watched any more: `checks.quality`")
    validator("alert").validate(evaluate.alerts[-1])


def test_reports_and_alerts_keep_their_schemas() -> None:
    evaluate = run(WELL, MISSING, ABOVE, (0, 0, 10), WELL, (15, 0, 985), (0, 0, 0))
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        assert records
        for record in records:
            validator(name).validate(record)
    said = [r["quality"] for r in evaluate.reports]
    assert [len(q["checks"]) for q in said[:3]] == [0, 1, 1]
    assert said[5]["checks"][0]["reason"] == "sampling noise"
    x = said[1]["series"][0]
    assert (x["subject"], x["missing"], x["beyond"], sorted(x["detectable"])) == (
        "x", 150, 0, ["invalid", "missing", "out_of_range"],
    )  # fmt: skip
    assert run(WELL, rule=None).reports[0]["quality"] is None


def test_a_crash_after_every_word_changes_no_byte() -> None:
    seconds = (WELL, MISSING, ABOVE, MISSING, WELL)
    assert run(*seconds, crashes=True).sent == run(*seconds).sent


def test_every_alert_has_its_place_in_the_runbook() -> None:
    sections = {
        line[3:].lower() for line in (ROOT / "docs" / "runbook.md").read_text().splitlines() if line[:3] == "## "
    }
    assert {runbook(name).partition("#")[2] for name in ALERT_NAMES.values()} <= sections
