"""The registry: the first entry under a key counts, broken ones stop nothing, numbers are given once."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from stream.baselines.baseline import Baseline, CategoricalSeries, LabelledScores, NumericSeries
from stream.baselines.create import create_baseline
from stream.baselines.grid import ScoreGrid
from stream.baselines.registry import Registry, complaint, read_registry, register
from stream.durable.log import Outgoing
from stream.errors import InputError
from stream.records.prediction import ModelKey
from stream.records.source import Message, Source
from tests.unit.stream.baselines.memory_log import MemoryLog

TOPIC = Source("baselines", 0)
KEY = ModelKey("m", "1")
ONE = msgspec.structs.replace(
    create_baseline({"x": [1, 2, 3], "c": ["a", "b", "a"], "score": [0.1, 0.2, 0.3]}, model="m", version="1"), number=1
)


def message(baseline: Baseline, offset: int = 0, key: str | None = None) -> Message:
    return Message(offset=offset, timestamp_ms=0, key=(key or baseline.id).encode(), value=baseline.to_bytes())


def numbered(number: int, rows: int = 3) -> Baseline:
    return msgspec.structs.replace(ONE, number=number, rows=rows)


def test_the_first_entry_under_a_key_counts() -> None:
    registry = Registry()
    assert registry.add(message(numbered(1, rows=3))) is not None
    assert registry.add(message(numbered(1, rows=99))) is None
    found = registry.get("m@1#1")
    assert found is not None
    assert found.rows == 3
    assert registry.broken == []


def test_the_largest_number_is_in_force_in_whatever_order_they_come() -> None:
    registry = Registry()
    for number in (2, 3, 1):
        registry.add(message(numbered(number)))
    in_force = registry.in_force(KEY)
    assert in_force is not None
    assert in_force.number == 3
    assert (registry.next_number(KEY), registry.next_number(ModelKey("m", "2"))) == (4, 1)
    assert (registry.keys(), [b.number for b in registry.baselines()]) == ([KEY], [1, 2, 3])


@pytest.mark.parametrize(("value", "key", "reason"), [
    (None, "m@1#1", "deleted"),
    (b"", "m@1#1", "no baseline"),
    (b"\xff{", "m@1#1", "no baseline"),
    (b'{"model": "m"}', "m@1#1", "no baseline: Object missing required field"),
    (ONE.to_bytes(), "m@1#2", "the key must be the entry's id, m@1#1"),
    (numbered(0).to_bytes(), "m@1#0", "number and rows must be at least 1"),
])  # fmt: skip
def test_a_broken_entry_is_remembered_and_stops_nothing(value: bytes | None, key: str, reason: str) -> None:
    registry = Registry()
    assert registry.add(Message(offset=7, timestamp_ms=0, key=key.encode(), value=value)) is None
    assert registry.broken[0].offset == 7
    assert registry.broken[0].reason.startswith(reason)
    assert registry.add(message(ONE)) == ONE


def test_a_deletion_does_not_take_an_entry_back() -> None:
    registry = Registry()
    registry.add(message(ONE))
    registry.add(Message(offset=1, timestamp_ms=0, key=b"m@1#1", value=None))
    assert registry.in_force(KEY) == ONE


NUMERIC = ONE.series[0]
CATEGORICAL = ONE.series[1]
assert isinstance(NUMERIC, NumericSeries)
assert isinstance(CATEGORICAL, CategoricalSeries)


@pytest.mark.parametrize(("changes", "wrong"), [
    ({"inner_edges": NUMERIC.inner_edges[1:]}, "counts must be one more"),
    ({"inner_edges": NUMERIC.inner_edges[::-1]}, "finite and ascending"),
    ({"coarse_starts": ()}, "coarse_starts"),
    ({"coarse_starts": (1, 2)}, "coarse_starts"),
    ({"coarse_starts": (0, 2, 2)}, "coarse_starts"),
    ({"coarse_starts": (0, NUMERIC.bins)}, "coarse_starts"),
    ({"missing": -1}, "negative"),
])  # fmt: skip
def test_numbers_that_cannot_be_counted_with_are_found(changes: dict[str, object], wrong: str) -> None:
    series = msgspec.structs.replace(NUMERIC, **changes)
    found = complaint(msgspec.structs.replace(ONE, series=(series, *ONE.series[1:])))
    assert found is not None
    assert wrong in found


@pytest.mark.parametrize(("changes", "wrong"), [
    ({"categories": ("a",)}, "one per category"),
    ({"other_categories": ("a",)}, "must differ"),
    ({"other": -1}, "negative"),
])  # fmt: skip
def test_categories_that_cannot_be_counted_with_are_found(changes: dict[str, object], wrong: str) -> None:
    series = msgspec.structs.replace(CATEGORICAL, **changes)
    assert wrong in (complaint(msgspec.structs.replace(ONE, series=(series, ONE.series[2]))) or "")


def test_whole_baselines_that_cannot_be_counted_with_are_found() -> None:
    replaced = msgspec.structs.replace
    assert "series" in (complaint(replaced(ONE, series=())) or "")
    assert "names must differ" in (complaint(replaced(ONE, series=(NUMERIC, NUMERIC))) or "")
    assert "answer must be" in (complaint(replaced(ONE, answer="guess")) or "")
    assert "numeric, and last" in (complaint(replaced(ONE, series=(NUMERIC, CATEGORICAL))) or "")
    assert complaint(ONE) is None


async def test_registering_gives_the_next_number() -> None:
    log = MemoryLog()
    assert [(await register(log, TOPIC, numbered(0))).id for _ in range(3)] == ["m@1#1", "m@1#2", "m@1#3"]
    assert [b.number for b in (await read_registry(log, TOPIC)).baselines()] == [1, 2, 3]


async def test_of_two_writers_the_second_takes_another_number_and_the_first_ones_entry_stays() -> None:
    log = MemoryLog()
    other = numbered(1, rows=99)
    rivals = [other]

    def intrude(records: Sequence[Outgoing]) -> None:
        if rivals:
            rival = rivals.pop()
            log.put(TOPIC, rival.to_bytes(), rival.id.encode())

    log.before_send = intrude
    assert (await register(log, TOPIC, numbered(0))).number == 2
    registry = await read_registry(log, TOPIC)
    assert registry.get("m@1#1") == other
    # Compaction keeps the last record of a key: it must be the entry that counts.
    last = {m.key: m for m in log.records[TOPIC]}
    compacted = Registry()
    for kept in last.values():
        compacted.add(kept)
    assert compacted.baselines() == registry.baselines()


async def test_an_entry_that_no_topic_takes_names_its_largest_series() -> None:
    ids = [f"{'id':>100}{i}" for i in range(20_000)]
    heavy = create_baseline({"x": range(20_000), "user": ids}, model="m", version="1")
    with pytest.raises(InputError, match=r"largest series is 'user'.*--ignore"):
        await register(MemoryLog(), TOPIC, heavy)


async def test_the_score_is_not_the_series_to_leave_out() -> None:
    """Its grid makes it large, but a model cannot do without it."""
    table: dict[str, object] = {f"x{i:03}": np.random.default_rng(i).normal(size=1_000) for i in range(500)}
    wide = create_baseline(table | {"score": np.random.default_rng(0).uniform(size=1_000)}, model="m", version="1")
    with pytest.raises(InputError, match=r"largest series is 'x[0-9]{3}'.*--ignore"):
        await register(MemoryLog(), TOPIC, wide)


BINS = ONE.grid.bins if ONE.grid else 0
LABELLED = LabelledScores(negatives=(1,) * BINS, positives=(0,) * BINS, calibration=(0.1,) * BINS)


@pytest.mark.parametrize(("wrong", "says"), [
    ({"grid": ScoreGrid(edges=(0.5,), means=(0.1,), threshold=0.5)}, "the score grid: means must be one more"),
    ({"grid": ScoreGrid(edges=(0.456,), means=(0.1, 0.7), threshold=0.456)}, "must be among the score's own"),
    ({"answer": None}, "only a score has a score grid"),
    ({"answer": "value"}, "only a score has a score grid"),
    ({"grid": None, "labelled": LABELLED}, "labelled scores need a score grid"),
    ({"labelled": LabelledScores(negatives=(1,), positives=(1,), calibration=(0.5,))}, "one number per bin"),
    ({"labelled": msgspec.structs.replace(LABELLED, positives=(-1,) * BINS)}, "not be negative"),
    ({"labelled": msgspec.structs.replace(LABELLED, calibration=(0.2, *LABELLED.calibration[1:]))}, "never fall"),
    ({"labelled": msgspec.structs.replace(LABELLED, calibration=(1.2,) * BINS)}, "in [0, 1]"),
])  # fmt: skip
def test_what_performance_cannot_be_counted_with_is_complained_about(wrong: dict[str, object], says: str) -> None:
    found = complaint(msgspec.structs.replace(ONE, **wrong))
    assert found is not None
    assert says in found
    assert complaint(msgspec.structs.replace(ONE, labelled=LABELLED)) is None
