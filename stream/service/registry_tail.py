"""The registry as this worker knows it: the topic `baselines`, read to its end and followed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from stream.baselines.baseline import Baseline
from stream.baselines.registry import Registry
from stream.durable.log import Log
from stream.records.source import Source

log = logging.getLogger("driftline.registry")

POLL_S: Final = 1.0  # a new baseline is in use about a second after it was registered


class RegistryTail:
    """Follows the partitions of the baselines topic.

    Args:
        log: that the topic lies in.
        sources: its partitions.
        look_at: is given every baseline that comes into force, once; one that was replaced meanwhile is none.
    """

    def __init__(
        self, log: Log, sources: list[Source], look_at: Callable[[Baseline], None] = lambda baseline: None
    ) -> None:
        self.registry = Registry()
        self.changes = 0  # counts new baselines, so that a plan is made anew only when there is one
        self._log = log
        self._look_at = look_at
        self._positions = dict.fromkeys(sources, 0)
        self._reading = asyncio.Lock()

    async def catch_up(self) -> None:
        """Read every partition to its present end."""
        new: list[Baseline] = []
        async with self._reading:
            for source, position in self._positions.items():
                async for message in self._log.read(source, position):
                    self._positions[source] = message.offset + 1
                    baseline = self.registry.add(message)
                    if baseline is not None:
                        self.changes += 1
                        new.append(baseline)
                        log.info("baseline read", extra={"baseline": baseline.id, "rows": baseline.rows})
            for baseline in new:
                if self.registry.in_force(baseline.key) is baseline:
                    self._look_at(baseline)

    async def learn(self, baseline_id: str) -> None:
        """Return when a baseline that others count with has been read, however long that takes."""
        await self.catch_up()
        while self.registry.get(baseline_id) is None:
            log.warning("waiting for a baseline", extra={"baseline": baseline_id})
            await asyncio.sleep(POLL_S)
            await self.catch_up()

    async def follow(self) -> None:
        """Read on for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.catch_up()
