"""Evaluate: a function of the partials, however they are cut, interleaved, repeated or restored."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import SnapshotError
from stream.durable.fold import Register
from stream.records.partial import Partial, encode_partial
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import Worker, baseline, prediction
from tests.small_model import settings as counting
from tests.unit.stream.evaluate.interleaved import is_the_same_interleaved, said_by_count
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, part

ONE, TWO = baseline(1), baseline(2, edges=(0.1, 0.9))
FAR_MS = 40_000  # both sources end there, so that the same windows end in every run

times = st.lists(st.integers(0, 15_000), min_size=1, max_size=12)


COUNTED = counting(allowed_lateness_ms=500)


def said(times: Sequence[int], source: int, checkpoints: set[int], promotion: int) -> list[Partial]:
    """What count says of a source with these events, with checkpoints behind these records."""
    messages = [prediction(at_ms, x=offset / 12) for offset, at_ms in enumerate([*times, FAR_MS])]
    return said_by_count(messages, source, checkpoints, promotion, ((ONE, COUNTED), (TWO, COUNTED)))


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(times, times),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.tuples(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12))),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_reports_and_alerts_do_not_depend_on_checkpoints_interleaving_or_crashes(
    times: tuple[list[int], list[int]],
    promotions: tuple[int, int],
    checkpoints: tuple[set[int], set[int]],
    random: Random,
    crashes: bool,
) -> None:
    promoted = [min(promotions[i], len(times[i])) for i in (0, 1)]
    plain = [said(times[i], i, set(range(13)), promoted[i]) for i in (0, 1)]
    queues = [said(times[i], i, checkpoints[i], promoted[i]) for i in (0, 1)]
    is_the_same_interleaved(lambda: Evaluate(ONE, TWO), plain, queues, random, crashes=crashes)


words_of = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 30), st.booleans()), max_size=25)


def a_run(words: list[tuple[int, int, int, bool]]) -> list[Partial]:
    """Two sources that go on by some panes, bring rows, fall silent and speak again."""
    sources, at, partials = [Speaker(i, sources=2) for i in (0, 1)], [0, 0], []
    for source in sources:
        source.counts_with(ONE)
    definition = sources[0].counts_with(ONE)
    for which, panes, rows, silent in words:
        source, start = sources[which], at[which]
        closed = [part(definition, start + 1_000 * p, rows, next_offset=10) for p in range(panes) if rows]
        at[which] += 1_000 * panes
        partials.append(source.says(at[which], closed))
        if silent:
            still_open = [part(definition, at[which], rows + 1, next_offset=9)]
            partials.append(source.says(at[which], still_open, idle=True, provisional=True))
    return partials


@settings(deadline=None)
@given(words_of, st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_cutting_and_restoring_change_nothing(
    words: list[tuple[int, int, int, bool]], cuts: set[int], crashes: set[int]
) -> None:
    partials = a_run(words)
    whole, cut = Evaluate(ONE), Evaluate(ONE)
    if partials:
        whole.hears(*partials)
    batch: list[Partial] = []
    for i, partial in enumerate(partials):
        batch.append(partial)
        if i in cuts or i in crashes or i == len(partials) - 1:
            cut.hears(*batch)
            batch = []
            if i in crashes:
                before = cut.state()
                cut.crash()
                assert cut.state() == before
    assert cut.state() == whole.state()
    assert cut.sent == whole.sent


@given(words_of, st.integers(0, 60), st.integers(0, 60))
def test_a_replay_of_what_a_source_has_said_changes_no_count(
    words: list[tuple[int, int, int, bool]], start: int, stop: int
) -> None:
    partials = a_run(words)
    once, twice = Evaluate(ONE), Evaluate(ONE)
    if partials:
        once.hears(*partials)
        twice.hears(*partials)
    if partials[start:stop]:
        twice.hears(*partials[start:stop])
    assert [r.value for r in twice.fold.live()] == [r.value for r in once.fold.live()]
    assert twice.alerts == once.alerts


def test_a_changed_register_is_written_once_and_a_snapshot_holds_all() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    definition = source.counts_with(ONE)
    evaluate.hears(source.says(2_000, [part(definition, 0, 1), part(definition, 1_000, 1)]))
    assert len(evaluate.fold.changed()) == 2
    assert evaluate.fold.changed() == []
    evaluate.hears(source.says(3_000, [part(definition, 2_000, 1)]))
    assert len(evaluate.fold.changed()) == 1
    assert len(evaluate.fold.live()) == 3


def test_memory_is_bounded_however_long_it_runs() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    definition = source.counts_with(ONE)
    for start in range(0, 100_000, 1_000):
        evaluate.hears(source.says(start + 1_000, [part(definition, start, 1)]))
    assert len(evaluate.fold.live()) == 6  # two windows of three panes


def test_the_state_after_a_forgotten_register_is_read_again_is_the_live_one() -> None:
    # The changelog still holds panes that were forgotten since its base.
    evaluate, source = Evaluate(ONE), Speaker()
    definition = source.counts_with(ONE)
    registers: list[Register] = []
    for start in range(0, 20_000, 1_000):
        evaluate.hears(source.says(start + 1_000, [part(definition, start, 1)]))
        registers += evaluate.fold.changed()
    restored = evaluate.new_fold()
    restored.restore(evaluate.fold.next_offset, evaluate.fold.progress(), registers)
    assert restored.live() == evaluate.fold.live()


def test_a_baseline_that_is_not_read_yet_is_waited_for() -> None:
    evaluate, source = Evaluate(worker=Worker()), Speaker()
    definition = source.counts_with(ONE)
    partial = source.says(1_000, [part(definition, 0, 1)])
    log = MemoryLog()
    log.put(Source("partials", 0), encode_partial(partial))
    batch = log.batch(Source("partials", 0), 0, 1)
    assert evaluate.fold.needs(batch) == ONE.id
    evaluate.worker.known[ONE.id] = ONE
    assert evaluate.fold.needs(batch) is None
    evaluate.hears(partial)
    stranger = Evaluate(worker=Worker())
    assert stranger.fold.needs_to_restore(evaluate.fold.progress(), []) == ONE.id


def test_a_record_that_is_no_partial_is_counted_and_passed_over() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    definition = source.counts_with(ONE)
    evaluate.hears(b"\x01\xc1", source.says(1_000, [part(definition, 0, 1)]))
    assert evaluate.fold.unreadable == 1
    assert evaluate.windows() == [(1_000, 1)]


def test_a_partial_of_a_later_release_is_refused() -> None:
    with pytest.raises(SnapshotError):
        Evaluate(ONE).hears(b"\x63whatever")


def test_a_new_incarnation_adds_to_what_the_old_one_counted() -> None:
    evaluate, source = Evaluate(ONE), Speaker()
    definition = source.counts_with(ONE)
    evaluate.hears(source.says(1_500, [part(definition, 0, 5)]))
    source.incarnation, source.next_offset = 1, 0
    evaluate.hears(source.says(2_000, [part(definition, 0, 7), part(definition, 1_000, 2)]))
    assert evaluate.windows() == [(1_000, 5), (1_000, 12), (2_000, 14)]
    alert = evaluate.alerts[-1] if evaluate.alerts else None
    assert alert is None or set(alert["evidence"]["sources"]) <= {"predictions/0", "predictions/0~1"}
