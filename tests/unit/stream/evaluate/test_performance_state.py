"""The state of performance: exact against raw rows, whatever crashes, is cut or comes again."""

from random import Random

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Auc, auc
from stream.durable.fold import Register
from stream.records.performance import FORMAT_VERSION, encode_performance
from stream.records.source import MessageBatch
from tests.small_model import Worker
from tests.unit.stream.evaluate.labels import (
    BINS,
    PANE_S,
    WINDOW_PANES,
    Join,
    Labels,
    Pair,
    binary_baseline,
    definition,
    windows,
)
from tests.unit.stream.evaluate.partials import PARTIALS

WINDOW_S = PANE_S * WINDOW_PANES
ONE = binary_baseline()


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
