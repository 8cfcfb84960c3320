"""What a model's own windows teach of how much its performance differs, and that it is the same after any crash."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import Verdict
from detectors.wander import Reading
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.evaluate.live_performance import LivePerformance
from stream.evaluate.performance_checks import PerformanceCheck
from tests.unit.stream.evaluate.labels import BINS, MEANS, PANE_S, Join, Labels, Pair, definition, seconds

LENGTH_MS = 30_000
READINGS = np.random.default_rng(1).normal(-2.0, 0.5, 200)


def checks(badness: float, verdict: Verdict = Verdict.OK) -> list[PerformanceCheck]:
    plain = PerformanceCheck(
        check="auc", subject="score", value=0.8, se=0.02, n=500, rule=None, baseline=0.8, warning=None, critical=None,
        p_value=0.5, level=0.001, detectable=0.7, verdict=verdict, reason=None,
    )  # fmt: skip
    return [replace(plain, reading=Reading(badness, 0.1)), replace(plain, check="brier")]


def fed(windows: int, *, verdict: Verdict = Verdict.OK, live: LivePerformance | None = None) -> LivePerformance:
    found = live or LivePerformance()
    for i in range(windows):
        found.take("m@0#1", LENGTH_MS, (i + 1) * LENGTH_MS, checks(float(READINGS[i]), verdict), complete=True)
    return found


def windows_known(live: LivePerformance, end: int, baseline_id: str = "m@0#1", window_ms: int = LENGTH_MS) -> int:
    known = live.known(baseline_id, window_ms, end * LENGTH_MS)
    return known["auc"].windows if known else 0


def test_it_is_learned_at_24_windows_and_holds_for_those_that_end_later() -> None:
    assert fed(23).known("m@0#1", LENGTH_MS, 10**12) == {}
    live = fed(60)
    assert [windows_known(live, end) for end in (23, 24, 25, 48, 49, 60)] == [0, 0, 24, 24, 48, 48]
    expected = np.sqrt(READINGS[:24].var(ddof=1) - 0.01)
    assert live.known("m@0#1", LENGTH_MS, 25 * LENGTH_MS)["auc"].deviation == pytest.approx(expected, abs=1e-9)
    assert set(live.known("m@0#1", LENGTH_MS, 60 * LENGTH_MS)) == {"auc"}  # of brier there was no reading


def test_it_stays_after_168_windows() -> None:
    live = fed(190)
    assert windows_known(live, 190) == 168
    assert live.checks["auc"].windows == 168


def test_readings_that_differ_by_sampling_alone_teach_no_deviation() -> None:
    live = LivePerformance()
    for i in range(24):
        live.take("m@0#1", LENGTH_MS, (i + 1) * LENGTH_MS, checks(-2.0 + i % 2 / 100), complete=True)
    assert live.known("m@0#1", LENGTH_MS, 25 * LENGTH_MS)["auc"].deviation == 0.0


def test_another_baseline_or_length_begins_anew() -> None:
    live = fed(30)
    assert windows_known(live, 30, baseline_id="m@0#2") == windows_known(live, 30, window_ms=60_000) == 0
    live.take("m@0#2", LENGTH_MS, 31 * LENGTH_MS, checks(-2.0), complete=True)
    assert (windows_known(live, 40), live.checks["auc"].windows) == (0, 1)


def test_windows_that_overlap_or_are_not_whole_are_passed_over() -> None:
    live = LivePerformance()
    live.take("m@0#1", LENGTH_MS, LENGTH_MS + 10_000, checks(-2.0), complete=True)
    live.take("m@0#1", LENGTH_MS, 2 * LENGTH_MS, checks(-2.0), complete=False)
    assert live.checks == {}


def test_from_the_first_time_on_windows_in_breach_are_not_learned_from() -> None:
    assert windows_known(fed(24, verdict=Verdict.CRITICAL), 25) == 24  # nobody could tell them from hard ones
    live = fed(24)
    for i in range(24, 60):
        live.take("m@0#1", LENGTH_MS, (i + 1) * LENGTH_MS, checks(3.0, Verdict.CRITICAL), complete=True)
    assert windows_known(live, 100) == 24


# -- in evaluate

EASY = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=100), brier=None)


def hears(labels: Labels, join: Join, steps: range, *, crashes: bool = False) -> None:
    """Windows of which some are hard; every tenth pane has a label that comes late."""
    for step in steps:
        random = np.random.default_rng(step // 3)
        shares = (1 - (hard := float(random.choice([0.0, 0.25])))) * np.array(MEANS) + hard * 0.5
        bins = random.integers(0, BINS, 200)
        for score_bin, positive in zip(bins.tolist(), (random.random(200) < shares[bins]).tolist(), strict=True):
            join.joins(Pair(score_bin, positive, step * PANE_S, step * PANE_S + 1))
        if step % 10 == 9:
            join.joins(Pair(3, True, (step - 1) * PANE_S, (step - 1) * PANE_S + 1))
        labels.hears_of(join.says((step + 1) * PANE_S))
        if crashes:
            labels.crash()


def told(labels: Labels) -> dict[int, tuple[Any, ...]]:
    """Of each window the AUC check of its last report."""
    found = {end: report["checks"][0] for end, report in labels.newest().items()}
    return {end: (one["healthy"] and one["healthy"]["windows"], one["provisional"]) for end, one in found.items()}


@pytest.mark.parametrize("crashes", [False, True])
def test_windows_are_judged_by_what_earlier_ones_taught(crashes: bool) -> None:
    labels, join = Labels(rules=EASY), Join()
    hears(labels, join, range(160), crashes=crashes)
    known = told(labels)
    first_window = next(end for end in sorted(known) if end % 30 == 0 and end >= 30)
    learned_at = first_window + 23 * 30
    assert [known[end] for end in (first_window, learned_at, learned_at + 10)] == [
        (None, True), (None, True), (24, False),
    ]  # fmt: skip
    assert known[max(known)] == (48, False)


def test_a_revision_is_judged_as_its_window_was() -> None:
    labels, join = Labels(rules=EASY), Join()
    hears(labels, join, range(74))
    before = told(labels)
    (start,) = {
        end for end, (windows, _) in before.items() if windows == 24 and end - 10 in before and not before[end - 10][0]
    }
    join.joins(Pair(3, True, start - 15, start - 14))  # late: of the windows before and after it was learned
    labels.hears_of(join.says(75 * PANE_S))
    revised = {seconds(r["window"]["end"]) for r in labels.performance if r["revision"]}
    assert {start - 10, start} <= revised
    after = told(labels)
    assert {end: after[end] for end in before} == before


def test_state_of_before_there_was_any_is_read() -> None:
    labels, join = Labels(rules=EASY), Join()
    hears(labels, join, range(4))
    (progress,) = labels.fold.performance.progress()
    encoded = msgspec.msgpack.decode(msgspec.msgpack.encode(progress))
    assert msgspec.convert(encoded[:-1], type(progress)).live == LivePerformance()
    assert definition().window_ms == LENGTH_MS
