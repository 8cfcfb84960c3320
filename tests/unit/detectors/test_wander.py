"""Healthy windows that differ by themselves: what is learned of them, and how often one of them alarms."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Auc, Undefined
from detectors.wander import Reading, Wander, auc_of, auc_reading, error_reading, learn_wander

HEALTHY = Wander(mean=-2.0, deviation=0.4, mean_se=0.05, windows=90, worst=2.5)


def readings(rng: np.random.Generator, windows: int, deviation: float, se: float) -> list[Reading]:
    true = rng.normal(-2.0, deviation, windows)
    return [Reading(float(one), se) for one in true + rng.normal(0.0, se, windows)]


def test_what_was_drawn_is_found_again() -> None:
    found = learn_wander([readings(np.random.default_rng(1), 3_000, deviation=0.4, se=0.2)])
    assert found is not None
    assert found.mean == pytest.approx(-2.0, abs=0.05)
    assert found.deviation == pytest.approx(0.4, rel=0.1)
    assert found.windows == 3_000


def test_sampling_alone_is_no_wander() -> None:
    found = learn_wander([readings(np.random.default_rng(2), 3_000, deviation=0.0, se=0.2)])
    assert found is not None
    assert found.deviation < 0.03


@pytest.mark.parametrize("windows", [25, 90])
def test_healthy_windows_alarm_no_more_often_than_the_level_says(windows: int) -> None:
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        known = learn_wander([readings(rng, windows, deviation=0.4, se=0.2)])
        assert known is not None
        p_values += [known.p_value(one) for one in readings(rng, 25, deviation=0.4, se=0.2)]
    for level, factor in ((0.05, 1.2), (0.01, 1.2), (0.001, 2.0)):  # 400 baselines, each with its own error
        assert np.mean(np.array(p_values) < level) <= factor * level


def test_hard_days_are_few_however_many_hours_they_have() -> None:
    rng = np.random.default_rng(8)
    days = rng.normal(-2.0, 0.4, 7).repeat(24)
    known = learn_wander([[Reading(float(one), 0.05) for one in days + rng.normal(0, 0.05, len(days))]])
    assert known is not None
    assert 15 < known.lasting < 60
    alone = learn_wander([readings(rng, 168, deviation=0.4, se=0.05)])
    assert alone is not None
    assert alone.lasting < 1.6
    assert known.p_value(Reading(known.mean + 1.5, 0.05)) > 10 * alone.p_value(Reading(alone.mean + 1.5, 0.05))


def test_independent_windows_would_have_alarmed_all_the_time() -> None:
    rng = np.random.default_rng(4)
    unaware = Wander(mean=-2.0, deviation=0.0, mean_se=0.0, windows=10_000, worst=0.0)
    assert np.mean([unaware.p_value(one) < 0.001 for one in readings(rng, 1_000, deviation=0.4, se=0.2)]) > 0.05


def test_no_window_that_it_was_learned_from_is_beyond() -> None:
    learned_from = readings(np.random.default_rng(5), 60, deviation=0.4, se=0.2)
    known = learn_wander([learned_from])
    assert known is not None
    assert not any(known.beyond(one) for one in learned_from)
    worst = max(learned_from, key=known.deviations)
    assert known.beyond(Reading(worst.badness + 0.01, worst.se))


def test_windows_with_more_labels_are_held_to_a_narrower_band() -> None:
    assert HEALTHY.p_value(Reading(-0.5, 0.1)) < HEALTHY.p_value(Reading(-0.5, 0.5))


@given(st.floats(0, 1), st.floats(1e-9, 0.4))
def test_half_of_the_windows_at_the_size_named_alarm(se: float, level: float) -> None:
    at = HEALTHY.seen_from(se, level)
    more, less = Reading(at + 1e-6, se), Reading(at - 1e-6, se)
    assert HEALTHY.far(more) or (HEALTHY.p_value(more) <= level * (1 + 1e-6) and HEALTHY.beyond(more))
    assert not HEALTHY.far(less)
    assert HEALTHY.p_value(less) > level * (1 - 1e-4) or not HEALTHY.beyond(less)


def test_far_is_twice_the_worst_healthy_window_and_three_deviations_at_least() -> None:
    at = {worst: replace(HEALTHY, worst=worst, mean_se=0.0) for worst in (0.0, 1.0, 2.5)}
    readings = [Reading(-2.0 + 0.4 * deviations, 0.0) for deviations in (2.9, 3.1, 4.9, 5.1)]
    assert [[known.far(one) for one in readings] for known in at.values()] == [
        [False] * 4,  # of live windows no worst is known
        [False, True, True, True],
        [False, False, False, True],
    ]


def test_rounds_that_begin_elsewhere_do_not_count_as_more_windows() -> None:
    rng = np.random.default_rng(6)
    rounds = [readings(rng, number, deviation=0.4, se=0.2) for number in (30, 29, 1)]
    found = learn_wander(rounds)
    assert found is not None
    assert found.windows == 30  # and the one window of the last says nothing


@pytest.mark.parametrize("windows", [[], [[]], [[Reading(0.0, 0.1)]]])
def test_of_one_window_nothing_is_learned(windows: list[list[Reading]]) -> None:
    assert learn_wander(windows) is None


def test_windows_that_are_all_alike_leave_room_for_no_other() -> None:
    same = learn_wander([[Reading(-1.0, 0.0)] * 5])
    assert same == Wander(mean=-1.0, deviation=0.0, mean_se=0.0, windows=5, worst=0.0)
    assert [same.deviations(Reading(at, 0.0)) for at in (-2.0, -1.0, 0.0)] == [-math.inf, 0.0, math.inf]
    assert same.p_value(Reading(0.0, 0.0)) == 0.0


def test_a_perfect_ranking_has_a_reading() -> None:
    perfect = auc_reading(Auc(1.0, 1.0, 1.0, se=0.0, negatives=99, positives=400))
    assert perfect.badness == pytest.approx(-math.log(0.995 / 0.005))
    assert perfect.se > 1


def test_readings_are_undone() -> None:
    assert auc_of(auc_reading(Auc(0.8, 0.8, 0.8, 0.02, 200, 200)).badness) == pytest.approx(0.8)
    assert error_reading(0.0, 0.1) == Undefined("no error")
