"""Partitions come and go as the group says, until the worker stops: then nothing is taken any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from faust.types import TP

from stream.records.source import Source
from stream.service.app import App
from stream.service.partitions import Partitions

OWNED = frozenset({Source("predictions", 0)})


class Signal:
    """Faust's signal, as far as it is used."""

    def connect(self, handler: Callable[..., Awaitable[None]]) -> None:
        """Nobody sends it here."""


class Group:
    """An app whose group gives out partitions when it is told to."""

    after_rebalance: Callable[[], None]
    on_partitions_revoked = Signal()
    consumer_generation_id = 1

    @property
    def consumer(self) -> Any:
        """Faust's consumer is of one object with its assignment here."""
        return self

    def assignment(self) -> set[TP]:
        """One partition."""
        return {TP("predictions", 0)}


class Owners:
    """Partitions whose recovery never ends by itself."""

    def __init__(self) -> None:
        self.group = Group()
        self.told: list[str] = []
        self.partitions = Partitions(
            cast(App, self.group), ["predictions"], on_taken=self.take, on_given_up=self.give_up
        )

    async def take(self, owned: frozenset[Source]) -> None:
        """Recover for ever."""
        self.told.append("take")
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append("cut short")

    async def give_up(self, owned: frozenset[Source]) -> None:
        """The last checkpoint."""
        assert owned in (OWNED, frozenset())
        self.told.append("give up")


async def test_a_recovery_under_way_ends_before_the_last_checkpoint_of_a_worker_that_stops() -> None:
    owners = Owners()
    owners.group.after_rebalance()
    await asyncio.sleep(0)

    await owners.partitions.stop()

    assert owners.told == ["take", "cut short", "give up"]


async def test_what_the_group_gives_to_a_worker_that_stops_is_not_taken() -> None:
    owners = Owners()
    await owners.partitions.stop()

    owners.group.after_rebalance()
    await asyncio.sleep(0)

    assert owners.told == ["give up"]
    assert owners.partitions.owned == frozenset()
