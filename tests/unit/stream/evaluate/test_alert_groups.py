"""Many subjects at once: one alert with its subjects listed, and everything that fires is told in exactly one place."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from detectors import Threshold
from stream.alerts.episode import AlertRules, Holds
from stream.alerts.rules import Rules
from stream.records.alert import alert_id
from stream.records.partial import pack_counts
from tests.small_model import START_MS, baseline, numeric
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, part, relative

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[4] / "schemas" / "alert.schema.json").read_text(encoding="utf-8"))
)
NAMES = "abcdefgh"
ONE = msgspec.structs.replace(baseline(), series=(*map(numeric, NAMES), numeric("score")))
SECOND = 1_000
MILD = Threshold(warning=0.1, critical=None, min_count=1)


def run(*drifted: str, above: int | None = 3, crashes: bool = False, mild: str = "", **holds_s: int) -> Evaluate:
    """Second by second, each with the features that are all in one bin (in capitals: a little); windows of a second."""
    evaluate, source = Evaluate(ONE, window_ms=SECOND), Speaker()
    holds = Holds(**{f"{name}_ms": SECOND * length for name, length in holds_s.items()})
    evaluate.judging = replace(
        evaluate.judging,
        psi=Rules(default=evaluate.judging.psi.default, subjects=dict.fromkeys(mild, MILD)),
        alerts=AlertRules(holds=holds, group_above=above),
    )
    definition = source.counts_with(ONE)
    for second, names in enumerate(drifted):
        counts = np.zeros(definition.layout.width, np.int64)
        for start, name in zip(definition.layout.starts, definition.layout.names, strict=False):
            counts[start + 1 : start + 5] = bins(name, names)
        pane = msgspec.structs.replace(part(definition, SECOND * second, 100), counts=pack_counts(counts))
        evaluate.hears(source.says(SECOND * (second + 1), [pane]))
        if crashes:
            evaluate.crash()
    return evaluate


def bins(name: str, drifted: str) -> tuple[int, ...]:
    """The rows of a second: PSI is far above the critical limit, or above the warning's, or 0."""
    if name.upper() in drifted:
        return (45, 25, 15, 15)
    return (100, 0, 0, 0) if name in drifted else (25, 25, 25, 25)


def told(evaluate: Evaluate) -> list[tuple[int, str, str, int]]:
    """Of each message: the second of its window's end, whom it is about, its status and number."""
    return [
        (relative(a["evidence"]["window"]["end"]) // SECOND, whom(a), a["status"], a["seq"]) for a in evaluate.alerts
    ]


def whom(alert: dict[str, Any]) -> str:
    if alert["labels"]["subject"] != "*":
        return str(alert["labels"]["subject"])
    return "[" + "".join(sorted(s["subject"] for s in alert["evidence"]["subjects"])) + "]"


def test_few_subjects_are_told_apart_and_more_together() -> None:
    assert told(run("abc")) == [(1, "a", "firing", 1), (1, "b", "firing", 1), (1, "c", "firing", 1)]
    assert told(run("abcd")) == [(1, "[abcd]", "firing", 1)]
    assert len(told(run("abcdefgh", above=None))) == 8


def test_a_group_has_an_id_of_its_own_and_its_worst_subject_first() -> None:
    (alert,) = run("abcd", mild="acd").alerts
    assert alert["id"] == alert_id(model="m", version="0", check="psi", subject="*", segment="", first_pane_ms=START_MS)
    assert alert["labels"]["alertname"] == "DriftlinePSI"
    subjects = alert["evidence"]["subjects"]
    assert [(s["subject"], s["severity"]) for s in subjects] == [
        ("b", "critical"), ("a", "warning"), ("c", "warning"), ("d", "warning"),
    ]  # fmt: skip
    assert (alert["severity"], alert["value"], alert["threshold"]) == ("critical", subjects[0]["value"], 0.25)
    assert subjects[0]["evidence"]["bins"]["current"][:4] == [100, 0, 0, 0]
    assert alert["evidence"]["sources"] == {"predictions/0": [0, 1]}
    assert "sources" not in subjects[0]["evidence"]
    assert alert["annotations"]["summary"].startswith("4 subjects of psi together: b, a, c, d; worst: b drifted: PSI ")


def test_the_severity_of_a_group_falls_with_a_window_that_has_it_or_with_who_is_in_it() -> None:
    falls = run("aBCD", "ABCD", "ABCD", resolve=2)
    assert [(whom(a), a["severity"]) for a in falls.alerts] == [("[abcd]", "critical"), ("[abcd]", "warning")]
    assert falls.alerts[-1]["value"] >= falls.alerts[-1]["threshold"] == 0.1
    leaves = run("aBCD", "ABCD", "BCD", "BCD", resolve=2)  # at 3 nothing is told: `a` is fine, and was not for long
    assert told(leaves) == [(1, "[abcd]", "firing", 1), (4, "[bcd]", "firing", 2)]
    assert leaves.alerts[-1]["severity"] == "warning"


def test_what_was_told_by_itself_before_goes_on_by_itself() -> None:
    evaluate = run("ab", "abcde", "cde", "")
    assert told(evaluate) == [
        (1, "a", "firing", 1),
        (1, "b", "firing", 1),
        (2, "[cde]", "firing", 1),
        (3, "a", "resolved", 2),
        (3, "b", "resolved", 2),
        (4, "[]", "resolved", 2),
    ]
    assert evaluate.alerts[2]["evidence"]["apart"] == ["a", "b"]
    assert "(2 more have alerts of their own)" in evaluate.alerts[2]["annotations"]["summary"]


def test_subjects_join_and_leave_a_group_until_the_last_is_gone() -> None:
    evaluate = run("abcd", "abcd", "abcde", "e", "fe", "", "a")
    assert told(evaluate) == [
        (1, "[abcd]", "firing", 1),
        (3, "[abcde]", "firing", 2),
        (4, "[e]", "firing", 3),
        (5, "[ef]", "firing", 4),
        (6, "[]", "resolved", 5),
        (7, "a", "firing", 1),  # alone again
    ]
    assert len({a["id"] for a in evaluate.alerts[:5]}) == 1
    ended = evaluate.alerts[4]
    assert (ended["reason"], ended["value"], relative(ended["endsAt"])) == ("recovered", None, 6 * SECOND)
    assert ended["annotations"]["summary"] == "psi of e, f, the last of a group, is back or silenced"


def test_a_group_is_as_bad_as_its_worst_subject() -> None:
    evaluate = run("abcd", "acd", mild="acd")
    assert [a["severity"] for a in evaluate.alerts] == ["critical", "warning"]


def test_a_subject_that_rises_or_falls_within_a_group_is_told_when_it_does() -> None:
    evaluate = run("aBCD", "aBCD", "aBcD", "aBCD", "")
    severities = [{s["subject"]: s["severity"] for s in a["evidence"]["subjects"]} for a in evaluate.alerts]
    mild = {"a": "critical", "b": "warning", "c": "warning", "d": "warning"}
    assert severities == [mild, mild | {"c": "critical"}, mild, {}]
    assert told(evaluate) == [
        (1, "[abcd]", "firing", 1),
        (3, "[abcd]", "firing", 2),
        (4, "[abcd]", "firing", 3),
        (5, "[]", "resolved", 4),
    ]
    assert told(run("aBCD", "aBcD", resolve=3)) == [(1, "[abcd]", "firing", 1), (2, "[abcd]", "firing", 2)]


def test_a_group_goes_on_through_its_cooldown() -> None:
    evaluate = run("abcd", "", "ab", cooldown=3)
    assert told(evaluate) == [(1, "[abcd]", "firing", 1), (2, "[]", "resolved", 2), (3, "[ab]", "firing", 3)]
    assert len({a["id"] for a in evaluate.alerts}) == 1


def test_who_waits_is_no_subject_yet() -> None:
    evaluate = run("abcd", "abcde", "abcde", pending=1)
    assert told(evaluate) == [(2, "[abcd]", "firing", 1), (3, "[abcde]", "firing", 2)]


def test_reports_name_the_group_and_not_its_subjects() -> None:
    evaluate = run("abcd", "")
    assert [r["alerts_firing"] for r in evaluate.reports] == [[evaluate.alerts[0]["id"]], []]


def test_only_the_worst_subjects_of_a_large_group_bring_their_histograms() -> None:
    many = [f"f{n:03}" for n in range(30)]
    large = msgspec.structs.replace(ONE, series=(*map(numeric, many), numeric("score")))
    evaluate, source = Evaluate(large, window_ms=SECOND), Speaker()
    definition = source.counts_with(large)
    evaluate.hears(source.says(SECOND, [part(definition, 0, 100)]))
    (alert,) = evaluate.alerts
    subjects = alert["evidence"]["subjects"]
    assert len(subjects) == 31
    assert [s["evidence"] is not None for s in subjects] == [True] * 20 + [False] * 11
    assert alert["evidence"]["beyond"] == 0
    SCHEMA.validate(alert)


def test_a_group_of_thousands_fits_a_message() -> None:
    many = [f"a feature with a long name, {n:04}" for n in range(3_000)]
    huge = msgspec.structs.replace(ONE, series=(*map(numeric, many), numeric("score")))
    evaluate, source = Evaluate(huge, window_ms=SECOND), Speaker()
    definition = source.counts_with(huge)
    evaluate.hears(source.says(SECOND, [part(definition, 0, 100)]))
    (sent,) = [o for o in evaluate.sent if o.to.topic == "alerts"]
    assert len(sent.value or b"") < 500_000
    (alert,) = evaluate.alerts
    assert (len(alert["evidence"]["subjects"]), alert["evidence"]["beyond"]) == (1_000, 2_001)
    assert alert["annotations"]["summary"].startswith("3001 subjects of psi together: ")
    assert " and 2996 more; worst: " in alert["annotations"]["summary"]
    SCHEMA.validate(alert)


drifts = st.lists(st.sets(st.sampled_from(NAMES), max_size=6).map(lambda names: "".join(sorted(names))), max_size=12)


@settings(max_examples=60, deadline=None)
@given(drifts, st.integers(1, 4), st.integers(0, 2), st.integers(0, 2))
def test_everything_that_fires_is_told_in_exactly_one_place(
    drifted: Sequence[str], above: int, resolve: int, cooldown: int
) -> None:
    evaluate = run(*drifted, above=above, resolve=resolve, cooldown=cooldown)
    apart = run(*drifted, above=None, resolve=resolve, cooldown=cooldown)
    for second in range(1, len(drifted) + 1):
        single, grouped = heard(evaluate, second)
        assert len(grouped) == len(set(grouped))
        assert not single & set(grouped)
        assert single | set(grouped) == heard(apart, second)[0]
    for alert in evaluate.alerts:
        SCHEMA.validate(alert)


def heard(evaluate: Evaluate, second: int) -> tuple[set[str], list[str]]:
    """Who listens to the topic until then believes these to fire: by themselves, and in a group."""
    single: set[str] = set()
    grouped: list[str] = []
    for alert in evaluate.alerts:
        if relative(alert["evidence"]["window"]["end"]) > second * SECOND:
            break
        subject = alert["labels"]["subject"]
        if subject == "*":
            grouped = [s["subject"] for s in alert["evidence"]["subjects"]]
        elif alert["status"] == "firing":
            single.add(subject)
        else:
            single.remove(subject)
    return single, grouped


@pytest.mark.parametrize("holds", [{}, {"resolve": 2}, {"cooldown": 2, "pending": 1}])
def test_a_crash_after_every_word_changes_no_byte(holds: dict[str, int]) -> None:
    drifted = ("ab", "abcde", "abcdef", "f", "fg", "", "abcd", "abcd", "", "", "", "abcd")
    crashed, uncrashed = run(*drifted, crashes=True, **holds), run(*drifted, **holds)
    assert crashed.sent == uncrashed.sent
    assert crashed.state() == uncrashed.state()
