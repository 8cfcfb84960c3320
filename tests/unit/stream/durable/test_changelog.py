"""The changelog: what is written comes back, as of the `@`, whoever else has written there."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import SnapshotError
from stream.durable.changelog import (
    MAX_DELTA_BYTES,
    Activation,
    Delta,
    Entry,
    Fingerprint,
    Incarnation,
    Progress,
    decode_entry,
    encode_deltas,
    encode_entry,
    read_changelog,
    sign_of_another_log,
)
from stream.durable.fold import Register
from stream.records.source import Source
from tests.memory_log import MemoryLog

CHANGELOG = Source("count-changelog", 0)
INPUT = Source("predictions", 0)

counts = st.integers(0, 2**40)
fingerprints = st.builds(Fingerprint, counts, st.integers(-1, 2**45), st.integers(0, 2**32 - 1))
entries = st.one_of(
    st.builds(Delta, counts, st.lists(st.tuples(st.binary(), counts, st.binary()), max_size=5)),
    st.builds(Progress, counts, counts, counts, st.none() | fingerprints, st.binary()),
    st.builds(Activation, counts, counts, st.binary()),
    st.builds(Incarnation, counts),
)


def at(next_offset: int, *, base: int = 0, incarnation: int = 0) -> Progress:
    """An `@` whose state names it."""
    return Progress(incarnation, next_offset, base, None, f"@{next_offset}".encode())


def delta(key: str, next_offset: int, value: str, *, incarnation: int = 0) -> Delta:
    """A register's copy."""
    return Delta(incarnation, [(key.encode(), next_offset, value.encode())])


def log_of(*written: Entry) -> MemoryLog:
    """A changelog that holds the entries."""
    log = MemoryLog()
    for entry in written:
        log.put(CHANGELOG, encode_entry(entry))
    return log


@given(entries)
def test_what_is_written_is_read(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


def test_another_version_is_refused_and_both_are_named() -> None:
    with pytest.raises(SnapshotError, match=r"2.*1"):
        decode_entry(b"\x02" + encode_entry(Incarnation(1))[1:])


def test_bytes_that_are_no_entry_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_entry(b"\x01\xc1")


@given(st.lists(st.integers(0, MAX_DELTA_BYTES // 2), max_size=12))
def test_registers_are_packed_whole_in_order_and_below_the_limit(sizes: list[int]) -> None:
    registers = [Register(bytes([i]), i, bytes(size)) for i, size in enumerate(sizes)]
    records = encode_deltas(registers, 3)
    decoded = [decode_entry(r) for r in records]
    assert [r for d in decoded if isinstance(d, Delta) for r in d.registers] == [tuple(r) for r in registers]
    assert all(len(r) <= MAX_DELTA_BYTES + 100 for r in records)
    assert [d.incarnation for d in decoded if isinstance(d, Delta)] == [3] * len(decoded)


def test_a_register_larger_than_a_record_travels_alone() -> None:
    large = Register(b"large", 1, bytes(MAX_DELTA_BYTES + 1))
    assert len(encode_deltas([Register(b"a", 1, b""), large, Register(b"b", 1, b"")], 0)) == 3


async def test_an_empty_changelog_has_no_progress() -> None:
    recovered = await read_changelog(MemoryLog(), CHANGELOG)
    assert recovered.progress is None
    assert recovered.registers == []


async def test_the_largest_progress_is_believed_though_a_zombie_wrote_a_smaller_one_later() -> None:
    recovered = await read_changelog(log_of(at(10), at(30), at(20)), CHANGELOG)
    assert recovered.progress == at(30)


async def test_of_equal_progress_the_last_is_believed() -> None:
    recovered = await read_changelog(log_of(at(10, base=0), at(10, base=1)), CHANGELOG)
    assert recovered.progress == at(10, base=1)


async def test_registers_are_as_of_the_progress_and_not_newer() -> None:
    #  offset of the input   5      10 = @        12
    #  register p         "five"                "twelve": of an owner that died before its @
    recovered = await read_changelog(log_of(delta("p", 5, "five"), at(10), delta("p", 12, "twelve")), CHANGELOG)
    assert recovered.registers == [Register(b"p", 5, b"five")]


async def test_an_older_copy_does_not_supersede_a_newer_one() -> None:
    recovered = await read_changelog(log_of(delta("p", 9, "nine"), delta("p", 5, "five"), at(10)), CHANGELOG)
    assert recovered.registers == [Register(b"p", 9, b"nine")]


async def test_what_lies_before_the_base_is_not_read() -> None:
    recovered = await read_changelog(log_of(delta("gone", 1, ""), delta("p", 5, "five"), at(10, base=1)), CHANGELOG)
    assert [r.key for r in recovered.registers] == [b"p"]


async def test_a_progress_whose_base_was_trimmed_away_is_not_believed() -> None:
    log = log_of(delta("gone", 5, ""), delta("p", 4, ""), at(20, base=1), at(30, base=0))
    await log.trim(CHANGELOG, 1)
    recovered = await read_changelog(log, CHANGELOG)
    assert recovered.progress == at(20, base=1)


async def test_a_log_trimmed_while_it_is_read_is_read_again() -> None:
    log = log_of(delta("p", 5, "five"), at(10, base=0), delta("p", 5, "five"), at(8, base=2))
    trims = iter([2])

    def zombie_trims() -> None:
        before = next(trims, None)
        if before is not None:
            log.begins[CHANGELOG] = before
            log.records[CHANGELOG] = [m for m in log.records[CHANGELOG] if m.offset >= before]

    log.before_read_ends = zombie_trims
    recovered = await read_changelog(log, CHANGELOG)
    assert recovered.progress == at(8, base=2)


async def test_activations_to_come_are_returned_by_offset_and_past_ones_are_not() -> None:
    log = log_of(Activation(0, 15, b"later"), Activation(0, 3, b"past"), at(10), Activation(0, 10, b"now"))
    recovered = await read_changelog(log, CHANGELOG)
    assert [a.payload for a in recovered.activations] == [b"now", b"later"]


async def test_a_new_incarnation_hides_everything_of_the_old_one() -> None:
    log = log_of(delta("p", 5, ""), at(10), Activation(0, 11, b""), Incarnation(1), at(99))
    recovered = await read_changelog(log, CHANGELOG)
    assert (recovered.incarnation, recovered.progress, recovered.registers) == (1, None, [])


async def test_the_bytes_to_read_are_counted_from_the_base() -> None:
    written = [delta("before", 1, ""), delta("p", 5, "five"), at(10, base=1)]
    recovered = await read_changelog(log_of(*written), CHANGELOG)
    assert recovered.bytes_since_base == len(encode_entry(written[1])) + len(encode_entry(written[2]))


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ([b"one", b"two"], None),  # the log as it was
        ([b"one", b"two", b"three"], None),  # it has grown
        ([b"one"], "the log ends at 1"),
        ([], "the log ends at 0"),
        ([b"one", b"TWO"], "offset 1 holds another record"),
        ([b"one", b"TWO", b"three"], "offset 1 holds another record"),
    ],
)
async def test_another_log_is_known_by_the_record_that_was_folded_last(values: list[bytes], sign: str | None) -> None:
    log = MemoryLog()
    for value in values:
        log.put(INPUT, value, timestamp_ms=7)
    assert await sign_of_another_log(log, INPUT, Fingerprint.of(1, 7, b"two")) == sign


async def test_another_timestamp_is_another_record() -> None:
    log = MemoryLog()
    log.put(INPUT, b"one", timestamp_ms=8)
    assert await sign_of_another_log(log, INPUT, Fingerprint.of(0, 7, b"one")) == "offset 0 holds another record"


async def test_a_record_that_retention_has_cut_away_is_no_sign() -> None:
    log = MemoryLog()
    for value in (b"one", b"two"):
        log.put(INPUT, value)
    await log.trim(INPUT, 2)
    assert await sign_of_another_log(log, INPUT, Fingerprint.of(0, 0, b"other")) is None
