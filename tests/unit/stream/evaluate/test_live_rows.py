"""How many rows are usual, learned from live windows: the law by hand, when, and that a crash changes nothing."""

import msgspec
import pytest

from stream.baselines.evidence import RowsEvidence
from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES
from stream.evaluate.live_rows import LiveRows
from tests.unit.stream.evaluate.test_live_latency import PREFIX, again, written


def fed(windows: int, rows: tuple[int, ...] = (90, 110)) -> LiveRows:
    """Windows that have so many rows in turn."""
    live = LiveRows(1_000)
    for i in range(windows):
        live.take(1_000 * i, rows[i % len(rows)], next_offset=i + 1)
    return live


def test_the_law_is_that_of_the_windows() -> None:
    """90 or 110 rows in 24 windows: mean 100, variance 24 * 100 / 23, hardly more than Poisson's."""
    assert fed(23).usual is None
    assert fed(24).usual == RowsEvidence(
        windows=24, mean=100.0, smallest=90, overdispersion=0.000435, longest_silence_ms=0
    )
    wide = fed(24, rows=(0, 200)).usual
    assert wide is not None
    assert wide.overdispersion == pytest.approx((24 * 10_000 / 23 - 100) / 10_000, abs=1e-6)


def test_windows_that_evaluate_has_leapt_over_were_empty() -> None:
    """Three are missing: 27 windows with 24 * 100 rows, and a silence of three windows."""
    live = LiveRows(1_000)
    for i in range(24):
        live.take(1_000 * (i if i < 10 else i + 3), 100, next_offset=i + 1)
    assert live.usual is not None
    assert (live.usual.windows, live.usual.smallest, live.usual.longest_silence_ms) == (27, 0, 3_000)
    assert live.usual.mean == pytest.approx(2_400 / 27, abs=1e-3)


def test_an_outage_is_kept_until_something_was_learned_and_never_after() -> None:
    """Neither the windows in breach nor those that evaluate has leapt over meanwhile."""
    live = fed(24)
    for i in range(24, 30):
        assert not live.take(1_000 * i, 0, next_offset=i + 1, in_breach=True, none_in_breach=True)
    for i in range(40, 64):
        live.take(1_000 * i, (90, 110)[i % 2], next_offset=i + 1, none_in_breach=True)
    assert live.usual == RowsEvidence(
        windows=48, mean=100.0, smallest=90, overdispersion=0.000213, longest_silence_ms=0
    )
    first = LiveRows(1_000)
    for i in range(24):
        first.take(1_000 * (i + 3 * (i > 9)), 100, next_offset=i + 1, in_breach=True, none_in_breach=True)
    assert first.usual is not None
    assert (first.usual.windows, first.usual.smallest) == (27, 0)


def test_an_empty_stretch_that_is_no_alarm_counts_after_the_first_lesson_too() -> None:
    live = fed(24)
    for i in range(40, 64):
        live.take(1_000 * i, 100, next_offset=i + 1)
    assert live.usual is not None
    assert (live.usual.windows, live.usual.smallest, live.usual.longest_silence_ms) == (64, 0, 16_000)


def test_a_copy_of_a_window_counts_once() -> None:
    live = LiveRows(1_000)
    for _ in range(30):
        live.take(0, 100, next_offset=1)
    assert live.usual is None


def test_it_is_learned_anew_at_each_milestone_and_then_stays() -> None:
    live, learned = LiveRows(1_000), []
    for i in range(200):
        if live.is_due(1_000 * (i + 1)) and live.take(1_000 * i, 100 + i, next_offset=i + 1):
            learned.append(i + 1)
    assert learned == list(MILESTONES)
    assert (live.done, live.is_due(1_000)) == (True, False)
    (register,) = written(live)
    assert msgspec.msgpack.decode(register.value)[0] == [], "the windows are dropped"


def test_a_silence_that_has_been_is_no_news() -> None:
    before, after = LiveRows(1_000), fed(24)
    assert not before.fell_silent(500, 1)  # nothing is known yet that could change
    for i in range(24):
        before.take(1_000 * i, 100, next_offset=i + 2)
    assert after.fell_silent(500, 25)
    assert not after.fell_silent(500, 26)  # the same again teaches nothing
    for live in (before, after):
        assert live.usual is not None
        assert live.usual.longest_silence_ms == 500


@pytest.mark.parametrize("windows", [1, 23, 24, 30, 168])
def test_what_is_restored_goes_on_as_what_was_never_interrupted(windows: int) -> None:
    going_on = fed(windows)
    going_on.fell_silent(500, windows)
    restored = again(going_on)
    for live in (going_on, restored):
        for i in range(windows, windows + 30):
            live.take(1_000 * i, (90, 110)[i % 2], next_offset=i + 1)
    assert written(restored) == written(going_on)
    assert restored.usual == going_on.usual


def test_only_what_changed_is_written_again() -> None:
    live = fed(3)
    assert len(live.registers(PREFIX, only_changed=True)) == 1
    assert live.registers(PREFIX, only_changed=True) == []
    assert len(written(live)) == 1
    assert written(LiveRows(1_000)) == []


def test_windows_of_a_version_that_kept_other_numbers_are_dropped() -> None:
    (register,) = fed(30).registers(PREFIX, only_changed=False)
    state = msgspec.msgpack.decode(register.value)
    state[0] = [window[:2] for window in state[0]]  # a start and its rows
    old = LiveRows(1_000)
    old.restore(LiveRows.AT, Register(register.key, register.next_offset, msgspec.msgpack.encode(state)))
    assert old.usual == fed(30).usual
    for i in range(30, 54):
        old.take(1_000 * i, 100, next_offset=i + 1)
    assert old.usual is not None
    assert (old.usual.windows, old.usual.mean) == (24, 100.0)
