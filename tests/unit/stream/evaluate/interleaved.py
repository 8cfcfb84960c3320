"""Evaluate hears two sources in any interleaving and between crashes: it must come to the same."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from stream.baselines.baseline import Baseline
from stream.records.partial import Partial, decode_partial
from stream.records.settings import CountingSettings
from stream.records.source import Source
from tests.memory_log import MemoryLog
from tests.small_model import START_MS, Worker, plan
from tests.unit.stream.evaluate.partials import Evaluate

Plan = tuple[Baseline, CountingSettings]


def said_by_count(
    messages: Sequence[bytes], source: int, checkpoints: set[int], promotion: int, plans: tuple[Plan, Plan]
) -> list[Partial]:
    """What count says of a source of these predictions, with checkpoints behind some and behind the last of them.

    The record at offset `promotion` is the first that comes under the second plan.
    """
    worker, log, at = Worker(*(of for of, _ in plans)), MemoryLog(), Source("predictions", source)
    first, second = (plan(of, counting=counted) for of, counted in plans)
    worker.wants = first
    fold = worker.count(at, sources=2)
    fold.activate(fold.proposal() or b"")
    outputs = list(fold.outputs())
    for offset, message in enumerate(messages):
        log.put(at, message, timestamp_ms=START_MS)
        if offset == promotion:
            worker.wants = second
            fold.activate(fold.proposal() or b"")
        fold.fold(log.batch(at, offset, offset + 1))
        if offset in checkpoints or offset == len(messages) - 1:
            outputs += fold.outputs()
    return [decode_partial(o.value) for o in outputs if o.value is not None and o.to.topic == "partials"]


def is_the_same_interleaved(
    evaluate: Callable[[], Evaluate],
    plain: Iterable[list[Partial]],
    queues: list[list[Partial]],
    random: Random,
    *,
    crashes: bool,
) -> None:
    """One source after the other, or both mixed with crashes between: the reports and alerts are equal."""
    in_turn, shuffled = evaluate(), evaluate()
    for partials in plain:
        in_turn.hears(*partials)
    while any(queues):
        queue = random.choice([q for q in queues if q])
        shuffled.hears(queue.pop(0))
        if crashes and random.random() < 0.3:
            before: Any = shuffled.state()
            shuffled.crash()
            assert shuffled.state() == before
    assert shuffled.reports == in_turn.reports
    assert shuffled.alerts == in_turn.alerts
