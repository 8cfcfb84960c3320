"""Count: latencies in the registers and violations in the ledger, exact after every crash and cut."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.layout import Layout
from stream.records.partial import unpack_counts
from tests.memory_log import MemoryLog
from tests.small_model import baseline, cuts_of, plan, settings
from tests.unit.stream.count.run import (
    ONE,
    TWO,
    Rows,
    Run,
    closed,
    log_saying,
    on_time,
    settle,
    state,
    taken_whole,
    worker_of,
)

SLA_MS = 250
TIMED = msgspec.structs.replace(settings(), latency_sla_ms=SLA_MS)
LAYOUT = Layout(ONE, latency_sla_ms=SLA_MS)

# Time in ms and latency of each message; a latency that is a text is bad.
answers = st.lists(
    st.tuples(st.integers(0, 20_000), st.sampled_from([None, "slow", -1, 0, 100, 250, 250.001, 900, 1e9])),
    min_size=1,
    max_size=25,
)


def promoted_at(run: Run, offset: int, start: int) -> None:
    """At an offset the worker wants the second baseline too, with the same check."""
    if start == offset:
        run.worker.wants = plan(TWO, counting=TIMED)
        settle(run.fold)


def log_of(rows: Rows) -> MemoryLog:
    return log_saying("latency_ms", rows)


def whole(rows: Rows) -> Run:
    """Taken in one batch, and all panes closed by a message far behind."""
    return taken_whole(log_of([*rows, (100_000, None)]), worker_of(TIMED))


def is_over(latency: object) -> bool:
    return isinstance(latency, int | float) and latency > SLA_MS


@given(answers)
def test_registers_and_ledger_hold_what_was_counted(rows: Rows) -> None:
    run = whole(rows)
    total = sum((unpack_counts(counts) for counts in closed(run.sent).values()), np.zeros(LAYOUT.width, np.int64))
    assert LAYOUT.latency is not None
    own, counted = LAYOUT.latency_counts(total), on_time(rows)
    over = sum(map(is_over, counted))
    assert LAYOUT.latency.violations(own) == over
    assert own[-2:].tolist() == [counted.count(None), sum(latency in ("slow", -1) for latency in counted)]
    assert run.fold.ledger.over_sla == ({"m": {"0": over}} if over else {})
    assert run.fold.ledger.balance() == 0


@given(answers, st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)), st.integers(0, 25))
def test_no_cutting_and_no_crash_changes_anything(
    rows: Rows, ends: set[int], crashes: set[int], promotion: int
) -> None:
    runs = []
    for cut in ({promotion}, ends | crashes | {promotion}):
        run = Run(log_of(rows), worker_of(TIMED))
        for start, stop in cuts_of(len(rows), cut.__contains__):
            promoted_at(run, promotion, start)
            run.take(start, stop)
            if stop in crashes and cut != {promotion}:
                run.send()
                run.crash()
        run.send()
        runs.append(run)
    assert state(runs[0].fold) == state(runs[1].fold)
    assert closed(runs[0].sent) == closed(runs[1].sent)


def test_a_promotion_counts_no_violation_twice() -> None:
    """While two definitions count side by side, one ledger does."""
    run = Run(log_of([(at_ms, 900) for at_ms in range(0, 9_000, 500)]), worker_of(TIMED))
    for start, stop in cuts_of(18, {6}.__contains__):
        promoted_at(run, 6, start)
        run.take(start, stop)
    assert run.fold.ledger.over_sla == {"m": {"0": 18}}


def test_without_the_check_nothing_is_counted_and_nothing_is_wider() -> None:
    run = Run(log_of([(0, 900), (5_000, 900)]), worker_of(settings()))
    run.take(0, 2)
    run.send()
    assert run.fold.ledger.over_sla == {}
    assert {len(unpack_counts(c)) for c in closed(run.sent).values()} == {Layout(baseline()).width}


def test_ledgers_of_partitions_add_up() -> None:
    one, other = (whole([(0, latency)]).fold.ledger for latency in (900, 901))
    assert one.plus(other).over_sla == {"m": {"0": 2}}
