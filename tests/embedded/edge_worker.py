"""A worker with the smallest owner there is: it remembers which offsets it folded. Used by test_edge.py.

As a program: `python tests/embedded/edge_worker.py BOOTSTRAP GROUP TOPIC` prints one JSON object a line:
{"taken": {partition: offset}}, {"given_up": [partitions]}, {"folded": [partition, begin, end]}.
Where it starts is 0 always, so that what two workers folded together is easy to say.
"""

import asyncio
import json
import sys
from typing import Any

from stream.config import Config, KafkaKeys
from stream.records.source import MessageBatch, Source
from stream.service import app as app_module
from stream.service.app import App, add_agent, make_app, run
from stream.service.kafka_log import KafkaLog
from stream.service.partitions import Partitions

QUICK_SESSION_S = 6.0  # the least that Kafka allows


class OffsetOwner:
    """Folds the unbroken chain of each partition: the rule that every owner follows."""

    def __init__(self, app: App, topic: str, log: KafkaLog) -> None:
        self.partitions = Partitions(app, [topic], on_taken=self.take, on_given_up=self.give_up)
        self.log = log
        self.next_offset: dict[Source, int] = {}
        self.folded: dict[Source, list[int]] = {}
        self.sought_back = 0
        self.batches: list[MessageBatch] = []

    async def take(self, owned: frozenset[Source]) -> None:
        """Start each at its first record."""
        self.next_offset = dict.fromkeys(owned, 0)  # before the seek: a batch may come right behind it
        await self.partitions.seek(dict.fromkeys(owned, 0))
        self.report(taken=sorted(s.partition for s in owned))

    async def give_up(self, given_up: frozenset[Source]) -> None:
        """Forget all."""
        self.next_offset.clear()
        self.report(given_up=sorted(s.partition for s in given_up))

    async def handle(self, batch: MessageBatch) -> None:
        """Fold what is new of an unbroken chain; seek back if it is broken."""
        self.batches.append(batch)
        expected = self.next_offset.get(batch.source)
        if expected is None:
            return
        if batch.begin > expected and not await self.nothing_lies_between(batch, expected):
            self.sought_back += 1
            await self.partitions.seek({batch.source: expected})
            return
        new = batch.offsets[batch.offsets >= expected]
        self.folded.setdefault(batch.source, []).extend(new.tolist())
        self.next_offset[batch.source] = max(expected, batch.end)
        self.report(folded=[batch.source.partition, batch.begin, batch.end])

    async def nothing_lies_between(self, batch: MessageBatch, expected: int) -> bool:
        """Whether a plain reader, too, finds the batch's first record next."""
        first = await self.log.first_at(batch.source, expected)
        return first is not None and first.offset == batch.begin

    def report(self, **what: Any) -> None:
        """For a parent process; a test in the same process looks at the fields."""


class PrintingOwner(OffsetOwner):
    """Tells its parent process what happens."""

    def report(self, **what: Any) -> None:
        """One JSON object a line."""
        print(json.dumps(what), flush=True)


async def main(bootstrap_servers: str, group: str, topic: str) -> None:
    """Work until a signal."""
    app_module.SESSION_TIMEOUT_S = QUICK_SESSION_S  # type: ignore[misc]  # the embedded broker waits half of it before a join
    config = Config(app=group, kafka=KafkaKeys(bootstrap_servers=bootstrap_servers))
    async with KafkaLog.connect(config.kafka) as log:
        app = make_app(config, [topic])
        owner = PrintingOwner(app, topic, log)
        add_agent(app, "offsets", topic, owner.handle)

        async def last_checkpoint() -> None:
            owner.report(last_checkpoint=sum(owner.next_offset.values()))

        await run(app, before_stop=last_checkpoint)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
