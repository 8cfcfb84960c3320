"""Closed panes from many sources: copies supersede, sources add, and the order does not matter."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.layout import Counts
from stream.evaluate.panes import ModelPanes, News, PaneSum, Span
from stream.records.partial import PanePart, pack_counts

WIDTH = 3
PANE_MS = 10


def part(
    rows: list[int], *, next_offset: int = 10, start_ms: int = 0, first_offset: int = 5, newest_ms: int = 0
) -> PanePart:
    return PanePart("d", "", start_ms, first_offset, next_offset, pack_counts(np.array(rows)), newest_ms)


def empty() -> PaneSum:
    return PaneSum(np.zeros(WIDTH, np.int64))


def total(pane: PaneSum) -> list[int]:
    return [int(count) for count in pane.total()]


# What each source says of one pane: provisional copies while it is idle, then the closed one, any of them repeated.
counts = st.lists(st.integers(0, 300), min_size=WIDTH, max_size=WIDTH)


@st.composite
def said_by_one(draw: st.DrawFn) -> list[tuple[PanePart, bool]]:
    grown, words = np.zeros(WIDTH, np.int64), []
    for at in range(1, draw(st.integers(0, 3)) + 1):
        grown = grown + np.array(draw(counts))
        words.append((part(grown.tolist(), next_offset=10 * at), True))
    if draw(st.booleans()) or not words:
        words.append((part((grown + np.array(draw(counts))).tolist(), next_offset=99), False))
    return words


everything_said = st.lists(said_by_one(), min_size=1, max_size=4)


@given(everything_said, st.data())
def test_neither_the_order_nor_repeats_nor_zombies_matter(
    said: list[list[tuple[PanePart, bool]]], data: st.DataObject
) -> None:
    words = [(f"predictions/{i}", *word) for i, of_source in enumerate(said) for word in of_source]
    expected = sum((_counts(of_source[-1][0]) for of_source in said), start=np.zeros(WIDTH, np.int64))
    shuffled = data.draw(st.permutations(words + data.draw(st.lists(st.sampled_from(words), max_size=4))))
    pane = empty()
    for source, one, provisional in shuffled:
        pane.add(source, one, provisional=provisional)
    assert total(pane) == expected.tolist()


def _counts(of: PanePart) -> Counts:
    pane = empty()
    pane.add("s", of, provisional=False)
    return pane.counts


@given(everything_said)
def test_a_pane_is_restored_as_it_was_and_equal_panes_are_equal_bytes(
    said: list[list[tuple[PanePart, bool]]],
) -> None:
    pane, mirrored = empty(), empty()
    for of, order in ((pane, said), (mirrored, list(reversed(said)))):
        for i, words in enumerate(order) if of is pane else [(len(said) - 1 - i, w) for i, w in enumerate(order)]:
            for one, provisional in words:
                of.add(f"predictions/{i}", one, provisional=provisional)
    assert pane.to_bytes() == mirrored.to_bytes()
    restored = PaneSum.from_bytes(pane.to_bytes(), 7)
    assert (restored.to_bytes(), restored.next_offset, total(restored)) == (pane.to_bytes(), 7, total(pane))


def test_sources_add() -> None:
    pane = empty()
    assert pane.add("a", part([1, 2, 3]), provisional=False) is News.COUNTS
    assert pane.add("b", part([1, 0, 0]), provisional=False) is News.COUNTS
    assert total(pane) == [2, 2, 3]


def test_a_copy_of_what_is_known_is_no_news() -> None:
    pane = empty()
    pane.add("a", part([1, 2, 3]), provisional=False)
    assert pane.add("a", part([1, 2, 3]), provisional=False) is News.NONE
    assert pane.add("a", part([9, 9, 9], next_offset=99), provisional=True) is News.NONE
    assert total(pane) == [1, 2, 3]


def test_a_provisional_copy_is_superseded_by_a_newer_one_and_not_by_an_older_one() -> None:
    pane = empty()
    pane.add("a", part([2, 0, 0], next_offset=20), provisional=True)
    assert pane.add("a", part([1, 0, 0], next_offset=10), provisional=True) is News.NONE
    assert pane.add("a", part([3, 0, 0], next_offset=30), provisional=True) is News.COUNTS
    assert total(pane) == [3, 0, 0]


def test_the_closed_pane_settles_what_was_provisional() -> None:
    pane = empty()
    pane.add("a", part([2, 0, 0], next_offset=20), provisional=True)
    assert pane.add("a", part([2, 0, 0], next_offset=20), provisional=False) is News.SETTLED
    pane.add("b", part([2, 0, 0], next_offset=20), provisional=True)
    assert pane.add("b", part([5, 0, 0], next_offset=30), provisional=False) is News.COUNTS
    assert (total(pane), pane.provisional) == ([7, 0, 0], {})


def test_spans_say_where_the_rows_lie() -> None:
    pane = empty()
    pane.add("a", part([1, 0, 0], first_offset=3, next_offset=9, newest_ms=40), provisional=False)
    pane.add("b", part([1, 0, 0], first_offset=1, next_offset=2, newest_ms=50), provisional=True)
    assert pane.spans() == {"a": Span(3, 9, 40), "b": Span(1, 2, 50)}


def panes_of(*starts: int) -> ModelPanes:
    panes = ModelPanes(WIDTH, PANE_MS)
    for i, start in enumerate(starts):
        panes.add("a", part([1, 0, 0], start_ms=start), provisional=False, next_offset=i + 1)
    return panes


def test_a_register_is_of_the_record_that_changed_it_last() -> None:
    panes = panes_of(0, 10)
    panes.add("b", part([1, 0, 0]), provisional=False, next_offset=7)
    panes.add("b", part([1, 0, 0], start_ms=10), provisional=True, next_offset=8)
    panes.add("a", part([1, 0, 0]), provisional=False, next_offset=9)  # a copy
    registers = panes.registers(("d", ""), {0, 10})
    found = [(msgspec.msgpack.decode(r.key), r.next_offset) for r in registers]
    assert found == [(["d", "", 0], 7), (["d", "", 10], 8)]


def test_only_what_changed_is_marked_as_changed() -> None:
    panes = panes_of(0, 10)
    panes.changed = set()
    panes.add("a", part([1, 0, 0]), provisional=False, next_offset=9)
    assert panes.changed == set()


@given(st.sets(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 31), max_size=4))
def test_forgetting_drops_what_lies_before_however_it_is_called(numbers: set[int], limits: list[int]) -> None:
    panes = panes_of(*(PANE_MS * n for n in numbers))
    for limit in sorted(limits):
        panes.forget_before(PANE_MS * limit)
        assert sorted(panes.by_start) == sorted(PANE_MS * n for n in numbers if n >= limit)
        assert panes.changed == set(panes.by_start)


@given(st.sets(st.integers(0, 10), max_size=4), st.integers(0, 10), st.integers(0, 10))
def test_a_stretch_has_panes_or_not(numbers: set[int], start: int, end: int) -> None:
    panes = panes_of(*(PANE_MS * n for n in numbers))
    assert panes.any_between(PANE_MS * start, PANE_MS * end) == any(start <= n < end for n in numbers)


def test_the_spans_of_a_window_are_joined_by_source() -> None:
    #  [0)[10)[20)[30)    window [10, 30)
    panes = ModelPanes(WIDTH, PANE_MS)
    for start, first, following, newest in ((0, 0, 4, 8), (10, 5, 7, 23), (20, 3, 12, 21), (30, 12, 13, 33)):
        one = part([1, 0, 0], start_ms=start, first_offset=first, next_offset=following, newest_ms=newest)
        panes.add("a", one, provisional=False, next_offset=1)
    one = part([1, 0, 0], start_ms=20, first_offset=1, next_offset=2, newest_ms=22)
    panes.add("b", one, provisional=True, next_offset=1)
    assert panes.spans(10, 30) == {"a": Span(3, 12, newest_ms=21), "b": Span(1, 2, newest_ms=22)}


def test_of_two_panes_that_begin_with_one_message_the_earlier_row_says_what_had_been_seen() -> None:
    # An array: its first row is of the later pane.
    panes = ModelPanes(WIDTH, PANE_MS)
    for start, newest in ((0, 19), (10, 12)):
        one = part([1, 0, 0], start_ms=start, first_offset=5, next_offset=6, newest_ms=newest)
        panes.add("a", one, provisional=False, next_offset=1)
    assert panes.spans(0, 20) == {"a": Span(5, 6, newest_ms=12)}
