"""Panes of joined pairs: a larger offset supersedes, partitions add, and nothing else matters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.durable.fold import Register
from stream.evaluate.performance_panes import HeldPart, PerformancePanes, WindowSum, labelled
from stream.records.performance import Counts, PerformancePart, Sections, pack_sparse
from tests.unit.stream.evaluate.labels import definition, value_baseline

SECTIONS = Sections.of(definition())


def counts(negatives: int, positives: int) -> Counts:
    """All in one bin each."""
    found = np.zeros(SECTIONS.width, np.int64)
    found[SECTIONS.negatives.start], found[SECTIONS.positives.start] = negatives, positives
    return found


def add(panes: PerformancePanes, source: str, start: int, offset: int, of: Counts, at: int = 1) -> Counts | None:
    return panes.add(source, PerformancePart("d", False, start, offset, pack_sparse(of)), of, at)


def test_a_part_with_a_larger_offset_supersedes_and_makes_the_difference() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 0, 5, counts(3, 2))
    difference = add(panes, "o/0", 0, 6, counts(1, 4))
    assert difference is not None
    assert difference.tolist() == (counts(1, 4) - counts(3, 2)).tolist()
    assert panes.total(0).tolist() == counts(1, 4).tolist()
    assert panes.labelled[0] == 5


def test_a_part_with_a_smaller_or_the_same_offset_is_no_news() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 0, 5, counts(3, 2))
    assert add(panes, "o/0", 0, 5, counts(3, 2)) is None
    assert add(panes, "o/0", 0, 4, counts(1, 0)) is None
    assert panes.total(0).tolist() == counts(3, 2).tolist()


def test_partitions_add() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 0, 5, counts(3, 2))
    add(panes, "o/1", 0, 9, counts(4, 1))
    assert panes.total(0).tolist() == counts(7, 3).tolist()
    assert panes.offsets(0, 1) == {"o/0": 5, "o/1": 9}


parts = st.lists(
    st.tuples(st.sampled_from(["o/0", "o/1"]), st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), max_size=30
)


@given(parts)
def test_neither_the_order_nor_repeats_matter(said: list[tuple[str, int, int, int]]) -> None:
    def of(start: int, offset: int, source: str) -> Counts:
        return counts(offset + start, 7 * offset + int(source[-1]))

    plain, shuffled = PerformancePanes(SECTIONS), PerformancePanes(SECTIONS)
    for source, start, offset, _ in said:
        add(plain, source, start, offset, of(start, offset, source))
    for source, start, offset, _ in sorted(said + said[::2], key=lambda part: part[3]):
        add(shuffled, source, start, offset, of(start, offset, source))
    assert plain.by_start == shuffled.by_start
    assert plain.labelled == shuffled.labelled
    assert all(plain.labelled[start] == labelled(plain.total(start), SECTIONS) for start in plain.by_start)


def test_a_restored_part_is_as_it_was() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 10, 5, counts(3, 2), at=8)
    (register,) = panes.registers(("performance", "d", False), only_changed=True)
    restored = PerformancePanes(SECTIONS)
    restored.restore(10, "o/0", Register(register.key, register.next_offset, register.value))
    assert restored.by_start == panes.by_start == {10: {"o/0": HeldPart(5, pack_sparse(counts(3, 2)), 8)}}
    assert restored.labelled == panes.labelled
    assert restored.registers(("performance", "d", False), only_changed=False) == [register]


def test_only_what_changed_is_written() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 0, 5, counts(3, 2))
    panes.registers(("performance", "d", False), only_changed=True)
    add(panes, "o/0", 10, 6, counts(3, 2))
    add(panes, "o/0", 0, 5, counts(3, 2))
    assert len(panes.registers(("performance", "d", False), only_changed=True)) == 1


def test_a_forgotten_pane_leaves_nothing_behind() -> None:
    panes = PerformancePanes(SECTIONS)
    for start in (0, 10, 20):
        add(panes, "o/0", start, 5, counts(3, 2))
    assert panes.forget_before(20) == [0, 10]
    assert set(panes.by_start) == set(panes.labelled) == {20}
    assert panes.changed == {(20, "o/0")}


def test_a_window_is_summed_anew_when_it_jumps_and_moved_when_it_follows() -> None:
    panes, total = PerformancePanes(SECTIONS), WindowSum()
    for start in range(0, 60, 10):
        add(panes, "o/0", start, 5, counts(start, 1))
    for start_ms, end_ms in ((0, 30), (10, 40), (20, 50), (0, 30), (30, 60)):
        expected = sum(panes.total(start) for start in range(start_ms, end_ms, 10))
        assert np.array_equal(total.of(panes, start_ms, end_ms, 10), expected)


def test_a_retracted_pair_leaves_a_pane_without_labels() -> None:
    panes = PerformancePanes(SECTIONS)
    add(panes, "o/0", 0, 5, counts(1, 0))
    assert panes.any_labelled(0, 10)
    add(panes, "o/0", 0, 6, counts(0, 0))
    assert not panes.any_labelled(0, 10)


def test_the_labels_of_a_regression_are_its_first_moment() -> None:
    sections = Sections.of(definition(value_baseline()))
    found = np.zeros(sections.width, np.int64)
    found[sections.moments.start] = 4
    found[sections.moments.start + 1] = 9
    assert labelled(found, sections) == 4
