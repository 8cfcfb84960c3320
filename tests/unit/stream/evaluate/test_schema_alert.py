"""Alerts on the names of features: what moves them, what they say, and that a crash changes no byte of it."""

from dataclasses import replace

import msgspec
import numpy as np

from stream.alerts.quality_rules import QualityRule
from stream.evaluate.panes import PaneSum
from stream.ingest.value_codes import value_code
from stream.records.feature_names import FeatureNames, ValueCodes
from stream.records.partial import PanePart, pack_counts
from tests.small_model import START_MS, baseline
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits
from tests.unit.stream.evaluate.test_quality_alert import WELL, part
from tests.unit.stream.evaluate.test_report import validator

RULE = QualityRule(level=1e-4)
LIKE_X: ValueCodes = {value_code(v): 5 for v in (0.1, 0.3, 0.6, 0.9)}
USUAL = {"request": {0: 20}}
AS_EVER = FeatureNames(looked=20, unknown=USUAL)
VANISHED = FeatureNames(looked=20, absent={"c": 20}, unknown=USUAL)
RENAMED = FeatureNames(looked=20, absent={"x": 20}, unknown={"wind": LIKE_X, **USUAL})
NEW = FeatureNames(looked=20, unknown={"extra": {0: 20}, **USUAL})
NEVER_LOOKED = None


def run(
    *seconds: FeatureNames | None, rule: QualityRule = RULE, crashes: bool = False, window_ms: int = 1_000
) -> Evaluate:
    """A pane a second with 1,000 rows that are well but for their names."""
    evaluate, source = Evaluate(baseline(), rules=limits(None, None), window_ms=window_ms), Speaker()
    evaluate.judging = replace(evaluate.judging, quality=rule)
    definition = source.counts_with(baseline())
    for second, names in enumerate(seconds):
        pane = msgspec.structs.replace(part(definition, second, WELL), names=names)
        evaluate.hears(source.says(1_000 * (second + 1), [pane]))
        if crashes:
            evaluate.crash()
    return evaluate


def moves(evaluate: Evaluate) -> list[tuple[str, str, str]]:
    return [(a["labels"]["subject"], a["status"], a["severity"]) for a in evaluate.alerts]


def test_a_vanished_feature_is_an_alert_until_it_is_back() -> None:
    evaluate = run(AS_EVER, VANISHED, VANISHED, AS_EVER)
    assert moves(evaluate) == [("c", "firing", "critical"), ("c", "resolved", "critical")]
    fired, ended = evaluate.alerts
    assert fired["labels"]["alertname"] == "DriftlineSchema"
    summary = "feature c has vanished: it is not in 20 of 20 rows that were looked at over 1 s"
    assert fired["annotations"]["summary"] == summary
    assert (fired["value"], fired["evidence"]["change"], fired["evidence"]["renamed_to"]) == (1.0, "vanished", None)
    assert fired["evidence"]["usual_names"] == ["request"]
    assert ended["annotations"]["summary"].startswith("feature c is back: it is not in 0 of 20 rows")


def test_a_renamed_feature_is_one_alert_that_names_both() -> None:
    evaluate = run(AS_EVER, RENAMED)
    assert moves(evaluate) == [("x", "firing", "critical")]
    (alert,) = evaluate.alerts
    assert alert["annotations"]["summary"].startswith("feature x was probably renamed to wind: it is not in 20 of 20")
    assert "differs from the baseline's by 0.19 at most" in alert["annotations"]["description"]
    evidence = alert["evidence"]
    assert (evidence["change"], evidence["renamed_to"], evidence["compared"]) == ("renamed", "wind", 20)


def test_a_new_name_is_told_as_info_and_ends_when_nothing_sends_it() -> None:
    evaluate = run(AS_EVER, NEW, AS_EVER)
    assert moves(evaluate) == [("extra", "firing", "info"), ("extra", "resolved", "info")]
    assert evaluate.alerts[0]["annotations"]["summary"] == (
        "feature extra is new: it is in 20 of 20 rows that were looked at over 1 s, and the baseline has no such"
    )
    assert evaluate.alerts[1]["annotations"]["summary"].startswith("feature extra is no news any more")


def test_names_of_the_first_whole_window_are_no_news_then_and_later() -> None:
    evaluate = run(NEW, AS_EVER, NEW)
    assert moves(evaluate) == []
    assert [r["feature_names"]["usual"] for r in evaluate.reports] == [["extra", "request"]] * 3


def test_a_rename_before_the_first_window_is_told_all_the_same() -> None:
    assert moves(run(RENAMED, RENAMED)) == [("x", "firing", "critical")]


def test_without_a_row_that_was_looked_at_alerts_stay_as_they_are() -> None:
    evaluate = run(AS_EVER, VANISHED, NEVER_LOOKED, VANISHED)
    assert moves(evaluate) == [("c", "firing", "critical")]


def test_a_check_that_is_switched_off_ends_its_alerts() -> None:
    evaluate, source = Evaluate(baseline(), rules=limits(None, None), window_ms=1_000), Speaker()
    definition = source.counts_with(baseline())
    evaluate.judging = replace(evaluate.judging, quality=RULE)
    pane = msgspec.structs.replace(part(definition, 0, WELL), names=VANISHED)
    evaluate.hears(source.says(1_000, [pane]))
    evaluate.judging = replace(evaluate.judging, quality=replace(RULE, off=frozenset({"c"})))
    evaluate.hears(source.says(2_000, [msgspec.structs.replace(part(definition, 1, WELL), names=VANISHED)]))
    assert moves(evaluate) == [("c", "firing", "critical"), ("c", "resolved", "critical")]
    assert evaluate.alerts[-1]["annotations"]["summary"].startswith("c is not watched any more: `checks.quality`")
    validator("alert").validate(evaluate.alerts[-1])


def test_a_windows_names_are_the_sum_of_its_panes() -> None:
    evaluate = run(*[AS_EVER] * 3, NEW, NEW, *[AS_EVER] * 3, window_ms=3_000)
    told = [r["feature_names"] for r in evaluate.reports]
    assert [one["looked"] for one in told] == [20, 40, 60, 60, 60, 60, 60, 60]
    assert [one["usual"] for one in told] == [[], [], *[["request"]] * 6]  # the third window is the first whole one
    beside = [{b["subject"]: b["count"] for b in one["beside"]} for one in told]
    assert beside == [{}, {}, {}, {"extra": 20}, {"extra": 40}, {"extra": 40}, {"extra": 20}, {}]
    assert moves(evaluate) == [("extra", "firing", "info"), ("extra", "resolved", "info")]


def test_names_of_all_sources_are_added() -> None:
    evaluate = Evaluate(baseline(), rules=limits(None, None), window_ms=1_000)
    evaluate.judging = replace(evaluate.judging, quality=RULE)
    for number, absent in enumerate((15, 20)):
        source = Speaker(number, sources=2)
        definition = source.counts_with(baseline())
        names = FeatureNames(looked=20, absent={"c": absent})
        evaluate.hears(source.says(1_000, [msgspec.structs.replace(part(definition, 0, WELL), names=names)]))
    (report,) = evaluate.reports
    (check,) = report["feature_names"]["checks"]
    assert (check["count"], check["of"], check["verdict"]) == (35, 40, "warning")


def test_what_a_silent_source_said_is_superseded_by_its_closed_pane() -> None:
    pane = PaneSum(np.zeros(1, np.int64))
    counted = pack_counts(np.array([5]))
    first = PanePart("d", "", START_MS, 0, 5, counted, START_MS, FeatureNames(looked=1, absent={"x": 1}))
    more = PanePart("d", "", START_MS, 0, 9, counted, START_MS, FeatureNames(looked=3, absent={"x": 2}))
    pane.add("predictions/0", first, provisional=True)
    pane.add("predictions/1", first, provisional=False)
    assert pane.all_names() == FeatureNames(looked=2, absent={"x": 2})
    assert PaneSum.from_bytes(pane.to_bytes(), 0).all_names() == pane.all_names()
    pane.add("predictions/0", more, provisional=False)
    pane.add("predictions/0", more, provisional=False)  # a copy
    assert pane.all_names() == FeatureNames(looked=4, absent={"x": 3})


def test_reports_and_alerts_keep_their_schemas() -> None:
    few = FeatureNames(looked=5, absent={"c": 3}, beyond=2)
    evaluate = run(AS_EVER, VANISHED, RENAMED, NEW, few, NEVER_LOOKED, AS_EVER, rule=replace(RULE, level=1e-9))
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        assert records
        for record in records:
            validator(name).validate(record)
    assert [c["reason"] for c in evaluate.reports[4]["feature_names"]["checks"]] == ["sampling noise"]


def test_a_crash_after_every_word_changes_no_byte() -> None:
    words = (AS_EVER, VANISHED, RENAMED, NEW, AS_EVER, RENAMED)
    seconds = [names for names in words for _ in range(2)]
    for window_ms in (1_000, 2_000):
        whole = run(*seconds, window_ms=window_ms)
        assert run(*seconds, crashes=True, window_ms=window_ms).sent == whole.sent
        assert len(whole.alerts) > 2
