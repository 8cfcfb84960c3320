"""The table: it finds what was put in, keeps what is alive, and is small."""

import numpy as np
import pytest

from stream.join.table import EARLY, Rows, Table, checksums


def rows(count: int, *, time: int = 5) -> Rows:
    """Rows that tell their order by `label_time`."""
    none = np.zeros(count, np.uint32)
    return Rows(
        none + np.uint32(time), none + np.uint32(EARLY), np.arange(count, dtype=np.uint32), none, none.astype("f4")
    )


def filled(keys: "np.ndarray[tuple[int], np.dtype[np.uint64]]", step: int = 1_000) -> Table:
    table = Table()
    everything = rows(len(keys))
    for start in range(0, len(keys), step):
        mine = keys[start : start + step]
        table.make_room(len(mine), lambda held: held.meta != 0)
        at = table.find(mine)
        assert (at < 0).all()
        table.put(table.insert(mine, ~at), everything.take(np.arange(start, start + len(mine))))
    return table


@pytest.mark.parametrize("partition_bits", [0, 6], ids=["any hashes", "of one of 64 partitions"])
def test_what_was_put_in_is_found_and_nothing_else(partition_bits: int):
    keys = np.unique(np.random.default_rng(1).integers(1, 1 << 62, 60_000, dtype=np.uint64)) >> np.uint64(
        partition_bits
    )
    keys = np.unique(keys)
    table = filled(keys[::2])
    found = table.find(keys[::2])
    assert table.rows(found).label_time.tolist() == list(range(len(found)))
    assert (table.find(keys[1::2]) < 0).all()


def test_hashes_of_one_partition_are_spread_over_the_whole_table():
    keys = np.random.default_rng(1).integers(1, 1 << 56, 50_000, dtype=np.uint64)
    used = np.flatnonzero(filled(keys).key)
    assert used.min() < 10
    assert np.diff(used).max() < 200


def test_a_slot_costs_20_bytes_and_three_in_four_at_most_are_used():
    keys = np.arange(1, 400_001, dtype=np.uint64)
    table = filled(keys, step=5_000)
    assert table.nbytes == 20 * table.capacity
    assert 0.6 * 0.99 < table.used / table.capacity <= 0.75
    assert table.nbytes / len(keys) <= 36


def test_the_columns_of_a_regression_are_there_only_when_wanted_and_survive_a_rebuild():
    table = Table()
    keys = np.arange(1, 2_001, dtype=np.uint64)
    table.want_numbers()
    estimate = np.arange(2_000, dtype=np.uint32)
    table.make_room(2_000, lambda held: held.meta != 0)
    table.put(table.insert(keys, ~table.find(keys)), rows(2_000)._replace(estimate=estimate))
    table.make_room(10_000, lambda held: held.meta != 0)
    assert table.rows(table.find(keys)).estimate.tolist() == estimate.tolist()
    assert table.nbytes == 28 * table.capacity


def test_rebuilding_forgets_what_is_dead():
    keys = np.arange(1, 10_001, dtype=np.uint64)
    table = filled(keys)
    table.make_room(table.capacity, lambda held: held.label_time % 2 == 0)
    assert table.used == 5_000
    assert (table.find(keys[::2]) >= 0).all()
    assert (table.find(keys[1::2]) < 0).all()


def test_keys_that_fall_on_one_place_all_find_room():
    table = Table()
    keys = np.arange(1, 1 << 16, dtype=np.uint64)
    clash = keys[table._home(keys) == 0][:40]
    assert len(clash) == 40
    table.insert(clash, ~table.find(clash))
    assert len(set(table.find(clash).tolist())) == 40


def test_the_checksum_of_a_row_changes_with_any_of_its_columns():
    keys, held = np.array([7], np.uint64), rows(1)
    one = np.ones(1, np.uint32)
    changed = [
        held._replace(**{name: getattr(held, name) + one.astype(getattr(held, name).dtype)}) for name in held._fields
    ]
    sums = {
        int(checksums(k, row)[0])
        for k, row in [(keys, held), (keys + np.uint64(1), held), *((keys, c) for c in changed)]
    }
    assert len(sums) == 2 + len(changed)
