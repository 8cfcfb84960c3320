"""Verdicts of a fixed limit."""

import math

import pytest

from detectors import Threshold, Undefined, Verdict

BOTH = Threshold(warning=0.1, critical=0.25, min_count=200)


@pytest.mark.parametrize(("value", "n", "verdict"), [
    (0.0, 200, Verdict.OK),
    (0.1, 200, Verdict.OK),                 # on the limit is not beyond it
    (0.1000001, 200, Verdict.WARNING),
    (0.25, 200, Verdict.WARNING),
    (0.2500001, 200, Verdict.CRITICAL),
    (math.inf, 200, Verdict.CRITICAL),
    (9.0, 199, Verdict.UNDEFINED),          # too few rows to judge
    (math.nan, 200, Verdict.UNDEFINED),
    (Undefined("empty"), 200, Verdict.UNDEFINED),
])  # fmt: skip
def test_verdict(value: float | Undefined, n: int, verdict: Verdict) -> None:
    assert BOTH.judge(value, n) is verdict


def test_an_absent_limit_is_never_crossed() -> None:
    assert Threshold(warning=None, critical=0.25).judge(0.2, 1) is Verdict.OK
    assert Threshold(warning=0.1, critical=None).judge(9.0, 1) is Verdict.WARNING
    assert Threshold(warning=None, critical=None).judge(9.0, 1) is Verdict.OK


def test_the_limit_that_was_crossed() -> None:
    assert [BOTH.limit_of(v) for v in Verdict] == [None, None, 0.1, 0.25, None]


@pytest.mark.parametrize(("wrong", "rule"), [
    ({"warning": 0.3, "critical": 0.25}, "must not be above"),
    ({"notice": 0.3, "warning": None, "critical": 0.25}, r"notice \(0.3\) must not be above critical \(0.25\)"),
    ({"warning": math.nan, "critical": None}, "must be a number"),
    ({"warning": None, "critical": None, "min_count": -1}, "min_count"),
])  # fmt: skip
def test_senseless_limits_are_refused(wrong: dict[str, float], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Threshold(**wrong)


def test_a_notice_is_told_below_a_warning() -> None:
    limits = Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=10)
    assert [limits.judge(v, 10) for v in (0.02, 0.03, 0.1, 0.2, 0.3)] == [
        Verdict.OK, Verdict.NOTICE, Verdict.NOTICE, Verdict.WARNING, Verdict.CRITICAL]  # fmt: skip
    assert [limits.limit_of(v) for v in (Verdict.NOTICE, Verdict.OK)] == [0.02, None]
    assert limits.least == 0.02


def test_an_effect_needs_to_reach_a_limit_and_those_left_out_are_none() -> None:
    only_critical = Threshold(warning=None, critical=0.25)
    assert [only_critical.size_of(v) for v in (0.2499, 0.25)] == [Verdict.OK, Verdict.CRITICAL]
    assert only_critical.least == 0.25
    assert Threshold(warning=None, critical=None).least is None
    assert Threshold(warning=None, critical=None).size_of(9.0) is Verdict.OK
