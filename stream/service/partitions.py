"""What the consumer group gave to this worker: told when it changes, placed where its owner says.

The life of a partition here:
1. `on_taken` is awaited after each rebalance, once Faust's own seeks are over, with every packed
   partition that this worker has now. It restores the owners and calls `seek` for each. A new
   rebalance cancels it.
2. Batches of a partition arrive before its owner is there: the owner's agent drops them, since
   the seek fetches them again.
3. `on_given_up` is awaited while the partitions are still ours: the last checkpoint. Kafka waits
   for it up to the rebalance timeout; a later write of ours is a zombie's. All partitions are
   given up and taken again at each rebalance (Kafka's eager protocol).

A batch that begins beyond its owner's next offset was preceded by one that Faust dropped, or by
offsets without records; see `fetch_scheduler`. Nothing is dropped without a rebalance or a pause,
so a quiet partition cannot hide a loss: after both, a seek follows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from faust.types import TP

from stream.records.source import Source
from stream.service.app import App, ending_the_process
from stream.service.transport import WorkerConsumer

log = logging.getLogger("driftline.partitions")

Change = Callable[[frozenset[Source]], Awaitable[None]]


class Partitions:
    """The packed partitions of one app.

    Args:
        app: before it is started.
        topics: those that count; the others are Faust's business.
        on_taken: awaited with all partitions that we have now.
        on_given_up: awaited with all partitions that we had.
    """

    def __init__(self, app: App, topics: Iterable[str], *, on_taken: Change, on_given_up: Change) -> None:
        self._app = app
        self._topics = frozenset(topics)
        self._on_taken = on_taken
        self._on_given_up = on_given_up
        self._taking: asyncio.Task[None] | None = None
        self._stopped = False
        self.owned: frozenset[Source] = frozenset()
        self.generation = -1  # counts the group's rebalances; -1: not a member, or one is under way
        app.after_rebalance = self._take
        app.on_partitions_revoked.connect(self._give_up)

    async def stop(self) -> None:
        """Give everything up for good: what the group still says, while the app stops, is not heard."""
        self._stopped = True
        await self._give_up()

    async def seek(self, offsets: Mapping[Source, int]) -> None:
        """The next batch of each begins at the offset, or a stale one comes first."""
        await self._app.consumer.seek_wait({_tp(source): offset for source, offset in offsets.items()})

    def pause(self, source: Source) -> None:
        """Hand out nothing of it; batches under way may still come, others are dropped."""
        self._app.consumer.pause_partitions({_tp(source)})

    async def resume(self, source: Source, offset: int) -> None:
        """Hand it out again, from `offset`: the owner's next one, since a pause drops batches."""
        await self.seek({source: offset})
        self._app.consumer.resume_partitions({_tp(source)})

    async def commit_hint(self, offsets: Mapping[Source, int]) -> None:
        """Commit to the group, for Kafka's lag tools and for where Faust starts; nothing depends on it."""
        consumer = self._app.consumer
        assert isinstance(consumer, WorkerConsumer)
        await consumer.commit_hint({_tp(source): offset for source, offset in offsets.items()})

    def _take(self) -> None:
        if self._stopped:
            return
        assignment = self._app.consumer.assignment()
        self.generation = self._app.consumer_generation_id
        self.owned = frozenset(Source(tp.topic, tp.partition) for tp in assignment if tp.topic in self._topics)
        log.info("partitions taken", extra={"generation": self.generation, "partitions": sorted(map(str, self.owned))})
        self._taking = asyncio.get_running_loop().create_task(self._taken(self.owned))

    async def _taken(self, owned: frozenset[Source]) -> None:
        with ending_the_process():
            await self._on_taken(owned)

    async def _give_up(self, *_: Any, **__: Any) -> None:
        with ending_the_process():
            if self._taking:
                self._taking.cancel()
                await asyncio.wait([self._taking])
            given_up, self.owned, self._taking = self.owned, frozenset(), None
            self.generation = -1  # until the group has agreed again, or a worker would seem ready in between
            if given_up:
                log.info("partitions given up", extra={"partitions": sorted(map(str, given_up))})
            await self._on_given_up(given_up)


def _tp(source: Source) -> TP:
    return TP(source.topic, source.partition)
