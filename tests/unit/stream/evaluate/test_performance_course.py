"""Windows of labels: every pane once, in order, and corrected exactly when a label comes late or is revised."""

from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Auc, auc
from stream.durable.fold import Register
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import FORMAT_VERSION, encode_performance
from stream.records.source import MessageBatch
from tests.small_model import Worker
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
)
from tests.unit.stream.evaluate.partials import PARTIALS

WINDOW_S = PANE_S * WINDOW_PANES
ONE = binary_baseline()


def windows(labels: Labels) -> list[tuple[int, int, int]]:
    """Of each report in order: the window's end, its labels, its revision."""
    return [(seconds(r["window"]["end"]), r["n"], r["revision"]) for r in labels.performance]


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


def test_a_definition_that_comes_back_begins_anew_also_after_a_crash() -> None:
    labels = Labels(ONE)
    join, other = Join(), Join(of=definition(cohort_ms=30_000))
    registers: dict[bytes, Register] = {}
    for at in range(0, 3_000, 10):
        current = other if 200 <= at < 2_000 else join
        current.next_offset = max(join.next_offset, other.next_offset)
        current.joins(Pair(3, True, at, at))
        labels.hears_of(current.says(at + 10 if at != 2_000 else at))  # once without an evaluation behind it
        registers |= {register.key: register for register in labels.fold.changed()}
        if at == 1_990:
            (course,) = labels.fold.performance.courses.values()
            assert list(course.tracks) == [other.definition.id]
            join.arrivals.clear()
            join.cohorts.clear()
        if at in (2_000, 2_500):
            restored = labels.new_fold()
            restored.restore(labels.fold.next_offset, labels.fold.progress(), list(registers.values()))
            assert current.definition.id in next(iter(restored.performance.courses.values())).tracks
            assert restored.live() == labels.fold.live()


def test_the_newest_window_is_known_again_after_a_crash() -> None:
    labels, join = Labels(), Join()
    for at in (5, 15, 15, 25):
        join.joins(Pair(3, True, at, at + 1))
    labels.hears_of(join.says(30))
    (course,) = labels.fold.performance.courses.values()
    latest = course.latest
    labels.crash()
    (restored,) = labels.fold.performance.courses.values()
    assert latest is not None
    assert restored.latest is not None
    assert (restored.latest.n, restored.latest.checks) == (latest.n, latest.checks) == (4, latest.checks)
    assert restored.latest.coverage == latest.coverage


# -- against the raw rows

pairs = st.builds(
    Pair,
    bin=st.integers(0, BINS - 1),
    positive=st.booleans(),
    predicted=st.integers(0, 120),
    label=st.integers(0, 120),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(0, 1), pairs),
        st.tuples(st.just("revise"), st.integers(0, 1), pairs),
        st.tuples(st.just("say"), st.integers(0, 1), st.integers(0, 25)),
    ),
    max_size=40,
)


Step = tuple[str, int, int | Pair]


def run(happened: list[Step], seed: int, faults: Random | None) -> tuple[Labels, list[Pair]]:
    """Two joins; with faults, crashes between any two records, records cut in chunks, and zombies' repeats."""
    labels, joins, random = Labels(), [Join(i, sources=2) for i in (0, 1)], Random(seed)
    held: list[list[Pair]] = [[], []]
    reached, said = [0, 0], []
    for what, i, how in [*happened, ("say", 0, 300), ("say", 1, 300)]:
        if isinstance(how, int):
            reached[i] += how
            partials = joins[i].says(reached[i], chunks=faults.choice([1, 2]) if faults else 1)
            said.append(partials)
            for partial in partials:
                labels.hears_of([partial])
                if faults and faults.random() < 0.4:
                    before = labels.state()
                    labels.crash()
                    assert labels.state() == before
            if faults and faults.random() < 0.3:
                labels.hears_of(faults.choice(said))
            continue
        recent = [p for p in held[i] if p.arrival >= max(reached) - WINDOW_S]
        if how.arrival < max(reached) - WINDOW_S or (what == "revise" and not recent):
            continue  # later than a window allows: those are counted as missed
        if what == "revise":
            old = random.choice(recent)
            joins[i].revises(old, how)
            held[i].remove(old)
        else:
            joins[i].joins(how)
        held[i].append(how)
    return labels, held[0] + held[1]


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_last_report_of_each_window_is_that_of_its_raw_rows(
    happened: list[Step], seed: int, faults: Random
) -> None:
    labels, rows = run(happened, seed, faults)
    for end, report in labels.newest().items():
        inside = [p for p in rows if end - WINDOW_S <= p.arrival < end]
        negatives, positives = (
            np.bincount([p.bin for p in inside if p.positive is one], minlength=BINS).astype(np.int64)
            for one in (False, True)
        )
        area = auc(negatives, positives)
        assert report["n"] == len(inside), end
        assert report["metrics"]["positives"] == (int(positives.sum()) if inside else None)
        assert report["metrics"]["auc"] == (area.value if isinstance(area, Auc) else None)
    assert all(course.progress.missed == 0 for course in labels.fold.performance.courses.values())


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_crashes_chunks_and_zombies_change_no_report(happened: list[Step], seed: int, faults: Random) -> None:
    whole, _ = run(happened, seed, None)
    faulty, _ = run(happened, seed, faults)
    assert faulty.performance == whole.performance
    assert faulty.alerts == whole.alerts


def test_a_register_is_of_the_record_that_changed_it_last_and_written_once() -> None:
    labels, join = Labels(), Join()
    join.joins(Pair(3, True, 5, 5))
    labels.hears_of(join.says(10))
    written = labels.fold.changed()
    assert [r.next_offset for r in written] == [1, 1]
    assert not labels.fold.changed()
    labels.hears_of(join.says(20))
    assert not labels.fold.changed()
    assert len(labels.fold.live()) == 2


def test_a_forgotten_register_that_is_read_again_stays_forgotten() -> None:
    labels, join = Labels(), Join()
    every: list[Register] = []
    for at in range(0, 2_000, 10):
        join.joins(Pair(3, True, at, at))
        labels.hears_of(join.says(at + 10))
        every += labels.fold.changed()
    newest = {register.key: register for register in every}
    restored = labels.new_fold()
    restored.restore(labels.fold.next_offset, labels.fold.progress(), list(newest.values()))
    assert restored.live() == labels.fold.live()
    assert restored.progress() == labels.fold.progress()


def test_a_baseline_that_is_not_read_yet_is_waited_for() -> None:
    join, worker = Join(), Worker(ONE)
    join.joins(Pair(3, True, 5, 5))
    labels = Labels(worker=worker)
    labels.hears_of(join.says(10))
    progress = labels.fold.progress()
    worker.known.clear()
    (said,) = join.says(20)
    batch = MessageBatch(
        source=PARTIALS,
        begin=0,
        chained=True,
        offsets=np.array([0]),
        timestamps_ms=np.array([0]),
        values=[encode_performance(said)],
    )
    assert labels.fold.needs(batch) == ONE.id
    assert labels.fold.needs_to_restore(progress, []) == ONE.id
    worker.known[ONE.id] = ONE
    assert labels.fold.needs(batch) is None
    assert labels.fold.needs_to_restore(progress, []) is None


def test_a_record_that_cannot_be_read_is_counted_and_changes_nothing() -> None:
    labels, join = Labels(), Join()
    join.joins(Pair(3, True, 5, 5))
    (said,) = join.says(10)
    cut = msgspec.structs.replace(said.panes[0], counts=b"\xff\xff\x01")
    elsewhere = msgspec.structs.replace(said.panes[0], definition="0" * 16)
    outside = msgspec.structs.replace(said.panes[0], counts=b"\x01\x00\xff\xff1\x01")
    for part in (cut, elsewhere, outside):
        labels.hears(encode_performance(msgspec.structs.replace(said, panes=[*said.panes, part])))
    labels.hears(bytes([FORMAT_VERSION]), bytes([FORMAT_VERSION]) + b"\xc1", b"")
    assert labels.fold.unreadable == 6
    assert not labels.fold.performance.courses
    labels.hears_of([said])
    assert windows(labels) == [(10, 1, 0)]


def test_the_state_of_a_release_without_labels_is_restored() -> None:
    labels = Labels()
    state = msgspec.msgpack.decode(labels.fold.progress())
    old = msgspec.msgpack.encode(state[:5])
    restored = labels.new_fold()
    restored.restore(0, old, [])
    assert restored.progress() == labels.fold.progress()
