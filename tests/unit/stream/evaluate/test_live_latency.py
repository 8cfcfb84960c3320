"""How alike answers are, learned from live windows: the number by hand, when, and that a crash changes nothing."""

from typing import TypeVar

import msgspec
import numpy as np
import pytest

from stream.alerts.rules import LatencyRule
from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES
from stream.evaluate.live_latency import FEWEST, LiveLatency
from stream.evaluate.live_numbers import LiveNumbers
from tests.small_model import START_MS
from tests.unit.stream.evaluate.partials import Evaluate, Speaker
from tests.unit.stream.evaluate.test_latency_alert import ONE, evaluate_of, part, timed
from tests.unit.stream.evaluate.test_report import validator

PREFIX = ("0123456789abcdef", "")
RULE = LatencyRule(level=0.001, min_count=1)
EVEN, SLOW_WINDOW = (990, 10), (900, 100)
L = TypeVar("L", bound=LiveNumbers)


def fed(windows: int, over: "tuple[int, ...]" = (0, 20), answers: int = 100) -> LiveLatency:
    """Windows of so many answers, of which in turn so many were over the SLA."""
    live = LiveLatency(1_000)
    for i in range(windows):
        live.take(1_000 * i, answers, over[i % len(over)], next_offset=i + 1)
    return live


def written(live: LiveNumbers) -> list[Register]:
    """All of its registers."""
    return live.registers(PREFIX, only_changed=False)


def again(live: L) -> L:
    """What is restored of its registers."""
    restored = type(live)(1_000)
    for register in written(live):
        restored.restore(live.AT, register)
    return restored


def test_the_overdispersion_is_that_of_the_windows() -> None:
    """None or 20 of 100 in 24 windows, p = 0.1: (24 * 10^2 / 9 - 23) / (24 * (1 - 1 / 24) * 99)."""
    assert fed(24).overdispersion == pytest.approx((2_400 / 9 - 23) / (23 * 99), abs=1e-6)
    assert fed(23).overdispersion is None
    assert fed(24, over=(10,)).overdispersion == 0.0  # more alike than chance makes them


def test_too_few_answers_over_the_sla_teach_nothing() -> None:
    assert fed(24, over=(0,)).overdispersion is None
    assert fed(24, over=(100,)).overdispersion is None  # nor too few within it
    few = LiveLatency(1_000)
    for i in range(24):
        few.take(1_000 * i, 100, int(i < FEWEST - 1), next_offset=i + 1)
    assert few.overdispersion is None
    assert fed(24, over=(0,) * (24 - 1) + (FEWEST,)).overdispersion is not None


def test_windows_of_too_few_answers_and_copies_are_passed_over() -> None:
    live = LiveLatency(1_000)
    assert not live.take(0, 9, 9, next_offset=1)
    for _ in range(30):
        live.take(0, 100, 20, next_offset=1)
    assert live.overdispersion is None
    assert live.registers(PREFIX, only_changed=True)[0].next_offset == 1


def test_it_is_learned_anew_at_each_milestone_and_then_stays() -> None:
    live, learned = LiveLatency(1_000), []
    for i in range(200):
        if live.take(1_000 * i, 100, (0, 20)[i % 2], next_offset=i + 1):
            learned.append(i + 1)
    assert learned == list(MILESTONES)
    assert (live.done, live.is_due(1_000)) == (True, False)
    (register,) = live.registers(PREFIX, only_changed=False)
    assert msgspec.msgpack.decode(register.value)[0] == []  # the windows are dropped


def test_a_window_in_breach_is_kept_until_something_was_learned_and_never_after() -> None:
    live, healthy, learned = LiveLatency(1_000), fed(24), []
    for i in range(24):
        live.take(1_000 * i, 100, (0, 20)[i % 2], next_offset=i + 1, in_breach=True)
    assert live.overdispersion == healthy.overdispersion
    for i in range(24, 100):
        if live.take(1_000 * i, 100, (10, 50)[i % 2], next_offset=i + 1, in_breach=i % 2 == 1):
            learned.append(i + 1)
        if i % 2 == 0:
            healthy.take(1_000 * i, 100, 10, next_offset=i + 1)
    assert learned == [24 + 2 * 24 - 1]
    assert live.overdispersion == healthy.overdispersion
    (found,), (expected,) = written(live), written(healthy)
    assert found.value == expected.value


@pytest.mark.parametrize("windows", [1, 23, 24, 30, 168])
def test_what_is_restored_goes_on_as_what_was_never_interrupted(windows: int) -> None:
    going_on = fed(windows)
    restored = again(going_on)
    for live in (going_on, restored):
        for i in range(windows, windows + 30):
            live.take(1_000 * i, 100, (0, 20)[i % 2], next_offset=i + 1)
    assert written(restored) == written(going_on)
    assert restored.overdispersion == going_on.overdispersion


def test_only_what_changed_is_written() -> None:
    live = fed(3)
    assert len(live.registers(PREFIX, only_changed=True)) == 1
    assert live.registers(PREFIX, only_changed=True) == []
    assert LiveLatency(1_000).registers(PREFIX, only_changed=False) == []


# -- in the service


def run(seconds: "list[tuple[int, int]]", *, crash_every: int = 0) -> Evaluate:
    """A window a second: answers within and over the SLA, of 1,000; 1 % may be over it."""
    evaluate, source = evaluate_of(RULE), Speaker()
    definition = source.counts_with(ONE, counting=timed())
    for second, rows in enumerate(seconds):
        evaluate.hears(source.says(1_000 * (second + 1), [part(definition, 1_000 * second, rows)]))
        if crash_every and second % crash_every == 0:
            evaluate.crash()
    return evaluate


def bursts(windows: int) -> "list[tuple[int, int]]":
    """Every eighth window has 24 answers over the SLA, the others 6: healthy on the whole, but in bursts."""
    return [(976, 24) if i % 8 == 7 else (994, 6) for i in range(windows)]


def test_bursts_alarm_until_it_is_known_that_they_are_usual() -> None:
    evaluate = run(bursts(48))
    checks = [r["latency"]["check"] for r in evaluate.reports]
    assert [c["provisional"] for c in checks] == [True] * 23 + [False] * 25  # the 24th is judged with it already
    assert {c["overdispersion"] for c in checks[:23]} == {None}
    k, n = np.array([over for _, over in bursts(24)]), 1_000
    p = k.sum() / (24 * n)
    by_hand = (((k - n * p) ** 2 / (n * p * (1 - p))).sum() - 23) / (23 * (n - 1))
    assert checks[23]["overdispersion"] == pytest.approx(by_hand, abs=1e-6)
    assert [c["verdict"] for c in checks[7:16:8]] == ["critical", "critical"]
    assert {c["reason"] for c in checks[23::8]} == {"sampling noise"}
    assert [a["status"] for a in evaluate.alerts][:2] == ["firing", "resolved"]
    for name, records in (("report", evaluate.reports), ("alert", evaluate.alerts)):
        for record in records:
            validator(name).validate(record)


def test_slow_windows_after_the_first_lesson_are_no_lesson() -> None:
    """Eight slow windows of the second day would teach that slow windows are usual, and nothing would alarm again."""
    evaluate = run([EVEN] * 30 + [SLOW_WINDOW] * 8 + [EVEN] * 20 + [SLOW_WINDOW] + [EVEN] * 2)
    assert [a["status"] for a in evaluate.alerts] == ["firing", "resolved"] * 2
    assert [c["verdict"] for c in (r["latency"]["check"] for r in evaluate.reports)].count("critical") == 9
    assert evaluate.alerts[-2]["evidence"]["overdispersion"] == 0.0  # of the 48 windows that were healthy


def test_a_crash_at_any_window_changes_nothing() -> None:
    seconds = [*bursts(30), SLOW_WINDOW, EVEN]
    whole, shaken = run(seconds), run(seconds, crash_every=3)
    assert shaken.state() == whole.state()
    assert [o.value for o in shaken.sent] == [o.value for o in whole.sent]
    assert whole.alerts[-2]["evidence"]["overdispersion"] > 0
    assert START_MS % 1_000 == 0  # so that every window here is a whole multiple
