"""One partition's fetch becomes ONE Faust message, whose value is a `MessageBatch`.

Why: Faust makes two tasks for every message (7 to 10 thousand events/s a core, whatever the
agent does); with a message a fetch it is out of the way (200 thousand/s). This uses Faust's
public setting `App(ConsumerScheduler=...)`. Topics that are not packed are handed out as Faust does.

The stamp: a batch says whether it begins where the batch before it of its partition ended
(`chained`), as this scheduler saw them. It is made for all partitions of a fetch before the
first is handed out, since Faust abandons the rest of a fetch at a rebalance or a pause.
It is a hint and no proof: a fetch can get lost between Kafka's client and here. What its owner
must do with any batch that begins beyond the owner's next offset: ask a plain reader
(`Log.first_at`) whether the batch's begin is the next offset that there is (transaction
markers, compacted input); if not, drop the batch and seek back (`Partitions.seek`).

Size of a batch: what one fetch brings of a partition, at most `FETCH_BYTES` as sent
(compressed, perhaps) and at most `RECORDS_PER_FETCH` records over all partitions; 400 B of JSON
give about 10,000 records.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import numpy as np
from aiokafka import ConsumerRecord
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from stream.records.source import MessageBatch, Source

FETCH_BYTES: Final = 4 * 1024 * 1024  # Faust's `consumer_max_fetch_size`, per partition
RECORDS_PER_FETCH: Final = 20_000  # Faust's `broker_max_poll_records`; bounds what a compressed fetch can unfold to

_OFFSET: Final = attrgetter("offset")
_TIMESTAMP: Final = attrgetter("timestamp")
_VALUE: Final = attrgetter("value")

Records = Sequence[ConsumerRecord[Any, Any]]


class FetchScheduler(DefaultSchedulingStrategy):
    """Packs the fetches of the topics it is told; give Faust `functools.partial(FetchScheduler, topics)`."""

    def __init__(self, packed_topics: Iterable[str]) -> None:
        self._packed_topics = frozenset(packed_topics)
        self._ends: dict[TP, int] = {}  # where the last batch of a partition ended

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Faust's hook: the messages of one fetch, in the order of delivery."""
        packed = {
            partition: [self._pack(partition, fetched)] if partition.topic in self._packed_topics else fetched
            for partition, fetched in records.items()
            if fetched
        }
        return super().iterate(packed)

    def _pack(self, partition: TP, fetched: Records) -> ConsumerRecord[Any, Any]:
        batch = message_batch(Source(partition.topic, partition.partition), fetched, self._ends.get(partition))
        self._ends[partition] = batch.end
        return dataclasses.replace(fetched[-1], key=None, value=batch)


def message_batch(source: Source, fetched: Records, previous_end: int | None) -> MessageBatch:
    """The records of one fetch as columns; `previous_end`: where the batch before it ended, if there was one."""
    first = fetched[0].offset
    return MessageBatch(
        source=source,
        begin=first,
        chained=first == previous_end,
        offsets=np.fromiter(map(_OFFSET, fetched), np.int64, len(fetched)),
        timestamps_ms=np.fromiter(map(_TIMESTAMP, fetched), np.int64, len(fetched)),
        values=list(map(_VALUE, fetched)),
    )
