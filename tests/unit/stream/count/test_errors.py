"""Count: answers that failed in the registers and in the ledger, exact after every crash and cut."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.layout import Layout
from stream.baselines.status_counters import StatusCounts
from stream.records.partial import unpack_counts
from tests.memory_log import MemoryLog
from tests.small_model import Worker, baseline, cuts_of, plan, settings
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

COUNTING = msgspec.structs.replace(settings(), errors=True)
LAYOUT = Layout(ONE, errors=True)

# Time in ms and status of each message.
answers = st.lists(
    st.tuples(st.integers(0, 20_000), st.sampled_from([None, "ok", "timeout", "error", 500])), min_size=1, max_size=25
)


def log_of(rows: Rows) -> MemoryLog:
    return log_saying("status", rows)


def whole(rows: Rows) -> Run:
    """Taken in one batch, and all panes closed by a message far behind."""
    return taken_whole(log_of([*rows, (100_000, None)]), worker_of(COUNTING))


@given(answers)
def test_registers_and_ledger_hold_what_was_counted(rows: Rows) -> None:
    run, counted = whole(rows), on_time(rows)
    total = sum((unpack_counts(counts) for counts in closed(run.sent).values()), np.zeros(LAYOUT.width, np.int64))
    failed = sum(status in ("timeout", "error") for status in counted)
    assert StatusCounts.of(LAYOUT.status_counts(total)) == StatusCounts(
        ok=sum(status in ("ok", None) for status in counted), failed=failed, bad=counted.count(500)
    )
    assert run.fold.ledger.failed == ({"m": {"0": failed}} if failed else {})


@given(answers, st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)))
def test_no_cutting_and_no_crash_changes_anything(rows: Rows, ends: set[int], crashes: set[int]) -> None:
    runs = []
    for cut in (set[int](), ends | crashes):
        run = Run(log_of(rows), worker_of(COUNTING))
        for start, stop in cuts_of(len(rows), cut.__contains__):
            run.take(start, stop)
            if cut and stop in crashes:
                run.send()
                run.crash()
        run.send()
        runs.append(run)
    assert state(runs[0].fold) == state(runs[1].fold)
    assert closed(runs[0].sent) == closed(runs[1].sent)


def test_a_promotion_counts_no_failure_twice() -> None:
    """While two definitions count side by side, one ledger does."""
    run = Run(log_of([(at_ms, "timeout") for at_ms in range(0, 9_000, 500)]), worker_of(COUNTING))
    run.take(0, 6)
    run.worker.wants = plan(TWO, counting=COUNTING)
    settle(run.fold)
    run.take(6, 18)
    assert run.fold.ledger.failed == {"m": {"0": 18}}


def test_without_the_check_nothing_is_counted_and_nothing_is_wider() -> None:
    worker = Worker(ONE)
    worker.wants = plan(ONE)
    run = Run(log_of([(0, "timeout"), (5_000, "timeout")]), worker)
    run.take(0, 2)
    run.send()
    assert run.fold.ledger.failed == {}
    assert {len(unpack_counts(c)) for c in closed(run.sent).values()} == {Layout(baseline()).width}


def test_ledgers_of_partitions_add_up() -> None:
    one, other = (whole([(0, status)]).fold.ledger for status in ("timeout", "error"))
    assert one.plus(other).failed == {"m": {"0": 2}}
