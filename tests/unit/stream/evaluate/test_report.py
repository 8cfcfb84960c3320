"""Reports and alerts on their topics: JSON that keeps its schema."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from stream.alerts.alert_names import ALERT_NAMES
from stream.alerts.rules import Rules
from stream.evaluate.report import report_key
from stream.records.alert import runbook
from stream.records.prediction import ModelKey
from tests.small_model import START_MS, baseline
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits, part, relative

ROOT = Path(__file__).parents[4]
SCHEMAS = {name: json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()) for name in ("alert", "report")}
ONE = baseline()


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name])


def run(rules: Rules | None = None) -> Evaluate:
    """Second by second: spread over the bins, spread, all in one bin, nothing, spread."""
    evaluate = Evaluate(ONE, rules=rules, window_ms=1_000)
    sources = [Speaker(i, sources=4) for i in range(4)]  # a source for each bin
    definition, *_ = [source.counts_with(ONE) for source in sources]
    for second, bins in enumerate(([0, 1, 2, 3], [0, 1, 2, 3], [0], [], [0, 1, 2, 3])):
        for b, source in enumerate(sources):
            panes = [part(definition, 1_000 * second, 100, bin_of=b)] if b in bins else []
            evaluate.hears(source.says(1_000 * (second + 1), panes))
    return evaluate


@pytest.mark.parametrize("name", ["alert", "report"])
def test_a_schema_is_one_and_its_examples_keep_it(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["examples"]
    for example in SCHEMAS[name]["examples"]:
        validator(name).validate(example)


def test_reports_and_alerts_of_a_run_keep_their_schemas() -> None:
    evaluate = run()
    assert len(evaluate.reports) >= 5
    assert {a["status"] for a in evaluate.alerts} == {"firing", "resolved"}
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        for record in records:
            validator(name).validate(record)


def test_a_field_that_the_schema_does_not_know_is_refused() -> None:
    for name in ("alert", "report"):
        with pytest.raises(ValidationError, match="new_field"):
            validator(name).validate({**SCHEMAS[name]["examples"][0], "new_field": 1})


def test_a_resolved_alert_says_when_it_ended_and_keeps_its_id_and_start() -> None:
    (firing, *_, resolved) = [a for a in run().alerts if a["labels"]["subject"] == "x"]
    assert (firing["status"], firing["seq"], firing["endsAt"]) == ("firing", 1, None)
    assert (resolved["status"], resolved["id"]) == ("resolved", firing["id"])
    assert resolved["startsAt"] == firing["startsAt"]
    assert relative(resolved["endsAt"]) > relative(firing["startsAt"])
    assert resolved["annotations"]["summary"].startswith("x is back: PSI ")


def test_an_alert_says_what_it_saw_in_words() -> None:
    alert = next(a for a in run().alerts if a["labels"]["subject"] == "x")
    assert re.fullmatch(r"x drifted: PSI \d\.\d+ \(limit 0\.25\) over 1 s, 100 rows", alert["annotations"]["summary"])
    assert "below 0.25: 100.0% of the rows, 25.0% in the baseline" in alert["annotations"]["description"]
    assert alert["evidence"]["baseline"] == ONE.id


def test_a_report_names_the_alerts_that_fire_after_it() -> None:
    evaluate = run()
    firing = {a["id"] for a in evaluate.alerts if a["status"] == "firing"}
    assert firing == {i for r in evaluate.reports for i in r["alerts_firing"]}
    resolved = {a["id"] for a in evaluate.alerts if a["status"] == "resolved"}
    assert evaluate.reports[-1]["alerts_firing"] == sorted(firing - resolved)
    assert resolved


def test_a_limit_taken_away_while_its_alert_fires_resolves_it() -> None:
    evaluate, source = Evaluate(ONE, window_ms=1_000), Speaker()
    definition = source.counts_with(ONE)
    evaluate.hears(source.says(2_000, [part(definition, s, 100) for s in (0, 1_000)]))
    assert evaluate.alerts
    evaluate.judging = Evaluate(ONE, rules=limits(None, None), window_ms=1_000).judging
    evaluate.hears(source.says(3_000, [part(definition, 2_000, 100)]))
    resolved = evaluate.alerts[-1]
    assert (resolved["status"], resolved["threshold"]) == ("resolved", None)
    assert "(no limit any more)" in resolved["annotations"]["summary"]
    validator("alert").validate(resolved)


def test_an_alert_ends_when_the_baseline_in_force_does_not_have_its_subject_any_more() -> None:
    without_x = msgspec.structs.replace(baseline(2), series=ONE.series[1:])
    evaluate, source = Evaluate(ONE, without_x, window_ms=1_000), Speaker()
    first = source.counts_with(ONE)
    evaluate.hears(source.says(2_000, [part(first, s, 100) for s in (0, 1_000)]))
    (firing,) = [a for a in evaluate.alerts if a["labels"]["subject"] == "x"]
    second = source.counts_with(without_x, from_ms=2_000)
    evaluate.hears(source.says(3_000, [part(of, 2_000, 100) for of in (first, second)]))

    resolved = evaluate.alerts[-1]
    assert (resolved["id"], resolved["status"], resolved["value"]) == (firing["id"], "resolved", None)
    assert resolved["annotations"]["summary"] == "x is not watched any more: baseline m@0#2 does not have it"
    validator("alert").validate(resolved)
    assert firing["id"] not in evaluate.reports[-1]["alerts_firing"]


@pytest.mark.parametrize("name", ALERT_NAMES.values())
def test_every_alert_leads_to_its_section_of_the_runbook(name: str) -> None:
    document, anchor = runbook(name).split("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / document).read_text(encoding="utf-8"), re.M)
    assert anchor in [heading.lower() for heading in headings]


def test_a_report_is_keyed_by_model_and_segment() -> None:
    assert report_key(ModelKey("m", "3"), "") == b"m@3"
    assert report_key(ModelKey("m", "3"), "origin=EWR") == b"m@3/origin=EWR"


# -- input that is lost


def test_lost_input_alerts_once_for_each_gap() -> None:
    evaluate, source = Evaluate(ONE), Speaker(3)
    source.counts_with(ONE)
    words = []
    for lost in (0, 8, 8, 13):
        source.lost = lost
        words.append(source.says(1_000))
    evaluate.hears(*words)
    evaluate.hears(words[1], words[2])  # a replay
    assert [(a["value"], a["evidence"]["lost_in_all"], a["evidence"]["next_offset"]) for a in evaluate.alerts] == [
        (8, 8, 2), (5, 13, 4),
    ]  # fmt: skip
    assert len({a["id"] for a in evaluate.alerts}) == 2
    for alert in evaluate.alerts:
        validator("alert").validate(alert)
        assert alert["labels"]["alertname"] == "DriftlineInputLost"
        assert alert["labels"]["subject"] == "predictions/3"
        assert (alert["status"], alert["severity"]) == ("firing", "critical")
        assert relative(alert["startsAt"]) == 1_000


def test_a_loss_that_was_told_is_not_told_again_after_a_crash() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    source.counts_with(ONE)
    source.lost = 8
    evaluate.hears(source.says(1_000))
    evaluate.crash()
    evaluate.hears(source.says(2_000))
    assert len(evaluate.alerts) == 1


def test_a_source_that_lost_input_before_its_first_event_has_no_event_time() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    source.lost = 8
    evaluate.hears(source.says(None))
    (alert,) = evaluate.alerts
    assert alert["startsAt"] is None
    validator("alert").validate(alert)


def test_the_same_loss_has_the_same_id_whoever_tells_it() -> None:
    ids = []
    for _ in range(2):
        evaluate, source = Evaluate(ONE), Speaker()
        source.lost = 8
        evaluate.hears(source.says(START_MS % 7))
        ids.append(evaluate.alerts[0]["id"])
    assert ids[0] == ids[1]
