"""Promotions: two definitions are counted side by side, and no pane of either is half."""

import msgspec

from stream.records.partial import unpack_counts
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, Worker, baseline, plan, prediction, settings
from tests.unit.stream.count.run import (
    ONE,
    SERIES,
    TWO,
    Run,
    closed,
    log_of,
    partials,
    run_of,
    settle,
    state,
)


def test_after_a_promotion_both_definitions_are_counted_and_no_pane_is_counted_half() -> None:
    #  ms           0      1000      2000      3000
    #  rows         .   |   .    .     .
    #  one         [0     )[1000   )[2000   )          until two windows after
    #  two              promoted  [ from the first pane that begins behind 1_200
    worker = Worker(ONE, TWO)
    worker.wants = plan(ONE)
    run = Run(log_of([500, 1_200, 1_700, 2_100, 3_100]), worker)
    run.take(0, 2)
    worker.wants = plan(TWO)
    settle(run.fold)
    run.take(2, 5)
    run.send()
    ids = {a.definition.baseline.number: a.definition.id for a in run.fold.plan.active}
    rows = {
        (definition, start - START_MS): int(unpack_counts(counts).sum()) // SERIES
        for (definition, start), counts in closed(run.sent).items()
    }
    assert rows == {(ids[1], 0): 1, (ids[1], 1_000): 2, (ids[1], 2_000): 1, (ids[2], 2_000): 1}
    assert run.fold.ledger.counted == 5


def test_the_predecessors_last_panes_are_sent_although_it_retires_in_the_same_batch() -> None:
    #  promoted at 1_000; then silence until long after the predecessor's end
    worker = Worker(ONE, TWO)
    worker.wants = plan(ONE)
    run = Run(log_of([500, 1_000, 60_000]), worker)
    run.take(0, 2)
    worker.wants = plan(TWO)
    settle(run.fold)
    one = run.fold.plan.active[0].definition.id
    run.take(2, 3)
    assert [a.definition.baseline.number for a in run.fold.plan.active] == [2]
    run.send()
    assert [(d == one, start - START_MS) for d, start in closed(run.sent)] == [(True, 0), (True, 1_000)]
    assert one in partials(run.sent)[-1].definitions


def test_a_definition_that_a_third_one_pushed_out_leaves_no_register_behind() -> None:
    three = baseline(3, edges=(0.3,))
    worker = Worker(ONE, TWO, three)
    run = Run(log_of([500, 600, 700]), worker)
    for offset, wanted in enumerate((ONE, TWO, three)):
        worker.wants = plan(wanted)
        settle(run.fold)
        run.take(offset, offset + 1)
    before = state(run.fold)
    run.crash()
    assert state(run.fold) == before


def test_a_row_is_counted_if_either_definition_takes_it() -> None:
    #  the successor's panes are shorter: for it 1_500 comes late behind 2_900, for the predecessor it does not
    #  ms      0         1000      2000      3000
    #  one    [0                                      4000)
    #  two              [1000 )   [2000 )
    worker = Worker(ONE)
    worker.wants = plan(ONE, counting=settings(pane_ms=4_000), window_ms=8_000)
    run = Run(log_of([500, 2_100, 2_900, 1_500]), worker)
    run.take(0, 1)
    worker.wants = plan(ONE, counting=settings(pane_ms=1_000), window_ms=8_000)
    settle(run.fold)
    run.take(1, 4)
    assert (run.fold.ledger.counted, run.fold.ledger.late) == (4, 0)


def test_messages_that_only_the_predecessor_accepts_do_not_stop_it() -> None:
    # The second baseline has a score, which must lie in [0, 1]; the first has none.
    without = msgspec.structs.replace(ONE, answer=None, series=ONE.series[:-1])
    worker = Worker(without, TWO)
    worker.wants = plan(without)
    log = MemoryLog()
    for at_ms, score in ((500, 0.5), (700, 7.0), (900, 0.5)):
        log.put(PREDICTIONS, prediction(at_ms, score=score), timestamp_ms=START_MS)
    states = []
    for cut in ([(1, 2), (2, 3)], [(1, 3)]):
        run = Run(log, worker)
        worker.wants = plan(without)
        settle(run.fold)
        run.take(0, 1)
        worker.wants = plan(TWO)
        settle(run.fold)
        for start, stop in cut:
            run.take(start, stop)
        states.append(state(run.fold))
        worker.wants = plan(without)
    assert states[0] == states[1]


def test_panes_of_a_zombie_that_activated_elsewhere_are_not_restored() -> None:
    #  the zombie activated at 0 and counted pane 0; the `@` says: from pane 1_000 on
    worker = Worker(ONE)
    zombie = run_of(500, worker=worker)
    worker.wants = plan()
    owner = Run(log_of([500, 999]), worker)
    owner.take(0, 1)
    worker.wants = plan(ONE)
    settle(owner.fold)
    owner.take(1, 2)
    restored = worker.count()
    restored.restore(2, owner.fold.progress(), [*zombie.fold.live(), *owner.fold.live()])
    assert state(restored) == state(owner.fold)
