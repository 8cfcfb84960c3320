"""A cluster in memory whose every delay, failure and repetition is a choice of the scheduler.

`Cluster` holds the partitions; `Client` is one owner's connection to it and implements
`stream.durable.log.Log`. What a client sends waits in one queue per partition, as in Kafka's
producer, until the scheduler lets the next record land: in order within a partition, in any
order between partitions, at any time, also after the process has died.
"""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from random import Random

from stream.durable.log import Outgoing
from stream.records.source import Message, Source
from tests.simulation.kernel import pause


class SendFailed(Exception):
    """The broker did not acknowledge: the record may have been written, or not."""


@dataclass
class Partition:
    """One partition: offset = position; None is an offset without a record (a transaction's marker)."""

    entries: list[Message | None] = field(default_factory=list)
    begin: int = 0

    @property
    def end(self) -> int:
        """The offset that the next record will have."""
        return len(self.entries)

    def append(self, record: Outgoing) -> None:
        """Write one record."""
        self.entries.append(
            Message(offset=self.end, timestamp_ms=0, key=record.key, value=record.value, headers=record.headers)
        )

    def first_at(self, offset: int) -> Message | None:
        """The first record at or after an offset that is still kept."""
        for at in range(max(offset, self.begin), self.end):
            if (message := self.entries[at]) is not None:
                return message
        return None

    def kept(self, start: int, end: int) -> list[Message]:
        """The records in [start, end) that are still kept."""
        return [m for m in self.entries[max(start, self.begin) : end] if m is not None]


@dataclass(eq=False)
class _Send:
    """One call of `send`, under way."""

    missing: int
    failed: bool = False

    def settled(self) -> bool:
        return self.failed or self.missing == 0


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong goes wrong, as shares of the sends, reads and deliveries."""

    fail: float = 0.0
    repeat: float = 0.0
    low_end: float = 0.0
    lose_batch: float = 0.0
    land_late: float = 0.0  # of a dead process's sends, after its death


class Cluster:
    """All partitions, and what is on its way to them."""

    def __init__(self, random: Random, faults: Faults) -> None:
        self.random = random
        self.faults = faults
        self.partitions: dict[Source, Partition] = {}
        self.under_way: list[tuple[Source, deque[tuple[Outgoing, _Send]]]] = []  # queues that are not empty

    def partition(self, source: Source) -> Partition:
        """The partition, made at its first use."""
        held = self.partitions.get(source)
        if held is None:
            held = self.partitions[source] = Partition()
        return held

    def records(self, source: Source) -> list[Message]:
        """Everything ever written that is still kept."""
        partition = self.partition(source)
        return partition.kept(0, partition.end)

    def land(self, position: int) -> str:
        """Let the next record of one queue be written, written twice, or fail; what happened, in words."""
        source, queue = self.under_way[position]
        record, send = queue.popleft()
        if not queue:
            del self.under_way[position]
        fails = self.random.random() < self.faults.fail
        written = not fails or self.random.random() < 0.5
        twice = written and self.random.random() < self.faults.repeat
        for _ in range(written + twice):
            self.partition(source).append(record)
        send.missing -= 1
        send.failed |= fails
        return f"{source} {'+' * (written + twice)}{'!' * fails}"

    def drop(self, client: "Client") -> None:
        """A process died: of each of its queues some first records may still land, the others never."""
        for source, queue in client.queues.items():
            if not queue:
                continue
            keep = self.random.randint(0, len(queue)) if self.random.random() < self.faults.land_late else 0
            while len(queue) > keep:
                queue.pop()
            if not queue:
                self.under_way = [u for u in self.under_way if u[1] is not queue]
            client.queues[source] = deque()


class Client:
    """One connection: the `Log` that an owner sees."""

    def __init__(self, cluster: Cluster) -> None:
        self.queues: dict[Source, deque[tuple[Outgoing, _Send]]] = {}
        self.cluster = cluster

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Queue all and wait until each has landed; raises if one has failed."""
        await pause("send")
        if not records:
            return
        send = _Send(len(records))
        for record in records:
            queue = self.queues.get(record.to)
            if queue is None:
                queue = self.queues[record.to] = deque()
            if not queue:
                self.cluster.under_way.append((record.to, queue))
            queue.append((record, send))
        await pause("hear of the send", send.settled)
        if send.failed:
            raise SendFailed(str(records[0].to))

    async def begin(self, source: Source) -> int:
        """The first offset kept."""
        await pause("ask for the begin")
        begin = self.cluster.partition(source).begin
        await self._perhaps_pause("hear the begin")
        return begin

    async def end(self, source: Source) -> int:
        """The end, or a little less, as the embedded broker says it."""
        await pause("ask for the end")
        partition = self.cluster.partition(source)
        low = self.cluster.random.random() < self.cluster.faults.low_end
        end = max(partition.end - low * self.cluster.random.randint(1, 3), 0)
        await self._perhaps_pause("hear the end")
        return end

    async def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
        """Up to the true end at the call; what is trimmed meanwhile is not read."""
        await pause("read")
        partition = self.cluster.partition(source)
        at, end = max(start, partition.begin), partition.end
        size = self.cluster.random.choice((1, 5, 40))
        while at < end:
            upto = min(end, at + size)
            for message in partition.kept(at, upto):
                yield message
            at = upto
            await self._perhaps_pause("read on", share=0.7)

    async def first_at(self, source: Source, offset: int) -> Message | None:
        """The first record at or after an offset."""
        await pause("look")
        message = self.cluster.partition(source).first_at(offset)
        await self._perhaps_pause("see")
        return message

    async def trim(self, source: Source, before: int) -> None:
        """Forget, really."""
        await pause("trim")
        partition = self.cluster.partition(source)
        partition.begin = max(partition.begin, min(before, partition.end))

    async def _perhaps_pause(self, label: str, share: float = 0.3) -> None:
        if self.cluster.random.random() < share:
            await pause(label)
