"""A worker whose partition another one has gone on with: it gives way, and is none the worse for it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stream.config import Config
from stream.durable.owner import Owner
from stream.records.source import Source
from stream.service import app as app_module
from stream.service.kafka_log import KafkaLog
from stream.service.topology import Topology
from stream.service.worker import Worker
from tests.unit.stream.durable.test_read_back import Remembering
from tests.unit.stream.durable.world import INPUT, LETTERS, World


class Group:
    """Partitions that the group has given out, and where the consumer was placed."""

    generation = 1

    def __init__(self) -> None:
        self.placed: dict[Source, int] = {}

    async def seek(self, offsets: Mapping[Source, int]) -> None:
        """The next batch begins there."""
        self.placed |= offsets


class Topics:
    """What a worker asks of its topology, of one partition that a `Remembering` folds."""

    outcomes = SimpleNamespace(name="outcomes")
    agents = {"count": INPUT.topic}  # noqa: RUF012

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry = self.silences = self

    async def catch_up(self) -> None:
        """Nothing to read."""

    def owner(self, source: Source) -> Owner:
        """A new owner."""
        assert source == INPUT
        return self.world.new_owner(Remembering())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Six letters, and no end of the process that a test would not notice."""

    def ended(error: BaseException) -> None:
        raise AssertionError("the process would end") from error

    monkeypatch.setattr(app_module, "end_process", ended)
    return World(LETTERS)


async def working(world: World) -> tuple[Worker, Group]:
    """A worker that has taken the partition at its start."""
    worker = Worker(Config(), cast(KafkaLog, world.log), cast(Topology, Topics(world)))
    group = Group()
    worker.partitions = cast(Any, group)
    await worker.take(frozenset({INPUT}))
    assert group.placed == {INPUT: 0}
    return worker, group


async def folded_by_another(world: World) -> None:
    other = await world.owner(Remembering())
    await other.offer(world.log.batch(INPUT, 0, 5))
    await other.checkpoint()


async def test_a_zombie_that_gives_its_partition_up_does_not_end_over_it(world: World) -> None:
    worker, _ = await working(world)
    owner = worker.owners[INPUT]
    await worker.handle(world.log.batch(INPUT, 0, 2))
    await folded_by_another(world)
    owner._has_gap = True  # its last checkpoint is a snapshot, which looks for a newer `@`
    await worker.give_up(frozenset({INPUT}))
    assert worker.owners == {}
    fold = Remembering()
    await world.owner(fold)
    assert fold.next_offset == 5, "what the other has folded stands"


async def test_a_partition_that_is_still_given_to_us_is_taken_as_of_where_the_other_is(world: World) -> None:
    worker, group = await working(world)
    await folded_by_another(world)
    await world.log.trim(INPUT, 2)
    await worker.handle(world.log.batch(INPUT, 5, 6, chained=False))
    assert group.placed == {INPUT: 5}
    await worker.handle(world.log.batch(INPUT, 5, 6, chained=False))
    fold = worker.owners[INPUT].fold
    assert isinstance(fold, Remembering)
    assert (fold.next_offset, fold.lost_records) == (6, 0)
    assert fold.sums == {"a": (6, 10), "b": (5, 7), "c": (4, 4)}


async def test_a_partition_that_the_group_takes_away_meanwhile_is_let_go_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, group = await working(world)
    await folded_by_another(world)
    await world.log.trim(INPUT, 2)
    recover = Owner.take

    async def take(owner: Owner, *arguments: Any) -> int:
        group.generation = -1
        return await recover(owner, *arguments)

    monkeypatch.setattr(Owner, "take", take)
    await worker.handle(world.log.batch(INPUT, 5, 6, chained=False))
    assert worker.owners == {}
    assert group.placed == {INPUT: 0}, "where it stands is the next owner's business"
