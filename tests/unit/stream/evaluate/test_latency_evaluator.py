"""The verdict on a window's latencies: effect and evidence, both; and what `threshold` makes of the same windows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Undefined, Verdict
from stream.alerts.rules import LatencyRule
from stream.baselines.layout import Counts, Layout
from stream.evaluate.latency_evaluator import LatencyCheck, LatencyWindow, evaluate_latency
from stream.evaluate.latency_report import latency_record
from tests.small_model import baseline

SLA_MS = 250
LAYOUT = Layout(baseline(), latency_sla_ms=SLA_MS)
RULE = LatencyRule()
PLAIN = LatencyRule(rule="threshold")


def counts_of(latencies: "np.ndarray | list[float]") -> Counts:
    """A window's counters with these latencies; NaN is missing, inf bad."""
    assert LAYOUT.latency is not None
    at = LAYOUT.starts[-1] + LAYOUT.latency.index(np.array(latencies, np.float64))
    return np.bincount(at, minlength=LAYOUT.width).astype(np.int64)


def window(fast: int, slow: int, rule: LatencyRule | None = RULE, *, complete: bool = True) -> LatencyWindow:
    found = evaluate_latency(LAYOUT, counts_of([20.0] * fast + [900.0] * slow), rule, complete=complete)
    assert found is not None
    return found


def check(fast: int, slow: int, rule: LatencyRule = RULE, *, complete: bool = True) -> LatencyCheck:
    found = window(fast, slow, rule, complete=complete).check
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fast", "slow", "verdict", "reason"),
    [
        (0, 0, Verdict.UNDEFINED, "empty"),
        (100, 99, Verdict.UNDEFINED, "too few"),
        (990, 10, Verdict.OK, None),  # just the allowed share
        (989, 11, Verdict.UNDEFINED, "sampling noise"),  # beyond it, by chance
        (198, 3, Verdict.UNDEFINED, "sampling noise"),
        (9_850, 150, Verdict.WARNING, None),
        (980, 20, Verdict.UNDEFINED, "sampling noise"),  # twice the share, but p = 0.003
        (9_800, 200, Verdict.WARNING, None),  # not over twice the share
        (9_799, 201, Verdict.CRITICAL, None),
        (0, 200, Verdict.CRITICAL, None),
    ],
)
def test_a_breach_needs_the_effect_and_the_evidence(fast: int, slow: int, verdict: Verdict, reason: str | None) -> None:
    found = check(fast, slow)
    assert (found.verdict, found.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("fast", "slow", "verdict"),
    [(990, 10, Verdict.OK), (989, 11, Verdict.WARNING), (980, 20, Verdict.WARNING), (979, 21, Verdict.CRITICAL)],
)
def test_the_plain_rule_asks_for_the_effect_alone_and_speaks_in_milliseconds(
    fast: int, slow: int, verdict: Verdict
) -> None:
    found = check(fast, slow, PLAIN)
    assert (found.verdict, found.warning, found.critical) == (verdict, SLA_MS, SLA_MS)
    assert isinstance(found.value, float)
    assert (found.value > SLA_MS) == (verdict is not Verdict.OK)


@given(st.lists(st.sampled_from([20.0, 250.0, math.nextafter(250, 300), 251.0, 900.0]), min_size=1, max_size=300))
def test_the_plain_rule_is_p99_over_the_sla_to_the_letter(latencies: list[float]) -> None:
    found = evaluate_latency(LAYOUT, counts_of(latencies), replace(PLAIN, min_count=1), complete=True)
    assert found is not None
    assert found.check is not None
    exact = float(np.quantile(latencies, 0.99, method="inverted_cdf"))
    assert (found.check.verdict is not Verdict.OK) == (exact > SLA_MS)


def test_a_window_that_fills_is_not_judged() -> None:
    assert check(0, 1_000, complete=False).reason == "window filling"


def test_missing_and_bad_are_in_no_share() -> None:
    found = evaluate_latency(LAYOUT, counts_of([20.0] * 500 + [math.nan] * 7 + [math.inf] * 5), RULE, complete=True)
    assert found is not None
    assert (found.n, found.missing, found.bad, found.violations) == (500, 7, 5, 0)
    assert found.p99_ms == pytest.approx(20, rel=0.01)


def test_a_window_without_a_latency_has_no_quantile() -> None:
    found = window(0, 0)
    assert found.quantiles == dict.fromkeys(("0.5", "0.95", "0.99"), Undefined("empty"))


def test_no_rule_no_verdict_and_no_counters_no_window() -> None:
    assert window(1, 0, None).check is None
    plain = Layout(baseline())
    assert evaluate_latency(plain, np.zeros(plain.width, np.int64), RULE, complete=True) is None


def test_another_quantile_allows_another_share() -> None:
    of_p95 = check(940, 60, LatencyRule(quantile=0.95, level=0.2))
    assert (of_p95.allowed, of_p95.verdict) == (0.05, Verdict.WARNING)
    assert check(951, 49, LatencyRule(quantile=0.95)).verdict is Verdict.OK


def test_at_its_limit_a_service_is_calm_by_the_test_and_restless_without() -> None:
    """Four days of windows of an hour, a minute apart, 100 answers a minute; exactly 1 % of them over the SLA."""
    slow = np.random.default_rng(8).binomial(100, 0.01, 4 * 1_440)
    sums = np.cumsum(np.concatenate([[0], slow]))
    in_window = (sums[60:] - sums[:-60]).tolist()
    begun = {}
    for rule in (RULE, PLAIN):
        verdicts = {k: check(6_000 - k, k, rule).verdict for k in set(in_window)}
        firing, begun[rule.rule] = False, 0
        for k in in_window:
            breach = verdicts[k] in (Verdict.WARNING, Verdict.CRITICAL)
            begun[rule.rule] += breach and not firing
            firing = breach or (firing and verdicts[k] is Verdict.UNDEFINED)
    assert begun["budget"] <= 2
    assert begun["threshold"] > 50


def test_answers_over_the_hard_limit_are_counted_beside_those_over_the_sla() -> None:
    """On the limit is within it; without one there are none."""
    layout = Layout(baseline(), latency_sla_ms=SLA_MS, hard_limit_ms=2_000)
    assert layout.latency is not None
    latencies = np.array([20.0, 900.0, 2_000.0, math.nextafter(2_000.0, 3_000), 1e9, math.nan, math.inf])
    counts = np.bincount(layout.starts[-1] + layout.latency.index(latencies), minlength=layout.width).astype(np.int64)
    found = evaluate_latency(layout, counts, RULE, complete=True)
    assert found is not None
    assert (found.n, found.violations, found.hard_limit_ms, found.over_hard_limit) == (5, 4, 2_000, 2)
    assert (latency_record(found) or {})["hard_limit"] == {"limit_ms": 2_000, "violations": 2}
    plain = window(3, 2)
    assert (plain.hard_limit_ms, plain.over_hard_limit) == (None, 0)
    assert (latency_record(plain) or {})["hard_limit"] is None
