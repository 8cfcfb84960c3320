"""One process: its owners, its consumer with all of Kafka's and Faust's habits, its place in the registry.

What it does with an owner is what the service does: take, seek, offer; checkpoints from a timer
beside the folding; an idle check of a source that was read to its end.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from stream.alerts.request_book import RequestBook
from stream.alerts.silences import Requests
from stream.baselines.baseline import Baseline
from stream.durable.owner import Owner
from stream.ingest.plan import Plan
from stream.records.source import Message, MessageBatch, Source
from tests.simulation.kernel import Task, pause
from tests.simulation.log import Client
from tests.simulation.recorded import changelog_of, recorded_fold

if TYPE_CHECKING:
    from tests.simulation.world import World

SILENCES: Final = Source("silences", 0)


class Consumer:
    """Fetches of one partition: cut at random, read ahead, lost at random, stale after a seek."""

    def __init__(self, world: "World", source: Source) -> None:
        self._world = world
        self._source = source
        self._position = 0
        self._fetched: deque[MessageBatch] = deque()
        self._previous_end: int | None = None

    def ready(self) -> bool:
        """Whether there is something to hand out."""
        return bool(self._fetched) or self._world.cluster.partition(self._source).first_at(self._position) is not None

    def seek(self, offset: int) -> None:
        """Read on from there; what was fetched before may still come."""
        self._position = offset
        if self._world.random.random() < 0.5:
            self._fetched.clear()

    def next(self) -> MessageBatch | None:
        """The next batch; None if it got lost."""
        random = self._world.random
        for _ in range(random.choice((0, 1, 1, 2))):
            self._fetch()
        if not self._fetched:
            return None
        batch = self._fetched.popleft()
        return None if random.random() < self._world.cluster.faults.lose_batch else batch

    def _fetch(self) -> None:
        partition = self._world.cluster.partition(self._source)
        self._position = max(self._position, partition.begin)
        messages: list[Message] = []
        size = self._world.random.choice((1, 2, 3, 5, 8, 20))
        while len(messages) < size and (message := partition.first_at(self._position)) is not None:
            messages.append(message)
            self._position = message.offset + 1
        if messages:
            self._fetched.append(batch := message_batch(self._source, messages, self._previous_end))
            self._previous_end = batch.end


def message_batch(source: Source, messages: list[Message], previous_end: int | None) -> MessageBatch:
    """As `stream.service.fetch_scheduler` packs and stamps them."""
    first = messages[0].offset
    return MessageBatch(
        source=source,
        begin=first,
        chained=first == previous_end,
        offsets=np.array([m.offset for m in messages], np.int64),
        timestamps_ms=np.array([m.timestamp_ms for m in messages], np.int64),
        values=[m.value for m in messages],
    )


class Holder:
    """One partition in the hands of one process, which may be wrong about that: then it is a zombie."""

    def __init__(self, world: "World", worker: "Worker", source: Source) -> None:
        self.worker = worker
        self.source = source
        self.hears_people = source.topic in ("predictions", "labels")  # not only what other folds say
        self.taken = False
        self._world = world
        self.client = Client(world.cluster)
        self.consumer = Consumer(world, source)
        self.fold = recorded_fold(world, worker, source)
        self.owner = Owner(
            fold=self.fold,
            log=self.client,
            source=source,
            changelog=changelog_of(source),
            learn=worker.learn,
            min_snapshot_bytes=world.shape.min_snapshot_bytes,
        )
        self.name = f"{worker.name} {source}"
        self.tasks = [Task(self.name, self._run(world))]

    async def _run(self, world: "World") -> None:
        if world.calm or world.random.random() < 0.5:
            self.worker.seen = len(world.registered)  # `baselines` has been read to its end; else the reader is slow
        self.worker.hear()
        acknowledged = world.testimony.acknowledged.get(self.source)
        start = await self.owner.take(getattr(self.fold, "set_incarnation", None))
        if acknowledged is not None:
            assert self.restored, f"{self.name}: the acknowledged @ = {acknowledged} is forgotten"
            assert world.shape.zombies or start >= acknowledged, f"{self.name}: back to {start} from @ = {acknowledged}"
        self.consumer.seek(start)
        self.taken = True
        while True:
            await pause("fetch", self.consumer.ready)
            batch = self.consumer.next()
            if batch is not None and (seek_to := await self.owner.offer(batch)) is not None:
                self.consumer.seek(seek_to)

    def begin(self, what: str) -> None:
        """Let a timer fire."""
        if self.taken and len(self.tasks) < 4:
            work = {"checkpoint": self._checkpoint, "settle": self.owner.settle, "idle": self._check_idle}[what]
            self.tasks.append(Task(f"{self.name} {what}", work()))

    async def _check_idle(self) -> None:
        if not self.hears_people:
            return
        partition = self._world.cluster.partition(self.source)
        held = partition.kept(0, partition.end)
        must_have_read = held[-1].offset + 1 if held else partition.begin
        if await self.owner.at_end():
            assert self.fold.next_offset >= must_have_read, f"{self.source} is called idle, but was not read to its end"
            self.fold.quiet()
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        offset = await self.owner.checkpoint()
        self._world.testimony.acknowledge(self.source, offset)

    @property
    def restored(self) -> bool:
        """Whether its state came from a changelog."""
        return self.fold.restored

    def behind(self) -> bool:
        """Whether there are records that it has not folded."""
        return self._world.cluster.partition(self.source).first_at(self.fold.next_offset) is not None

    def give_way(self) -> None:
        """A zombie drops its partition; one that still has it takes it again."""
        self.stop()
        if self._world.holder_of[self.source] is self:
            self._world.holder_of[self.source] = again = Holder(self._world, self.worker, self.source)
            self.worker.holders.append(again)

    def stop(self) -> None:
        """The process drops what it knows of the partition; what it has sent may still land, in part."""
        for task in self.tasks:
            task.crash()
        self.tasks.clear()
        self.worker.holders.remove(self)
        self._world.cluster.drop(self.client)


class Worker:
    """One process."""

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.paused = False
        self.holders: list[Holder] = []
        self.seen = world.known_from_start  # how many entries of `baselines` it has read
        self._heard = 0  # to where it has read `silences`
        self._book = RequestBook()
        self._world = world

    def wanted(self) -> Plan:
        """What it would count with, from what it has read; the same object until it has read more."""
        return self._world.plan_after(self.seen)

    def find_baseline(self, baseline_id: str) -> Baseline | None:
        """A baseline that it has read."""
        return next((b for b in self._world.registered[: self.seen] if b.id == baseline_id), None)

    def hear(self) -> None:
        """Read to its end what people say of alerts."""
        partition = self._world.cluster.partition(SILENCES)
        for message in partition.kept(self._heard, partition.end):
            self._heard = message.offset + 1
            self._book.add(message)

    def requests(self) -> Requests:
        """What it has read of it."""
        return self._book.requests

    async def learn(self, what: str) -> None:
        """Wait until more of `baselines` has been read."""
        seen = self.seen
        await pause(f"learn {what}", lambda: self.seen > seen)

    def tasks(self) -> list[Task]:
        """What it is doing."""
        return [] if self.paused else [task for holder in self.holders for task in holder.tasks]

    def kill(self) -> None:
        """`kill -9`: nothing more is done; what was sent may still land, in part."""
        for holder in list(self.holders):
            holder.stop()
