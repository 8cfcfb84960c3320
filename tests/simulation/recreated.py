"""An input topic that is another log under an old name, or that retention has cut: refused, or gone on with."""

from dataclasses import replace
from random import Random
from typing import Final

from stream.durable.changelog import Progress, decode_entry
from stream.records.source import Message, Source
from tests.simulation.log import Faults, Partition
from tests.simulation.worker import Holder, Worker
from tests.simulation.world import World

CHANGES: Final = ("shorter", "longer", "other", "cut", "same")


def what_becomes_of_a_recreated_input(world: World) -> None:
    """A whole schedule; then everybody dies, an input is changed, and somebody takes it."""
    world.run()
    for worker in list(world.workers):
        world.end(worker, "everybody dies")
    random = Random(world.seed)
    source, change = random.choice(world.sources), random.choice(CHANGES)
    world.cluster.faults = Faults(low_end=random.choice((0.0, 0.7)))
    folded_last = _folded_last(world, source)
    _change(world.cluster.partition(source), change, random)
    other = folded_last is not None and not _still_there(world.cluster.partition(source), folded_last)
    world.say(f"{source} is {change}")
    worker = Worker(world, "after")
    worker.seen = len(world.registered)
    taking = Holder(world, worker, source)
    worker.holders.append(taking)
    world.workers.append(worker)
    while worker in world.workers and not taking.taken:
        world.go_on()
    assert bool(world.testimony.refused) == other, f"{source}, {change}, was {'not ' * other}refused"


def _change(partition: Partition, change: str, random: Random) -> None:
    """Make another log of a partition, or let retention cut it, or leave it alone."""
    entries = partition.entries
    if change == "cut":
        partition.begin = random.choice((random.randint(partition.begin, partition.end), partition.end))
    elif change != "same":
        partition.begin = 0
        entries[:] = [message and _another(message) for message in entries]
    if change == "shorter":
        del entries[random.randint(0, len(entries)) :]
    elif change == "longer":
        entries += [Message(offset=len(entries) + n, timestamp_ms=0, key=None, value=b"{}") for n in range(5)]


def _folded_last(world: World, source: Source) -> Message | None:
    """The record that the newest `@` remembers; None if it remembers none."""
    written = [decode_entry(m.value or b"") for m in world.cluster.records(Source("count-changelog", source.partition))]
    newest = max((e for e in written if isinstance(e, Progress)), key=lambda e: e.next_offset)
    if newest.fingerprint is None:
        return None
    return world.cluster.partition(source).entries[newest.fingerprint.offset]


def _still_there(partition: Partition, message: Message) -> bool:
    """Whether the partition has the record where it was, or retention has cut it."""
    if message.offset < partition.begin:
        return True
    return message.offset < partition.end and partition.entries[message.offset] == message


def _another(message: Message) -> Message:
    return replace(message, value=b"another")
