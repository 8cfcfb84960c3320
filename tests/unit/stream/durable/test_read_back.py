"""A fold whose state lies in the source itself: read again after a restart, and the source is trimmed behind it."""

import asyncio
from collections.abc import Iterable

import pytest

from stream.durable import owner as owner_module
from stream.durable import read_back
from stream.durable.fold import ReadsBack, Register
from stream.errors import TopicRecreated
from stream.records.source import MessageBatch
from tests.memory_log import SendFailed
from tests.unit.stream.durable.sum_fold import SumFold
from tests.unit.stream.durable.world import CHANGELOG, INPUT, LETTERS, World

KEPT = 3  # records that the fold needs to read again


class Remembering(SumFold):
    """Adds up as before, and remembers the last records themselves, which no register holds."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[bytes] = []
        self.ended = 0
        self.wrong = False

    def fold(self, batch: MessageBatch) -> None:
        super().fold(batch)
        self._remember(batch)

    def _remember(self, batch: MessageBatch) -> None:
        self.last = [*self.last, *(v for v in batch.values if v)][-KEPT:]

    def restore(self, next_offset: int, progress: bytes, registers: Iterable[Register]) -> None:
        super().restore(next_offset, progress, registers)
        self.last = []

    def reread_from(self) -> int:
        return max(0, self.next_offset - KEPT)

    def needs_from(self) -> int:
        return max(0, self.next_offset - KEPT)

    def reread(self, batch: MessageBatch) -> None:
        assert batch.end <= self.next_offset
        self._remember(batch)

    def end_reread(self) -> None:
        self.ended += 1
        if self.wrong:
            raise RuntimeError("not what was there")


async def folded(values: list[bytes]) -> World:
    """A world in which all was folded and is durable, by an owner that is dead."""
    world = World(values)
    owner = await world.owner(Remembering())
    await owner.offer(world.log.batch(INPUT, 0, len(values)))
    await owner.checkpoint()
    return world


def test_only_a_fold_that_says_so_is_read_back():
    assert isinstance(Remembering(), ReadsBack)
    assert not isinstance(SumFold(), ReadsBack)


async def test_after_a_restart_the_source_is_read_again_up_to_the_progress_and_no_further():
    world = await folded(LETTERS)
    world.log.put(INPUT, b"z9")
    fold = Remembering()
    owner = await world.owner(fold)
    assert fold.last == LETTERS[-KEPT:]
    assert (fold.next_offset, fold.ended) == (len(LETTERS), 1)
    assert fold.sums["a"] == (6, 10), "what was counted is not counted again"
    assert await owner.offer(world.log.batch(INPUT, 6, 7)) is None


async def test_it_is_handed_over_in_batches_that_are_not_too_large(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_back, "BATCH_BYTES", 3)
    world = await folded(LETTERS)
    fold = Remembering()
    await world.owner(fold)
    assert fold.last == LETTERS[-KEPT:]


async def test_whoever_waits_meanwhile_has_a_turn_after_every_batch(monkeypatch: pytest.MonkeyPatch):
    """Or the broker would hear no heartbeat while a long log is read, and give the partition to somebody else."""
    monkeypatch.setattr(read_back, "BATCH_BYTES", 1)
    world = await folded(LETTERS)
    fold = Remembering()
    owner = world.new_owner(fold)
    seen: list[int] = []

    async def heartbeats() -> None:
        while len(fold.last) < KEPT:
            seen.append(len(fold.last))
            await asyncio.sleep(0)

    await asyncio.gather(owner.take(), heartbeats())
    assert {1, 2} <= set(seen)


async def test_a_log_that_no_longer_has_what_must_be_read_again_is_refused():
    world = await folded(LETTERS)
    await world.log.trim(INPUT, 4)
    with pytest.raises(TopicRecreated, match="begins at 4, and what waits since 3"):
        await world.owner(Remembering())


async def test_a_log_that_is_cut_while_it_is_read_is_refused_too(monkeypatch: pytest.MonkeyPatch):
    world = await folded(LETTERS)

    def cut() -> None:
        world.log.begins[INPUT] = 4

    owner = world.new_owner(Remembering())
    read = world.log.read
    monkeypatch.setattr(world.log, "read", lambda source, start: _then(read(source, start), source, cut))
    with pytest.raises(TopicRecreated):
        await owner.take()


async def _then(messages, source, act):
    async for message in messages:
        yield message
        if source == INPUT:
            act()


async def test_where_a_newer_owner_has_trimmed_its_progress_is_read_and_taken(monkeypatch: pytest.MonkeyPatch):
    world = await folded(LETTERS)
    zombie = await world.owner(Remembering())
    world.log.put(INPUT, b"b1")
    happened: list[int] = []

    async def meanwhile(source, offset):
        if source == INPUT and not happened:
            happened.append(offset)
            await zombie.offer(world.log.batch(INPUT, 6, 7))
            await zombie.checkpoint()
            await world.log.trim(INPUT, 4)
        return await found(source, offset)

    found = world.log.first_at
    monkeypatch.setattr(world.log, "first_at", meanwhile)
    fold = Remembering()
    await world.owner(fold)
    assert fold.next_offset == 7
    assert fold.last == [b"b5", b"a6", b"b1"]


async def test_what_a_newer_owner_has_trimmed_is_not_lost_to_one_that_has_slept():
    world = World(LETTERS)
    slept = await world.owner(Remembering())
    owner = await world.owner(Remembering())
    await owner.offer(world.log.batch(INPUT, 0, 6))
    await owner.checkpoint()
    await world.log.trim(INPUT, 3)
    changelog = len(world.log.records[CHANGELOG])
    with pytest.raises(owner_module.Superseded, match="at 0: another has gone on to 6"):
        await slept.offer(world.log.batch(INPUT, 3, 6, chained=False))
    assert isinstance(slept.fold, Remembering)
    assert slept.fold.lost_records == 0
    assert len(world.log.records[CHANGELOG]) == changelog, "it writes nothing"


async def test_a_progress_that_needs_less_of_the_source_is_not_trimmed_by_one_that_has_slept():
    world = World(LETTERS)
    slept = await world.owner(Remembering())
    owner = await world.owner(Remembering())
    await owner.offer(world.log.batch(INPUT, 0, 6))
    await owner.checkpoint()
    await slept.offer(world.log.batch(INPUT, 0, 2))
    slept._has_gap = True  # its next checkpoint is a snapshot
    with pytest.raises(owner_module.Superseded):
        await slept.checkpoint()
    await world.log.trim(INPUT, 3)
    fold = Remembering()
    await world.owner(fold)
    assert fold.next_offset == 6


async def test_the_source_is_kept_where_somebody_elses_snapshot_takes_away_what_the_progress_stands_on(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(owner_module, "TRIMMED_AT_ONCE", 1)
    world = World(LETTERS)
    zombie = await world.owner(Remembering())
    owner = await world.owner(Remembering())
    zombie._has_gap = True  # its next checkpoint is a snapshot
    await zombie.offer(world.log.batch(INPUT, 0, 2))
    await zombie.checkpoint()
    await owner.offer(world.log.batch(INPUT, 0, 5))
    await owner.checkpoint()
    assert await world.log.begin(INPUT) == 0, "its progress is not believed any more"
    await owner.offer(world.log.batch(INPUT, 5, 6))
    await owner.checkpoint()
    assert await world.log.begin(INPUT) == 3, "it has made a snapshot of its own"
    fold = Remembering()
    await world.owner(fold)
    assert fold.next_offset == 6


async def test_what_a_newer_owner_trims_while_one_recovers_is_not_lost_either(monkeypatch: pytest.MonkeyPatch):
    world = World(LETTERS)
    newer = await world.owner(Remembering())

    async def meanwhile(source):
        if source == INPUT and newer.fold.next_offset == 0:
            await newer.offer(world.log.batch(INPUT, 0, 6))
            await newer.checkpoint()
            await world.log.trim(INPUT, 3)
        return await begin(source)

    begin = world.log.begin
    monkeypatch.setattr(world.log, "begin", meanwhile)
    fold = Remembering()
    await world.owner(fold)
    assert (fold.next_offset, fold.lost_records) == (6, 0)


async def test_what_was_made_must_be_what_was_there():
    world = await folded(LETTERS)
    fold = Remembering()
    fold.wrong = True
    with pytest.raises(RuntimeError, match="not what was there"):
        await world.owner(fold)


async def test_another_log_is_noticed_before_it_is_read_back():
    world = await folded(LETTERS)
    world.log.recreate(INPUT)
    for value in reversed(LETTERS):
        world.log.put(INPUT, value)
    fold = Remembering()
    with pytest.raises(TopicRecreated, match="another record"):
        await world.owner(fold)
    assert fold.last == []


async def test_the_source_is_trimmed_behind_what_a_restart_would_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_module, "TRIMMED_AT_ONCE", 2)
    world = World([b"a1"] * 10)
    owner = await world.owner(Remembering())
    begins = []
    for end in range(1, 10):
        await owner.offer(world.log.batch(INPUT, end - 1, end))
        await owner.checkpoint()
        begins.append(await world.log.begin(INPUT))
    assert begins == [0, 0, 0, 0, 2, 2, 4, 4, 6], "two at a time, and never what is needed"


async def test_nothing_is_trimmed_before_the_progress_that_does_not_need_it_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_module, "TRIMMED_AT_ONCE", 2)
    world = World(LETTERS)
    owner = await world.owner(Remembering())
    await owner.offer(world.log.batch(INPUT, 0, 6))
    world.log.fail_at = world.log.sends + 2  # the `@`
    with pytest.raises(SendFailed):
        await owner.checkpoint()
    assert await world.log.begin(INPUT) == 0
    assert CHANGELOG in world.log.records


async def test_the_source_of_a_fold_that_does_not_read_back_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_module, "TRIMMED_AT_ONCE", 0)
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 6))
    await owner.checkpoint()
    assert await world.log.begin(INPUT) == 0
