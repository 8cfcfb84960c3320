"""Open panes: rows into registers, registers into closed panes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.count.panes import PaneKey, PaneRows, Panes, pane_starts
from stream.records.partial import unpack_counts

WIDTH = 4

# (pane, bin) of each row, in log order
rows_of = st.lists(st.tuples(st.integers(0, 3), st.integers(0, WIDTH - 1)), min_size=1, max_size=30)


def count(panes: Panes, rows: list[tuple[int, int]], first_offset: int = 0, definition: str = "d") -> None:
    starts, bins = np.array(rows, np.int64).T
    offsets = np.arange(first_offset, first_offset + len(rows), dtype=np.int64)
    panes.count(definition, "", PaneRows(starts, bins[:, None], offsets, newest_ms=offsets * 100), width=WIDTH)


def test_an_event_at_the_edge_opens_the_next_pane() -> None:
    #          1000
    #            |
    # [ pane 0  )[ pane 1000 )
    assert pane_starts(np.array([999, 1_000, 1_999]), pane_ms=1_000).tolist() == [0, 1_000, 1_000]


@given(rows_of, st.data())
def test_registers_do_not_depend_on_how_the_rows_are_cut_into_batches(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    whole, cut = Panes(), Panes()
    count(whole, rows)
    at = data.draw(st.integers(0, len(rows)))
    for part, first in ((rows[:at], 0), (rows[at:], at)):
        if part:
            count(cut, part, first)
    assert whole.live() == cut.live()


@given(rows_of)
def test_each_row_is_counted_in_its_pane_once(rows: list[tuple[int, int]]) -> None:
    panes = Panes()
    count(panes, rows)
    counted = {part.start_ms: unpack_counts(part.counts).tolist() for part in panes.open_parts()}
    assert counted == {
        start: [rows.count((start, b)) for b in range(WIDTH)] for start in sorted({start for start, _ in rows})
    }


@given(rows_of)
def test_registers_come_back_as_they_were(rows: list[tuple[int, int]]) -> None:
    panes, restored = Panes(), Panes()
    count(panes, rows)
    restored.restore(panes.live())
    assert restored.live() == panes.live()
    assert restored.open_parts() == panes.open_parts()


def test_a_register_knows_the_first_and_the_next_offset_of_its_rows() -> None:
    panes = Panes()
    count(panes, [(0, 1), (1, 1), (0, 1), (1, 1)], first_offset=10)
    assert [(p.first_offset, p.next_offset) for p in panes.open_parts()] == [(10, 13), (11, 14)]


def test_a_register_knows_what_the_source_had_seen_when_it_came_to_the_first_row() -> None:
    panes = Panes()
    count(panes, [(0, 1), (1, 1)], first_offset=10)
    count(panes, [(1, 1), (0, 1)], first_offset=12)
    assert [p.newest_ms for p in panes.open_parts()] == [1_000, 1_100]


def test_only_what_changed_since_the_last_call_is_a_changed_register() -> None:
    panes = Panes()
    count(panes, [(0, 1), (1, 1)])
    panes.changed()
    count(panes, [(1, 2)], 2)
    assert [r.next_offset for r in panes.changed()] == [3]
    assert panes.changed() == []


def test_a_snapshot_says_all_and_so_nothing_has_changed_after_it() -> None:
    panes = Panes()
    count(panes, [(0, 1), (1, 1)])
    assert len(panes.live()) == 2
    assert panes.changed() == []


def test_panes_close_up_to_the_limit_of_their_own_definition_oldest_first() -> None:
    #  d   [0][1][2]     limit 1: closes 0 and 1
    #  e   [0][1][2]     limit 0: closes 0
    #  f   [0][1][2]     no limit
    panes = Panes()
    for definition in "def":
        count(panes, [(2, 0), (0, 0), (1, 0)], definition=definition)
    closed = panes.close({"d": 1, "e": 0})
    assert [(p.definition, p.start_ms) for p in closed] == [("d", 0), ("d", 1), ("e", 0)]
    assert len(panes) == 6
    assert panes.close({"d": 1, "e": 0}) == []


def test_a_closed_pane_is_no_changed_register() -> None:
    panes = Panes()
    count(panes, [(0, 0), (1, 0)])
    panes.close({"d": 0})
    assert len(panes.changed()) == 1


def test_panes_that_are_not_kept_are_in_no_register() -> None:
    panes = Panes()
    count(panes, [(0, 0), (1, 0)])
    panes.keep(lambda key: key == PaneKey("d", "", 1))
    assert [p.start_ms for p in panes.open_parts()] == [1]
    assert len(panes.changed()) == 1
