"""Count: whatever way the log is cut into batches, and wherever an owner dies, the state is the same."""

from collections import Counter as Tally

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.count import counter as counter_module
from stream.ingest.settings import IngestSettings
from stream.records.partial import NO_TIME, unpack_counts
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import PANE_MS, PREDICTIONS, START_MS, Worker, baseline, cuts_of, plan, prediction, settings
from tests.unit.stream.count.run import (
    ONE,
    SERIES,
    TWO,
    Run,
    closed,
    log_of,
    partials,
    promoted_at,
    run_of,
    settle,
    state,
    times,
)


@given(
    times,
    st.sets(st.integers(0, 24)),
    st.sets(st.integers(0, 24)),
    st.sets(st.integers(0, 24)),
    st.integers(0, 25),
    st.booleans(),
)
@example([0, 2_000, 19_000], set(), set(), {1}, 1, False)  # the predecessor's last pane closes as it retires
@example([0, 2_000, 19_000, 500], {3}, set(), set(), 1, False)  # a row of the predecessor after it retired
def test_no_cutting_and_no_crash_changes_anything(
    times: list[int | None], ends: set[int], crashes: set[int], arrays: set[int], promotion: int, lateness: bool
) -> None:
    counting = settings(allowed_lateness_ms=700 if lateness else 0)
    runs = []
    # The batch must end where an activation takes effect: the owner sees to that.
    for cut in ({promotion}, ends | crashes | {promotion}):
        worker = Worker(ONE, TWO)
        worker.wants = plan(ONE, counting=counting)
        run = Run(log_of(times, array_at=frozenset(arrays)), worker)
        for start, stop in cuts_of(len(times), cut.__contains__):
            promoted_at(run, promotion, start)
            run.take(start, stop)
            if stop in crashes and cut != {promotion}:
                run.send()
                run.crash()
        run.send()
        assert run.fold.ledger.balance() == 0
        runs.append(run)
    whole, cut_up = runs
    assert state(cut_up.fold) == state(whole.fold)
    assert closed(cut_up.sent) == closed(whole.sent)


@given(times, st.integers(0, 25), st.integers(0, 25))
def test_what_is_restored_goes_on_as_what_lived(times: list[int | None], crash_at: int, promotion: int) -> None:
    worker = Worker(ONE, TWO)
    worker.wants = plan(ONE)
    live = Run(log_of(times), worker)
    for offset in range(len(times)):
        promoted_at(live, promotion, offset)
        if offset == crash_at:
            live.send()
            before = state(live.fold)
            live.crash()
            assert state(live.fold) == before
        live.take(offset, offset + 1)
    once = Run(log_of(times), Worker(ONE, TWO))
    once.fold = once.worker.count()
    once.worker.wants = plan(ONE)
    settle(once.fold)
    for start, stop in cuts_of(len(times), {promotion}.__contains__):
        promoted_at(once, promotion, start)
        once.take(start, stop)
    assert state(live.fold) == state(once.fold)


@given(times)
def test_every_row_that_is_counted_lies_in_one_pane_and_no_late_one_does(times: list[int | None]) -> None:
    worker = Worker(ONE)
    run = Run(log_of(times), worker)
    run.take(0, len(times))
    newest, expected, late = -1, Tally[int](), 0
    for at_ms in times:
        if at_ms is None:
            continue
        newest = max(newest, at_ms)
        start = at_ms // PANE_MS * PANE_MS
        if start + PANE_MS <= newest:
            late += 1
        else:
            expected[start] += 1
    run.fold.quiet()
    run.send()
    counted = {
        part.start_ms - START_MS: int(unpack_counts(part.counts).sum()) // SERIES
        for partial in partials(run.sent)
        for part in partial.panes
    }
    assert counted == dict(expected)
    ledger = run.fold.ledger
    assert (ledger.counted, ledger.late) == (expected.total(), late)
    assert ledger.dead == ({"not_json": times.count(None)} if None in times else {})


# -- panes and watermarks


def test_a_pane_closes_when_the_watermark_reaches_its_end() -> None:
    #    0        1000
    #    [ . pane )|
    run = run_of(500, 999)
    run.send()
    assert closed(run.sent) == {}
    run = run_of(500, 1_000)
    run.send()
    assert [start - START_MS for _, start in closed(run.sent)] == [0]


def test_allowed_lateness_holds_the_pane_open() -> None:
    worker = Worker(ONE)
    worker.wants = plan(ONE, counting=settings(allowed_lateness_ms=700))
    run = run_of(500, 1_699, 400, 1_700, 400, worker=worker)
    assert (run.fold.ledger.counted, run.fold.ledger.late) == (4, 1)


def test_the_watermark_moves_row_by_row_within_a_batch() -> None:
    #  rows: 500, 1_000 (closes the pane), 600 (late), all in one fetch
    assert run_of(500, 1_000, 600).fold.ledger.late == 1


def test_the_watermark_never_goes_back() -> None:
    run = run_of(5_000, 1_000, 4_999)
    assert run.fold.newest_event_ms == START_MS + 5_000
    assert run.fold.ledger.late == 2


def test_a_partial_is_sent_when_the_watermark_passes_a_pane_without_rows() -> None:
    run = run_of(500)
    run.send()
    before = len(run.sent)
    run.send()
    assert len(run.sent) == before  # nothing has moved
    run.log.put(PREDICTIONS, prediction(600), timestamp_ms=START_MS)
    run.take(1, 2)
    run.send()
    assert len(run.sent) == before  # still the same pane
    run.log.put(PREDICTIONS, prediction(1_000), timestamp_ms=START_MS)
    run.take(2, 3)
    run.send()
    assert partials(run.sent)[-1].newest_event_ms == START_MS + 1_000


def test_a_model_without_rows_is_moved_on_by_the_others() -> None:
    worker = Worker(ONE, baseline(1, model="k"))
    worker.wants = plan(baseline(1, model="k"), ONE)
    run = run_of(500, 2_000, worker=worker)
    run.send()
    last = partials(run.sent)[-1]
    assert sorted(d.baseline_id for d in last.definitions.values()) == ["k@0#1", "m@0#1"]
    assert last.newest_event_ms == START_MS + 2_000


def test_each_partition_of_partials_hears_of_its_own_models_and_of_the_watermark() -> None:
    models = [baseline(1, model=name) for name in "abcdefgh"]
    worker = Worker(*models)
    fold = worker.count(partials=3)
    settle(fold)
    outputs = fold.outputs()
    homes = {o.to.partition: partials([o])[0] for o in outputs}
    assert sorted(homes) == [0, 1, 2]
    assert sorted(d.baseline_id for p in homes.values() for d in p.definitions.values()) == [m.id for m in models]
    assert len({len(p.definitions) for p in homes.values()}) > 1  # by hash, not in turn


def test_the_watermark_comes_with_the_last_record_and_each_pane_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_module, "MAX_PARTIAL_BYTES", 1)
    run = run_of(500, 1_500, 2_500, 3_500)
    run.send()
    heard = partials(run.sent)
    assert [p.newest_event_ms for p in heard] == [NO_TIME, NO_TIME, START_MS + 3_500]
    assert [part.start_ms - START_MS for p in heard for part in p.panes] == [0, 1_000, 2_000]


# -- idle


def test_an_idle_source_sends_its_open_panes_as_provisional_once() -> None:
    run = run_of(500, 1_500)
    run.send()
    run.fold.quiet()
    run.send()
    idle = partials(run.sent)[-1]
    assert (idle.idle, idle.provisional, [p.start_ms - START_MS for p in idle.panes]) == (True, True, [1_000])
    sent = len(run.sent)
    run.fold.quiet()
    run.send()
    assert len(run.sent) == sent


def test_closed_panes_are_final_although_the_source_falls_idle_before_they_are_sent() -> None:
    run = run_of(500, 1_500)
    run.fold.quiet()
    run.send()
    panes = {part.start_ms - START_MS: p.provisional for p in partials(run.sent) for part in p.panes}
    assert panes == {0: False, 1_000: True}


def test_open_panes_of_an_idle_source_are_provisional_in_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    # Taken as final, what comes later to those panes would be refused.
    monkeypatch.setattr(counter_module, "MAX_PARTIAL_BYTES", 1)
    worker = Worker(ONE)
    worker.wants = plan(ONE, counting=settings(allowed_lateness_ms=5_000))
    run = run_of(500, 1_500, 2_500, worker=worker)
    run.fold.quiet()
    run.send()
    with_panes = [p for p in partials(run.sent) if p.panes]
    assert [(p.provisional, p.idle) for p in with_panes] == [(True, False), (True, False), (True, True)]


def test_a_source_that_speaks_again_is_not_idle_and_says_so() -> None:
    run = run_of(500)
    run.fold.quiet()
    run.send()
    run.log.put(PREDICTIONS, b"{oops", timestamp_ms=START_MS)
    run.take(1, 2)
    run.send()
    assert not partials(run.sent)[-1].idle


# -- what is not counted


def test_dead_letters_keep_the_log_order_and_are_sent_once() -> None:
    run = run_of(None, 500, None)
    run.send()
    assert [o.key for o in run.sent if o.to.topic == "dead-letters"] == [b"predictions/0/0", b"predictions/0/2"]
    sent = len(run.sent)
    run.send()
    assert len(run.sent) == sent


def test_rows_older_than_a_models_first_pane_are_ignored() -> None:
    worker = Worker(ONE, baseline(1, model="k"))
    worker.wants = plan(ONE)
    run = Run(log_of([1_500]), worker)
    run.take(0, 1)
    run.log.put(PREDICTIONS, prediction(1_600, model="k"), timestamp_ms=START_MS)
    worker.wants = plan(baseline(1, model="k"), ONE)
    settle(run.fold)
    run.take(1, 2)
    assert (run.fold.ledger.ignored, run.fold.ledger.balance()) == (1, 0)


def test_unknown_models_are_ignored_if_the_configuration_says_so() -> None:
    worker = Worker()
    worker.wants = msgspec.structs.replace(plan(), ingest=IngestSettings(unknown_models="ignore"))
    run = run_of(500, 600, worker=worker)
    assert (run.fold.ledger.ignored, run.fold.ledger.balance()) == (2, 0)


def test_a_gap_is_in_the_ledger_and_told_to_one_evaluate() -> None:
    worker = Worker(ONE)
    fold = worker.count(Source("predictions", 4), partials=3)
    settle(fold)
    fold.outputs()
    fold.lost(8)
    told = [(o.to.partition, partials([o])[0].lost) for o in fold.outputs()]
    assert told == [(0, 0), (1, 8), (2, 0)]  # 4 % 3
    assert (fold.next_offset, fold.ledger.lost, fold.ledger.balance()) == (8, 8, 0)


def test_values_fall_into_the_bins_of_the_definition() -> None:
    run = Run(MemoryLog(), Worker(ONE))
    for i, (x, c) in enumerate([(0.1, "a"), (0.25, "b"), (None, "z"), (0.9, "new")]):
        run.log.put(PREDICTIONS, prediction(i, x=x, c=c, score=0.6), timestamp_ms=START_MS)
    run.take(0, 4)
    ((_, packed, _, _),) = [msgspec.msgpack.decode(r.value) for r in run.fold.live()]
    of_x, of_c, of_score = np.split(unpack_counts(packed), [8, 14])
    assert of_x.tolist() == [0, 1, 1, 0, 1, 0, 1, 0]  # below, three edges, above, missing, invalid
    assert of_c.tolist() == [1, 1, 1, 0, 1, 0]  # a, b, other, missing, unseen, invalid
    assert of_score.tolist() == [0, 0, 0, 4, 0, 0, 0, 0]


def test_a_baseline_that_the_state_needs_is_named_before_it_is_restored() -> None:
    run = run_of(500)
    stranger = Worker()
    fold = stranger.count()
    assert fold.needs_to_restore(run.fold.progress(), []) == "m@0#1"
    assert run.fold.needs_to_restore(run.fold.progress(), [msgspec.msgpack.encode(plan(TWO))]) == "m@0#2"
    assert run.fold.needs_to_restore(run.fold.progress(), [msgspec.msgpack.encode(plan(ONE))]) is None
