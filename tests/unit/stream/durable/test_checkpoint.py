"""A checkpoint: outputs and registers, then `@`; now and then a snapshot, and the log may forget."""

import asyncio
from collections.abc import Sequence

import pytest

from stream.durable.changelog import Delta, Progress
from stream.durable.log import Outgoing
from tests.memory_log import SendFailed
from tests.unit.stream.durable.sum_fold import OUT, SumFold
from tests.unit.stream.durable.world import CHANGELOG, INPUT, LETTERS, World


async def test_outputs_and_registers_are_sent_before_the_progress() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    world.log.fail_at = world.log.sends + 2  # the send of `@`
    with pytest.raises(SendFailed):
        await owner.checkpoint()
    assert world.log.values(OUT) == [b"a1", b"b2"]
    assert [type(e) for e in world.entries()] == [Progress, Delta]
    assert owner.durable_offset == 0


async def test_a_failed_send_of_outputs_leaves_no_progress() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    world.log.fail_at = world.log.sends + 1
    with pytest.raises(SendFailed):
        await owner.checkpoint()
    assert (await world.owner()).fold.next_offset == 0


async def test_the_progress_is_of_the_moment_when_the_registers_were_encoded() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    entered, go_on = asyncio.Event(), asyncio.Event()
    send = world.log.send

    async def slow_send(records: Sequence[Outgoing]) -> None:
        entered.set()
        await go_on.wait()
        await send(records)

    world.log.send = slow_send  # type: ignore[method-assign]
    checkpoint = asyncio.create_task(owner.checkpoint())
    await entered.wait()
    await owner.offer(world.log.batch(INPUT, 2, 6))  # folding goes on meanwhile
    go_on.set()
    assert await checkpoint == 2
    again = await world.owner()
    assert (again.fold.next_offset, world.fold.sums) == (2, {"a": (1, 1), "b": (2, 2)})


async def test_nothing_is_written_when_nothing_has_happened() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    sends = world.log.sends
    assert await owner.checkpoint() == 0
    assert world.log.sends == sends


async def test_the_bytes_since_the_last_checkpoint_are_counted() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    assert owner.bytes_since_checkpoint == 6
    await owner.checkpoint()
    assert owner.bytes_since_checkpoint == 0


async def test_a_snapshot_holds_every_register_and_lets_the_log_forget_the_rest() -> None:
    world = World(LETTERS * 50, min_snapshot_bytes=200)
    owner = await world.owner()
    largest = 0
    for offset in range(300):
        await owner.offer(world.log.batch(INPUT, offset, offset + 1))
        await owner.checkpoint()
        largest = max(largest, len(world.entries()))
    assert world.log.begins[CHANGELOG] > 0
    assert largest < 40  # of 600 written
    live, fold = world.fold.sums, SumFold()
    await world.owner(fold)
    assert (fold.next_offset, fold.sums) == (300, live)


async def test_a_new_owner_does_not_write_a_snapshot_that_is_not_due() -> None:
    world = World(LETTERS * 50, min_snapshot_bytes=10)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 300))
    for _ in range(2):
        await owner.checkpoint()
    begin = world.log.begins.get(CHANGELOG, 0)
    again = await world.owner()
    world.log.put(INPUT, b"a1")
    await again.offer(world.log.batch(INPUT, 300, 301))
    await again.checkpoint()
    assert world.log.begins.get(CHANGELOG, 0) == begin


async def test_a_zombie_that_trims_costs_a_replay_and_no_data() -> None:
    #  zombie: @2 and a snapshot, which trims what the owner's @6 needs
    world = World(LETTERS, min_snapshot_bytes=0)
    zombie = await world.owner()
    await zombie.offer(world.log.batch(INPUT, 0, 2))
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 6))
    await owner.checkpoint()
    exact = world.fold.sums
    await zombie.checkpoint()
    again = await world.owner()
    at = again.fold.next_offset
    await again.offer(world.log.batch(INPUT, at, 6)) if at < 6 else None
    assert world.fold.sums == exact


async def test_the_end_is_reached_when_everything_is_folded() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    assert not await owner.at_end()
    await owner.offer(world.log.batch(INPUT, 0, 6))
    assert await owner.at_end()
