"""The owner of a source partition: takes it, and folds an unbroken chain."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.durable.changelog import Activation, Progress, encode_entry
from stream.errors import TopicRecreated
from tests.memory_log import SendFailed
from tests.unit.stream.durable.world import CHANGELOG, INPUT, LETTERS, World

# -- taking


async def test_the_first_owner_begins_at_the_start_and_says_so_before_it_folds() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    assert owner.fold.next_offset == owner.durable_offset == 0
    assert [type(e) for e in world.entries()] == [Progress]


async def test_the_first_owner_of_a_log_cut_by_retention_begins_where_it_begins_and_lost_nothing() -> None:
    world = World(LETTERS)
    await world.log.trim(INPUT, 2)
    assert (await world.owner()).fold.next_offset == 2
    assert world.fold.lost_records == 0


@given(st.lists(st.integers(1, 6), max_size=6), st.integers(0, 6))
def test_a_crash_anywhere_between_checkpoints_changes_nothing(checkpoints: list[int], crash_at: int) -> None:
    async def run() -> None:
        world = World(LETTERS)
        owner = await world.owner()
        for offset in range(crash_at):
            await owner.offer(world.log.batch(INPUT, offset, offset + 1))
            if offset + 1 in checkpoints:
                await owner.checkpoint()
        durable = owner.durable_offset
        again = await world.owner()
        assert again.fold.next_offset == durable
        await again.offer(world.log.batch(INPUT, durable, 6)) if durable < 6 else None
        assert world.fold.sums == {"a": (6, 10), "b": (5, 7), "c": (4, 4)}

    asyncio.run(run())


async def test_what_the_state_needs_is_learned_before_it_is_restored() -> None:
    world = World(LETTERS)
    await world.owner()
    world.log.put(CHANGELOG, encode_entry(Activation(0, 3, b"10")))
    await world.owner()
    assert world.learned == ["factors"]


async def test_a_recreated_topic_is_refused_with_the_command_that_accepts_it() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 6))
    await owner.checkpoint()
    world.log.recreate(INPUT)
    for _ in range(8):
        world.log.put(INPUT, b"z9")
    with pytest.raises(TopicRecreated, match="driftline topics accept-recreated input"):
        await world.owner()


async def test_a_topic_recreated_under_a_running_owner_is_noticed_when_the_consumer_goes_back() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 6))
    world.log.recreate(INPUT)
    world.log.put(INPUT, b"z9")
    with pytest.raises(TopicRecreated, match="the log ends at 1"):
        await owner.offer(world.log.batch(INPUT, 0, 1, chained=False))


async def test_input_cut_away_before_it_was_read_is_a_gap_with_its_size() -> None:
    #  @ = 2
    #   |   cut
    #  [a1 b2 | a3 c4 | b5 a6]
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    await owner.checkpoint()
    await world.log.trim(INPUT, 4)
    again = await world.owner()
    assert (again.fold.next_offset, world.fold.lost_records) == (4, 2)


async def test_a_gap_is_counted_once_although_the_owner_crashes_before_its_checkpoint() -> None:
    world = World(LETTERS)
    await world.owner()
    await world.log.trim(INPUT, 4)
    for _ in range(2):
        await world.owner()
    assert world.fold.lost_records == 4


# -- the chain


async def test_a_batch_that_was_folded_is_passed_over() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    for _ in range(2):
        assert await owner.offer(world.log.batch(INPUT, 0, 3)) is None
    assert world.fold.batches == [[0, 1, 2]]


async def test_of_a_batch_that_overlaps_only_the_new_part_is_folded() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    await owner.offer(world.log.batch(INPUT, 1, 6))
    assert world.fold.batches == [[0, 1, 2], [3, 4, 5]]


async def test_a_batch_behind_a_lost_one_is_refused_with_the_offset_to_seek_to() -> None:
    #  folded [0, 2)   lost [2, 4)   offered [4, 6)
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    assert await owner.offer(world.log.batch(INPUT, 4, 6)) == 2
    assert await owner.offer(world.log.batch(INPUT, 4, 6, chained=False)) == 2
    assert world.fold.batches == [[0, 1]]


@pytest.mark.parametrize("chained", [True, False])
async def test_a_marker_between_two_batches_is_no_gap(chained: bool) -> None:
    #  a1 b2 [marker] c4 b5 a6
    world = World(LETTERS)
    world.log.skip(INPUT, 2)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    assert await owner.offer(world.log.batch(INPUT, 2, 6, chained=chained)) is None
    assert world.fold.batches == [[0, 1], [3, 4, 5]]
    assert world.fold.lost_records == 0


async def test_a_chained_batch_behind_records_cut_by_retention_counts_the_gap() -> None:
    #  folded [0, 2)   cut [2, 4)   the consumer jumped to 4
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 2))
    await world.log.trim(INPUT, 4)
    assert await owner.offer(world.log.batch(INPUT, 2, 6)) is None
    assert (world.fold.lost_records, world.fold.batches) == (2, [[0, 1], [4, 5]])


async def test_what_a_batch_needs_is_learned_before_it_is_folded() -> None:
    world = World([b"a1", b"?x", b"?y"])
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    assert world.learned == ["x", "y"]


# -- activations


async def test_an_activation_is_durable_before_the_first_fold_under_it() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    world.fold.wanted_factor = 10
    await owner.offer(world.log.batch(INPUT, 0, 2))
    await owner.offer(world.log.batch(INPUT, 2, 3))
    assert world.fold.sums["a"] == (3, 40)
    assert world.entries()[1:] == [Activation(0, 0, b"10")]


async def test_a_late_hearer_replays_old_events_under_the_old_definition() -> None:
    #  offsets    0  1  2 | 3  4  5      activated at 3; @ = 0; the next owner has not heard of it
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    world.fold.wanted_factor = 10
    await owner.offer(world.log.batch(INPUT, 3, 6))
    uncrashed = world.fold.sums
    again = await world.owner()
    await again.offer(world.log.batch(INPUT, 0, 6))
    assert world.fold.sums == uncrashed == {"a": (6, 64), "b": (5, 52), "c": (4, 40)}
    assert world.fold.batches == [[0, 1, 2], [3, 4, 5]]


async def test_an_activation_between_two_records_takes_effect_before_the_second() -> None:
    #  offsets   0  1  -  -  4  5     activated at 3, where there is no record
    world = World(LETTERS)
    world.log.skip(INPUT, 2)
    world.log.skip(INPUT, 3)
    await world.owner()
    world.log.put(CHANGELOG, encode_entry(Activation(0, 3, b"10")))
    again = await world.owner()
    for start, stop in ((0, 2), (2, 6)):
        await again.offer(world.log.batch(INPUT, start, stop))
    assert world.fold.sums == {"a": (6, 61), "b": (5, 52)}


async def test_of_two_owners_that_activated_the_same_the_earlier_offset_counts() -> None:
    world = World(LETTERS)
    await world.owner()
    for offset in (5, 2):
        world.log.put(CHANGELOG, encode_entry(Activation(0, offset, b"10")))
    again = await world.owner()
    await again.offer(world.log.batch(INPUT, 0, 6))
    assert world.fold.activated_at == [2]


async def test_what_is_scheduled_is_not_proposed_again() -> None:
    world = World(LETTERS)
    await world.owner()
    world.log.put(CHANGELOG, encode_entry(Activation(0, 2, b"10")))
    again = await world.owner()
    world.fold.wanted_factor = 10
    await again.offer(world.log.batch(INPUT, 0, 6))
    assert sum(isinstance(e, Activation) for e in world.entries()) == 1


async def test_an_activation_takes_effect_without_input_when_the_owner_settles() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    world.fold.wanted_factor = 10
    await owner.settle()
    assert (world.fold.factor, world.entries()[-1]) == (10, Activation(0, 0, b"10"))


async def test_a_snapshot_repeats_the_activations_that_are_still_to_come() -> None:
    #  scheduled at 5; a snapshot at 2 moves `base` beyond the record that says so
    world = World(LETTERS, min_snapshot_bytes=0)
    await world.owner()
    world.log.put(CHANGELOG, encode_entry(Activation(0, 5, b"10")))
    again = await world.owner()
    await again.offer(world.log.batch(INPUT, 0, 2))
    await again.checkpoint()
    assert world.log.begins[CHANGELOG] > 1
    third = await world.owner()
    await third.offer(world.log.batch(INPUT, 2, 6))
    assert world.fold.activated_at == [5]


async def test_after_a_checkpoint_that_was_cut_short_there_is_no_other() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    # As a cancelled send does: what was taken out of the fold is written by nobody.
    world.log.fail_at = world.log.sends + 1
    with pytest.raises(SendFailed):
        await owner.checkpoint()
    with pytest.raises(RuntimeError, match="cut short"):
        await owner.checkpoint()

    again = await world.owner()
    assert again.fold.next_offset == 0


# -- giving up, and getting it back


async def test_a_partition_that_comes_back_untouched_goes_on_with_the_state_in_memory() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    await owner.checkpoint()

    assert await owner.take_again()
    await owner.offer(world.log.batch(INPUT, 3, 6))
    assert world.fold.sums == {"a": (6, 10), "b": (5, 7), "c": (4, 4)}


async def test_a_partition_that_somebody_else_has_folded_on_is_taken_anew() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    await owner.checkpoint()
    other = await world.owner()
    await other.offer(world.log.batch(INPUT, 3, 5))
    await other.checkpoint()

    assert not await owner.take_again()


async def test_a_partition_of_which_somebody_else_has_made_a_snapshot_is_taken_anew() -> None:
    """An `@` of ours would name a base that is trimmed away: nobody would believe it."""
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))
    await owner.checkpoint()
    other = await world.owner()
    other._has_gap = True  # it wants a snapshot at its next checkpoint
    await other.checkpoint()

    assert other.durable_offset == owner.durable_offset
    assert not await owner.take_again()


async def test_what_was_folded_and_is_not_durable_is_not_gone_on_with() -> None:
    world = World(LETTERS)
    owner = await world.owner()
    await owner.offer(world.log.batch(INPUT, 0, 3))

    assert not await owner.take_again()
