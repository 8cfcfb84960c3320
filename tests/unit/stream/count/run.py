"""A count under way, with everything that it has sent."""

from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

from stream.count.counter import CountFold
from stream.durable.log import Outgoing
from stream.records.partial import Partial, decode_partial
from stream.records.settings import CountingSettings
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, Worker, baseline, plan, prediction

ONE, TWO = baseline(1), baseline(2, edges=(0.1, 0.9))
Rows = list[tuple[int, object]]  # time in ms, and what the message says besides
SERIES = 3  # each row has one entry in each

# event times in ms: in and out of order, with gaps and jumps; None: a message that is no prediction
times = st.lists(st.none() | st.integers(0, 20_000), min_size=1, max_size=25)


def log_of(times: Sequence[int | None], *, array_at: frozenset[int] = frozenset()) -> MemoryLog:
    log = MemoryLog()
    for i, at_ms in enumerate(times):
        value = b"{oops" if at_ms is None else prediction(at_ms, x=i / 25)
        if i in array_at:
            value = b"[" + value + b"," + prediction(0 if at_ms is None else at_ms // 2) + b"]"
        log.put(PREDICTIONS, value, timestamp_ms=START_MS)
    return log


def settle(fold: CountFold) -> None:
    """Let the worker's plan take effect, as an owner does between two batches."""
    proposal = fold.proposal()
    if proposal is not None:
        fold.activate(proposal)


def partials(outputs: Sequence[Outgoing], topic: str = "partials") -> list[Partial]:
    return [decode_partial(o.value) for o in outputs if o.to.topic == topic and o.value is not None]


def closed(outputs: Sequence[Outgoing]) -> dict[tuple[str, int], bytes]:
    """The counts of each pane that was sent; one that comes twice must be the same."""
    panes: dict[tuple[str, int], bytes] = {}
    for partial in partials(outputs):
        for part in partial.panes if not partial.provisional else ():
            assert panes.setdefault((part.definition, part.start_ms), part.counts) == part.counts
    return panes


def state(fold: CountFold) -> tuple[Any, ...]:
    return fold.next_offset, fold.progress(), fold.live()


class Run:
    """A fold under way, with everything that it has sent."""

    def __init__(self, log: MemoryLog, worker: Worker) -> None:
        self.log, self.worker = log, worker
        self.fold = worker.count()
        self.sent: list[Outgoing] = []
        settle(self.fold)

    def take(self, start: int, stop: int) -> None:
        self.fold.fold(self.log.batch(PREDICTIONS, start, stop))

    def send(self) -> None:
        self.sent += self.fold.outputs()

    def crash(self) -> None:
        """A new owner restores what this one had made durable just now."""
        progress, registers = self.fold.progress(), self.fold.live()
        restored = self.worker.count()
        restored.restore(self.fold.next_offset, progress, registers)
        self.fold = restored


def promoted_at(run: Run, offset: int, start: int) -> None:
    """At an offset the worker wants the second baseline too."""
    if start == offset:
        run.worker.wants = plan(TWO)
        settle(run.fold)


def worker_of(counting: CountingSettings) -> Worker:
    """It wants the first of two baselines, counted with these settings."""
    worker = Worker(ONE, TWO)
    worker.wants = plan(ONE, counting=counting)
    return worker


def taken_whole(log: MemoryLog, worker: Worker) -> Run:
    """The whole log in one batch, and sent; panes are closed if its last message lies far behind."""
    run = Run(log, worker)
    run.take(0, len(log.records[PREDICTIONS]))
    run.send()
    return run


def log_saying(field: str, rows: Rows) -> MemoryLog:
    """Messages that have a field more."""
    log = MemoryLog()
    for at_ms, value in rows:
        said = {"model": "m", "ts": START_MS + at_ms, "score": 0.5, "features": {"x": 0.1, "c": "a"}}
        log.put(PREDICTIONS, orjson.dumps(said | {field: value}), timestamp_ms=START_MS)
    return log


def on_time(rows: Rows) -> list[object]:
    """What the rows say that are counted: their pane had not closed."""
    newest, counted = 0, []
    for at_ms, value in rows:
        newest = max(newest, at_ms)
        if at_ms - at_ms % 1_000 + 1_000 > newest:
            counted.append(value)
    return counted


def run_of(*times_ms: int | None, worker: Worker | None = None) -> Run:
    run = Run(log_of(times_ms), worker or Worker(ONE))
    run.take(0, len(times_ms))
    return run
