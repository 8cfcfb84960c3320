"""Windows of labels: every pane once, in order, and corrected exactly when a label comes late or is revised."""

import numpy as np
import pytest

from stream.records.outcome import PerformanceDefinition
from tests.unit.stream.evaluate.labels import (
    BINS,
    PANE_S,
    START_S,
    WINDOW_PANES,
    Join,
    Labels,
    Pair,
    binary_baseline,
    definition,
    seconds,
    windows,
)

WINDOW_S = PANE_S * WINDOW_PANES
ONE = binary_baseline()


# Panes of 10 s: [0) [10) [20) [30) [40); windows of three.


def test_every_pane_ends_a_window_that_all_joins_have_passed() -> None:
    labels, join = Labels(), Join()
    join.joins(Pair(3, True, 0, 5))
    join.joins(Pair(3, False, 1, 25))
    labels.hears_of(join.says(29))
    assert windows(labels) == [(10, 1, 0), (20, 1, 0)]
    labels.hears_of(join.says(40))
    assert windows(labels)[2:] == [(30, 2, 0), (40, 1, 0)]


def test_a_pair_arrives_with_the_later_of_label_and_prediction() -> None:
    labels, join = Labels(), Join()
    join.joins(Pair(3, True, 12, 5))  # the label came first
    labels.hears_of(join.says(20))
    assert windows(labels) == [(20, 1, 0)]


def test_nothing_is_evaluated_before_all_joins_have_spoken() -> None:
    labels = Labels()
    first, second = Join(0, sources=2), Join(1, sources=2)
    first.joins(Pair(3, True, 0, 5))
    labels.hears_of(first.says(100))
    assert labels.fold.performance.sources.waiting_for() == ["1 outcomes partitions not heard of"]
    assert windows(labels) == []
    labels.hears_of(second.says(None))
    assert labels.fold.performance.sources.waiting_for() == ["outcomes/1"]
    assert windows(labels) == []
    labels.hears_of(second.says(10))
    assert windows(labels) == [(10, 1, 0)]


def test_the_watermark_counts_with_the_last_record_of_what_was_said() -> None:
    labels, join = Labels(), Join()
    for at in (1, 11):
        join.joins(Pair(3, True, at, at))
    first, last = join.says(20, chunks=2)
    labels.hears_of([first])
    assert windows(labels) == []
    labels.hears_of([last])
    assert windows(labels) == [(10, 1, 0), (20, 2, 0)]


def test_what_follows_something_that_was_lost_is_no_news_until_it_comes_again() -> None:
    labels, join = Labels(), Join()
    labels.hears_of(join.says(0))
    join.joins(Pair(3, True, 1, 1))
    lost = join.says(10, chunks=2)
    join.joins(Pair(3, True, 11, 11))
    following = join.says(20)
    labels.hears_of([*lost[1:], *following])  # their sender dies, and says all of it again
    assert windows(labels) == []
    labels.hears_of([*lost, *following])
    assert windows(labels) == [(10, 1, 0), (20, 2, 0)]
    labels.hears_of([*lost, *following])
    assert windows(labels) == [(10, 1, 0), (20, 2, 0)]


def test_behind_records_of_the_partials_that_are_lost_any_word_of_a_join_is_news() -> None:
    labels, join = Labels(), Join()
    labels.hears_of(join.says(0))
    join.says(10)
    join.joins(Pair(3, True, 11, 11))
    labels.fold.lost(labels.fold.next_offset)
    labels.hears_of(join.says(20))
    assert windows(labels) == [(20, 1, 0)]


def test_a_stretch_without_labels_is_one_window_that_says_so() -> None:
    labels, join = Labels(), Join()
    join.joins(Pair(3, True, 0, 5))
    labels.hears_of(join.says(200))
    assert windows(labels) == [(10, 1, 0), (20, 1, 0), (30, 1, 0), (40, 0, 0)]
    join.joins(Pair(3, True, 0, 215))
    labels.hears_of(join.says(220))
    assert windows(labels)[4:] == [(220, 1, 0)]


def test_a_late_label_revises_the_windows_that_hold_it_and_the_newest_is_last() -> None:
    labels, join = Labels(), Join()
    for at in range(0, 80, 10):
        join.joins(Pair(3, True, at, at))
    labels.hears_of(join.says(80))
    join.joins(Pair(3, False, 50, 50))
    labels.hears_of(join.says(81))
    assert windows(labels)[8:] == [(60, 4, 1), (70, 4, 1), (80, 4, 1)]
    join.joins(Pair(3, False, 40, 40))  # the window up to 50 is no longer published again
    labels.hears_of(join.says(82))
    assert windows(labels)[11:] == [(60, 5, 2), (70, 5, 2), (80, 4, 2)]


def test_a_late_label_revises_every_window_that_holds_it_when_the_joins_move_on() -> None:
    labels = Labels()
    first, second = Join(0, sources=2), Join(1, sources=2)
    first.joins(Pair(3, True, 0, 5))
    labels.hears_of(first.says(30), second.says(30))
    assert windows(labels) == [(10, 1, 0), (20, 1, 0), (30, 1, 0)]
    first.joins(Pair(3, False, 0, 15))
    labels.hears_of(first.says(50))
    assert len(windows(labels)) == 3  # the second join holds the windows back
    labels.hears_of(second.says(40))
    assert windows(labels)[3:] == [(20, 2, 1), (30, 2, 1), (40, 1, 0)]


def test_a_revised_label_takes_the_old_class_out_of_its_pane_and_puts_the_new_one_in() -> None:
    labels, join = Labels(), Join()
    old = Pair(3, True, 0, 5)
    join.joins(old)
    labels.hears_of(join.says(30))
    join.revises(old, Pair(3, False, 0, 35))
    labels.hears_of(join.says(40))
    found = labels.newest()
    assert {end: (r["n"], r["metrics"]["positives"]) for end, r in found.items()} == {
        20: (0, None),
        30: (0, None),
        40: (1, 0),
        10: (0, None),
    }
    assert found[20]["revision"] == 1


def test_revisions_move_no_alert() -> None:
    labels, join = Labels(), Join()
    for at in (5, 15, 25):
        for score_bin in range(BINS):
            join.joins(Pair(score_bin, score_bin >= BINS / 2, at, at), 20)
    labels.hears_of(join.says(30))
    assert not labels.alerts
    for score_bin in range(BINS):  # now what had been right was wrong
        join.joins(Pair(score_bin, score_bin < BINS / 2, 5, 5), 200)
    labels.hears_of(join.says(39))
    assert labels.newest()[30]["checks"][0]["verdict"] == "critical"
    assert not labels.alerts


def test_what_a_zombie_repeats_changes_nothing() -> None:
    labels, join = Labels(), Join()
    said = []
    for at in range(0, 100, 10):
        join.joins(Pair(3, True, at, at + 1))
        said.append(join.says(at + 10))
    for partials in said:
        labels.hears_of(partials)
    once, reports = labels.fold.progress(), len(labels.sent)
    for partials in said:
        labels.hears_of(partials)
    assert labels.fold.progress() == once
    assert len(labels.sent) == reports


def test_a_part_for_a_pane_that_is_forgotten_is_counted_as_missed() -> None:
    labels, join = Labels(), Join()
    for at in range(0, 200, 10):
        join.joins(Pair(3, True, at, at))
    labels.hears_of(join.says(200))
    join.joins(Pair(3, True, 130, 130))  # 200 less two windows is 140
    labels.hears_of(join.says(201))
    (course,) = labels.fold.performance.courses.values()
    (track,) = course.tracks.values()
    assert course.progress.missed == 1
    assert min(track.arrivals.by_start) == (START_S + 140) * 1_000
    join.joins(Pair(3, True, 150, 150))
    labels.hears_of(join.says(220))
    assert course.progress.missed == 1


def test_memory_is_bounded_however_long_it_runs() -> None:
    labels, join = Labels(), Join()
    for at in range(0, 5_000, 10):
        join.joins(Pair(3, True, at, at))
        labels.hears_of(join.says(at + 10))
    (course,) = labels.fold.performance.courses.values()
    (track,) = course.tracks.values()
    assert len(track.arrivals.by_start) == 2 * WINDOW_PANES
    assert len(track.cohorts.by_start) <= (600 + 60 + 60) / 60 + 1
    assert set(track.arrivals.labelled) == set(track.arrivals.by_start)


def test_the_sum_over_cohorts_is_that_of_those_that_are_kept() -> None:
    labels, join = Labels(), Join()
    for at in range(0, 2_000, 10):
        join.predicts(3, at, 4)
        join.joins(Pair(3, True, at, at))
        labels.hears_of(join.says(at + 10))
    (course,) = labels.fold.performance.courses.values()
    (track,) = course.tracks.values()
    total = sum(track.cohorts.total(start) for start in track.cohorts.by_start)
    assert np.array_equal(total, track.cohorts_by((START_S + 2_000) * 1_000)[0])
    coverage = labels.performance[-1]["coverage"]
    assert coverage["ratio"] == 0.25
    assert coverage["predictions"] == 4 * coverage["labelled"] == sum(c["predictions"] for c in track_cohorts(labels))


def test_a_window_says_nothing_of_cohorts_that_begin_after_it() -> None:
    """A replay in which the predictions are read long before the labels."""
    labels, join = Labels(), Join()
    for at in range(0, 2_000, 10):
        join.predicts(3, at, 2)
        join.joins(Pair(3, True, at, at))
    labels.hears_of(join.says(2_000))
    for report in labels.performance:
        end_s, cohorts = seconds(report["window"]["end"]), report["cohorts"]
        begun = [at for at in range(0, 2_000, 60) if end_s - 720 <= at < end_s]
        assert len(cohorts) == len(begun)
        assert report["coverage"]["predictions"] == sum(c["predictions"] for c in cohorts) > 0


def track_cohorts(labels: Labels) -> list[dict[str, int]]:
    found: list[dict[str, int]] = labels.performance[-1]["cohorts"]
    return found


@pytest.mark.parametrize("later", [definition(binary_baseline(2)), definition(binary_baseline(2), cohort_ms=30_000)])
def test_a_new_baseline_is_gone_by_without_a_blind_window(later: PerformanceDefinition) -> None:
    two = binary_baseline(2)
    labels = Labels(ONE, two)
    join, new = Join(), Join(of=later)
    new.next_offset = 1_000
    for at in range(0, 60, 10):
        join.joins(Pair(3, True, at, at))
    labels.hears_of(join.says(60))
    for at in range(60, 120, 10):
        new.joins(Pair(3, True, at, at))
        labels.hears_of(new.says(at + 10))
    assert [n > 0 for _, n, _ in windows(labels)] == [True] * 12
    assert labels.performance[-1]["baseline"] == "m@0#2"


def test_definitions_that_are_over_are_forgotten() -> None:
    labels = Labels(ONE)
    join, new = Join(), Join(of=definition(cohort_ms=30_000))
    join.joins(Pair(3, True, 5, 5))
    labels.hears_of(join.says(10))
    new.next_offset = 1_000
    for at in range(10, 1_000, 10):
        new.joins(Pair(3, True, at, at))
        labels.hears_of(new.says(at + 10))
    (course,) = labels.fold.performance.courses.values()
    assert list(course.tracks) == [new.definition.id]
