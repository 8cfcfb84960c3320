"""Fetches become batches, and a batch says whether it follows on the one before."""

from typing import Any

from aiokafka import ConsumerRecord
from faust.types import TP

from stream.records.source import MessageBatch, Source
from stream.service.fetch_scheduler import FetchScheduler

ZERO, ONE, OTHER = TP("in", 0), TP("in", 1), TP("other", 0)


def record(tp: TP, offset: int) -> Any:
    """A record as aiokafka hands it out."""
    value = b"%d" % offset
    return ConsumerRecord(tp.topic, tp.partition, offset, 1_000 + offset, 0, None, value, None, 0, len(value), ())


def fetch(tp: TP, *offsets: int) -> dict[TP, list[Any]]:
    """A fetch of one partition."""
    return {tp: [record(tp, offset) for offset in offsets]}


def batches(scheduler: FetchScheduler, records: dict[TP, list[Any]]) -> list[MessageBatch]:
    """What an agent of a packed topic gets."""
    return [message.value for _, message in scheduler.iterate(records)]


def test_a_fetch_of_a_packed_topic_is_one_message_that_carries_everything() -> None:
    [(tp, message)] = FetchScheduler(["in"]).iterate(fetch(ZERO, 5, 6, 9))

    batch = message.value
    assert tp == ZERO
    assert message.offset == 9
    assert batch.source == Source("in", 0)
    assert (batch.begin, batch.end) == (5, 10)
    assert batch.offsets.tolist() == [5, 6, 9]
    assert batch.timestamps_ms.tolist() == [1_005, 1_006, 1_009]
    assert batch.values == [b"5", b"6", b"9"]


def test_other_topics_are_handed_out_record_by_record() -> None:
    handed_out = list(FetchScheduler(["in"]).iterate({**fetch(OTHER, 1, 2), **fetch(ZERO, 7, 8)}))

    assert [message.value for tp, message in handed_out if tp == OTHER] == [b"1", b"2"]
    assert len([tp for tp, _ in handed_out if tp == ZERO]) == 1


def test_a_batch_is_chained_where_the_one_before_it_ended() -> None:
    scheduler = FetchScheduler(["in"])
    # offsets:  [0 1 2)[2 3) .. [5 6)   [1 2)
    chained = [batches(scheduler, fetch(ZERO, *o))[0].chained for o in ([0, 1], [2], [5], [1])]

    assert chained == [False, True, False, False]


def test_partitions_are_chained_apart() -> None:
    scheduler = FetchScheduler(["in"])
    batches(scheduler, {**fetch(ZERO, 0, 1), **fetch(ONE, 0)})

    zero, one = batches(scheduler, {**fetch(ZERO, 2), **fetch(ONE, 2)})

    assert (zero.source.partition, zero.chained) == (0, True)
    assert (one.source.partition, one.chained) == (1, False)


def test_a_batch_that_faust_abandons_leaves_a_gap_that_shows() -> None:
    scheduler = FetchScheduler(["in"])
    next(iter(scheduler.iterate({**fetch(ZERO, 0, 1), **fetch(ONE, 0, 1)})))  # ONE is never handed out

    [after] = batches(scheduler, fetch(ONE, 2, 3))

    # Its owner still waits for 0: the begin tells it.
    assert after.begin == 2


def test_a_fetch_of_nothing_makes_no_batch() -> None:
    assert batches(FetchScheduler(["in"]), {ZERO: []}) == []
