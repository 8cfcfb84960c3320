"""What an app left on its topics, read with production's codecs and nothing else of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from stream.count.counter import CountProgress
from stream.durable.changelog import Delta, Progress, decode_entry
from stream.join.fold import JoinProgress
from stream.labels.fold import LabelProgress
from stream.records.learning import is_sample
from stream.records.outcome import decode_covering
from stream.records.partial import PanePart, Partial, decode_partial
from stream.records.performance import PerformancePartial, decode_performance, is_performance
from stream.records.source import Message
from tests.crash.deployment import Deployment
from tests.crash.tail import Tail


class RegisterCopy(NamedTuple):
    """One copy of one register, as a changelog holds it."""

    definition: str
    segment: str
    start_ms: int
    next_offset: int
    first_offset: int
    packed: bytes


@dataclass
class Changelog:
    """One partition of a changelog, from its first record on, whatever was trimmed since."""

    progress: list[tuple[int, Progress]] = field(default_factory=list)  # with the record's offset
    deltas: list[tuple[int, Delta]] = field(default_factory=list)

    def newest(self, begin: int) -> Progress:
        """The `@` that a recovery believes now, if the log begins at offset `begin`."""
        return max((p for _, p in self.progress if p.base >= begin), key=lambda p: p.next_offset)

    def registers_as_of(self, progress: Progress) -> dict[bytes, tuple[int, bytes]]:
        """By key: the newest copy that is not newer than the `@`."""
        newest: dict[bytes, tuple[int, bytes]] = {}
        for offset, delta in self.deltas:
            for key, next_offset, value in delta.registers if offset >= progress.base else ():
                if next_offset <= progress.next_offset and next_offset >= newest.get(key, (0, b""))[0]:
                    newest[key] = next_offset, value
        return newest


def changelog(records: list[Message]) -> Changelog:
    """The entries of one partition."""
    found = Changelog()
    for record in records:
        assert record.value is not None
        entry = decode_entry(record.value)
        if isinstance(entry, Progress):
            found.progress.append((record.offset, entry))
        elif isinstance(entry, Delta):
            found.deltas.append((record.offset, entry))
    return found


def newest_progress(records: list[Message], look_at: int = 200) -> int:
    """`next_offset` of the newest `@` among the last records; -1 if there is none."""
    entries = (decode_entry(r.value) for r in records[-look_at:] if r.value)
    return max((e.next_offset for e in entries if isinstance(e, Progress)), default=-1)


def count_progress(progress: Progress) -> CountProgress:
    """The state that a count's `@` carries."""
    return msgspec.msgpack.decode(progress.state, type=CountProgress)


def label_progress(progress: Progress) -> LabelProgress:
    """The state that a labels owner's `@` carries."""
    return msgspec.msgpack.decode(progress.state, type=LabelProgress)


def join_progress(progress: Progress) -> JoinProgress:
    """The state that a join's `@` carries."""
    return msgspec.msgpack.decode(progress.state, type=JoinProgress)


def register_copy(key: bytes, next_offset: int, value: bytes) -> RegisterCopy:
    """A register of count, unpacked."""
    definition, segment, start_ms = msgspec.msgpack.decode(key)
    first_offset, packed, _, _ = msgspec.msgpack.decode(value)
    return RegisterCopy(definition, segment, start_ms, next_offset, first_offset, packed)


def partials(tail: Tail, deployment: Deployment) -> Iterator[tuple[int, Partial]]:
    """Every partial, with the partition of predictions that it speaks of."""
    for records in tail.of(deployment.partials).values():
        for record in records:
            assert record.value is not None
            if not is_performance(record.value) and not is_sample(record.value):
                partial = decode_partial(record.value)
                yield int(partial.source.rpartition("/")[2]), partial


def performance_partials(tail: Tail, deployment: Deployment) -> Iterator[tuple[int, PerformancePartial]]:
    """Every word of a join, with the partition of outcomes that it speaks of."""
    for records in tail.of(deployment.partials).values():
        for record in records:
            assert record.value is not None
            if is_performance(record.value):
                partial = decode_performance(record.value)
                yield int(partial.source.rpartition("/")[2]), partial


def part_of(part: PanePart) -> RegisterCopy:
    """A part of a partial, in the words of a register."""
    return RegisterCopy(part.definition, part.segment, part.start_ms, part.next_offset, part.first_offset, part.counts)


def everybody_idle(tail: Tail, deployment: Deployment, sources: int, label_sources: int) -> bool:
    """Whether the last word of every source, to evaluate and to the joins, is that it is silent."""
    to_evaluate = (map(_partial, records[-200 * sources :]) for records in tail.of(deployment.partials).values())
    # All of them: in the uncrashed run labels are read to their end long before predictions are.
    to_joins = (map(_covering, records) for records in tail.of(deployment.outcomes).values())
    return all(_is_silent(words, sources) for words in to_evaluate) and all(
        _is_silent(words, sources + label_sources) for words in to_joins
    )


def _is_silent(words: Iterable[tuple[str, int, bool] | None], sources: int) -> bool:
    """Whether the newest word of each of so many sources says so; a word: source, next offset, idle."""
    last: dict[str, tuple[int, bool]] = {}
    for source, next_offset, idle in filter(None, words):
        if next_offset >= last.get(source, (-1, False))[0]:
            last[source] = next_offset, idle
    return len(last) >= sources and all(idle for _, idle in last.values())


def _partial(record: Message) -> tuple[str, int, bool] | None:
    assert record.value is not None
    if is_performance(record.value) or is_sample(record.value):
        return None
    partial = decode_partial(record.value)
    return partial.source, partial.next_offset, partial.idle


def _covering(record: Message) -> tuple[str, int, bool]:
    assert record.value is not None
    covering = decode_covering(record.value)
    return covering.source, covering.end, covering.idle
