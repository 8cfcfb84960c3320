"""The changelog of a fold: what it looks like, and how the state as of the last `@` is read from it.

One plain topic per fold, not compacted, one partition per source partition. Four kinds of
records, each a version byte and a packed struct:

* `Delta`: changed registers; a snapshot is deltas that hold every live register.
* `Progress`, called `@`: closes a checkpoint. `base` is where the newest snapshot begins.
* `Activation`: something that takes effect at an offset, durable before the first fold under it.
* `Incarnation`: an operator's word that the source is a new topic under an old name.

Promise of `read_changelog`: it returns the state *as of* the believed `@`, exactly. Of each
register the copy with the largest `next_offset` not above the `@`'s is taken; what a crashed
owner or a zombie wrote beyond is as if it had never been written. Copies of one register with
the same `next_offset` are equal, whoever wrote them, because a register is a pure function of
the log's prefix; so it does not matter who wrote what, and no epochs or fences are needed.
An `@` is believed only if the log still reaches back to its `base`: so a zombie that trims
can cost a replay, never data.
"""

import zlib
from dataclasses import dataclass
from typing import Final

import msgspec

from detectors.errors import SnapshotError
from stream.durable.fold import Register
from stream.durable.log import Log
from stream.records.source import Message, Source

FORMAT_VERSION: Final = 1
MAX_DELTA_BYTES: Final = 512 * 1024  # below Kafka's default limit of 1 MiB a message


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """The last record folded, so that a topic recreated under the same name is noticed."""

    offset: int
    timestamp_ms: int
    crc32: int

    @classmethod
    def of(cls, offset: int, timestamp_ms: int, value: bytes | None) -> "Fingerprint":
        """The fingerprint of one record."""
        return cls(offset, timestamp_ms, zlib.crc32(value or b""))


class Delta(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """Changed registers."""

    incarnation: int
    registers: list[tuple[bytes, int, bytes]]


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="@"):
    """Closes a checkpoint: every record below `next_offset` is in the state."""

    incarnation: int
    next_offset: int
    base: int  # changelog offset at or before the first record of the newest snapshot
    fingerprint: Fingerprint | None
    state: bytes


class Activation(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """Takes effect at `offset` of the source."""

    incarnation: int
    offset: int
    payload: bytes


class Incarnation(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """From here on the source is a new log: offsets begin again."""

    incarnation: int


Entry = Delta | Progress | Activation | Incarnation
_DECODER: Final[msgspec.msgpack.Decoder[Entry]] = msgspec.msgpack.Decoder(Entry)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode_entry(entry: Entry) -> bytes:
    """Version byte and packed struct."""
    return bytes([FORMAT_VERSION]) + _ENCODER.encode(entry)


def decode_entry(value: bytes) -> Entry:
    """The entry in a changelog record; raises SnapshotError for another version."""
    if value[0] != FORMAT_VERSION:
        raise SnapshotError("changelog record", value[0], FORMAT_VERSION)
    return _DECODER.decode(memoryview(value)[1:])


def encode_deltas(registers: list[Register] | tuple[Register, ...], incarnation: int) -> list[bytes]:
    """Registers packed into records of at most MAX_DELTA_BYTES each (one register may be larger)."""
    records: list[bytes] = []
    chunk: list[tuple[bytes, int, bytes]] = []
    size = 0
    for register in registers:
        register_size = len(register.key) + len(register.value) + 16
        if chunk and size + register_size > MAX_DELTA_BYTES:
            records.append(encode_entry(Delta(incarnation, chunk)))
            chunk, size = [], 0
        chunk.append((register.key, register.next_offset, register.value))
        size += register_size
    if chunk:
        records.append(encode_entry(Delta(incarnation, chunk)))
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What a changelog says: the state as of `progress`, or that there is none yet."""

    incarnation: int
    progress: Progress | None
    registers: list[Register]
    activations: list[Activation]  # at or beyond the progress, ascending by offset
    bytes_since_base: int  # how much a reader must read, which decides when to snapshot again


async def read_changelog(log: Log, changelog: Source) -> Recovered:
    """The state as of the believed `@`; reads again if the log was trimmed under the reading."""
    while True:
        begin = await log.begin(changelog)
        entries = [(m.offset, decode_entry(m.value), len(m.value)) async for m in log.read(changelog, begin) if m.value]
        recovered, base = _recover(entries, begin)
        # A zombie may have trimmed while we read: then records below the new begin may be missing.
        if await log.begin(changelog) <= base:
            return recovered


async def newest_base(log: Log, changelog: Source) -> int:
    """Where the newest snapshot begins, whoever made it: what lies before may be trimmed at any time."""
    begin = await log.begin(changelog)
    entries = [decode_entry(m.value) async for m in log.read(changelog, begin) if m.value]
    return max((e.base for e in entries if isinstance(e, Progress)), default=0)


def _recover(entries: list[tuple[int, Entry, int]], begin: int) -> tuple[Recovered, int]:
    incarnation = max((e.incarnation for _, e, _ in entries), default=0)
    mine = [(offset, e, size) for offset, e, size in entries if e.incarnation == incarnation]
    progress = _believed([e for _, e, _ in mine if isinstance(e, Progress)], begin)
    if progress is None:
        return Recovered(
            incarnation=incarnation, progress=None, registers=[], activations=[], bytes_since_base=0
        ), begin
    since_base = [(e, size) for offset, e, size in mine if offset >= progress.base]
    activations = [e for e, _ in since_base if isinstance(e, Activation) and e.offset >= progress.next_offset]
    return Recovered(
        incarnation=incarnation,
        progress=progress,
        registers=_as_of(progress.next_offset, [e for e, _ in since_base if isinstance(e, Delta)]),
        activations=sorted(activations, key=lambda a: a.offset),
        bytes_since_base=sum(size for _, size in since_base),
    ), progress.base


def _believed(candidates: list[Progress], begin: int) -> Progress | None:
    believable = [p for p in candidates if p.base >= begin]
    return max(reversed(believable), key=lambda p: p.next_offset, default=None)


def _as_of(next_offset: int, deltas: list[Delta]) -> list[Register]:
    newest: dict[bytes, Register] = {}
    for delta in deltas:
        for key, register_offset, value in delta.registers:
            held = newest.get(key)
            if register_offset <= next_offset and (held is None or register_offset >= held.next_offset):
                newest[key] = Register(key, register_offset, value)
    return list(newest.values())


def fingerprint_of(message: Message) -> Fingerprint:
    """The fingerprint of a record as a log holds it."""
    return Fingerprint.of(message.offset, message.timestamp_ms, message.value)


async def sign_of_another_log(log: Log, source: Source, known: Fingerprint | None) -> str | None:
    """What shows that the source no longer is the log of which `known` was folded last; None: nothing does."""
    if known is None:
        return None
    found = await log.first_at(source, known.offset)
    if found is None:  # all of it may be cut; asked afterwards, since it may be cut just now
        end = max(await log.end(source), await log.begin(source))  # the end may be said too low
        return f"the log ends at {end}" if end <= known.offset else None
    if found.offset == known.offset and fingerprint_of(found) != known:
        return f"offset {known.offset} holds another record"
    return None
