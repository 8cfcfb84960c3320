"""Windows: which ends are evaluated, with what, and what their sums are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.definition import Definition
from stream.evaluate.candidate import Candidate, RunningSum
from tests.small_model import START_MS, baseline, settings
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, part, relative

ONE, TWO, SAME = baseline(1), baseline(2, edges=(0.1, 0.9)), Definition(baseline(1), settings())


def heard(*words: tuple[int, dict[int, int]], definition_from: int | None = None, **how: Any) -> Evaluate:
    """One source: the newest event and the rows of the panes that closed with it, word by word."""
    evaluate, source = Evaluate(ONE, **how), Speaker()
    definition = source.counts_with(ONE, from_ms=definition_from)
    for newest, rows in words:
        evaluate.hears(source.says(newest, [part(definition, start, n) for start, n in rows.items()]))
    return evaluate


def test_every_pane_ends_a_window_that_the_watermark_passes() -> None:
    #  panes    0     1000    2000   3000   4000
    #  rows     1      2       3      4
    #  windows of 3 panes end at 1000, 2000, 3000 (full), 4000
    evaluate = heard((1_000, {0: 1}), (2_000, {1_000: 2}), (3_000, {2_000: 3}), (4_000, {3_000: 4}))
    assert evaluate.windows() == [(1_000, 1), (2_000, 3), (3_000, 6), (4_000, 9)]
    assert [r["complete"] for r in evaluate.reports] == [False, False, True, True]


def test_a_watermark_that_jumps_ends_the_same_windows() -> None:
    rows = {0: 1, 1_000: 2, 2_000: 3, 3_000: 4}
    assert heard((4_500, rows)).windows() == [(1_000, 1), (2_000, 3), (3_000, 6), (4_000, 9)]


def test_a_pane_that_the_watermark_has_not_passed_ends_no_window() -> None:
    assert heard((1_999, {0: 1})).windows() == [(1_000, 1)]


def test_a_stretch_without_rows_is_one_empty_window_and_what_follows_is_evaluated() -> None:
    #  rows in pane 0, then in pane 60_000: windows with rows, one without, and again with rows
    for words in ([(61_000, {0: 1, 60_000: 2})], [(30_000, {0: 1}), (45_500, {}), (61_000, {60_000: 2})]):
        assert heard(*words).windows() == [(1_000, 1), (2_000, 1), (3_000, 1), (4_000, 0), (61_000, 2)]


def test_nothing_is_evaluated_before_all_sources_have_spoken() -> None:
    evaluate, one, other = Evaluate(ONE), Speaker(0, sources=2), Speaker(1, sources=2)
    definition = one.counts_with(ONE)
    other.counts_with(ONE)
    evaluate.hears(one.says(5_000, [part(definition, 3_000, 1)]))
    assert evaluate.windows() == []
    # The other one's panes lie before: they are the first, whoever was heard first.
    evaluate.hears(other.says(5_000, [part(definition, 1_000, 2)]))
    assert evaluate.windows() == [(2_000, 2), (3_000, 2), (4_000, 3), (5_000, 1)]


def test_a_window_before_the_definitions_first_pane_gives_no_verdict() -> None:
    #  counted from 1_500 on: the first whole pane begins at 2_000, the first full window ends at 5_000
    rows = {start: 9 for start in range(2_000, 6_000, 1_000)}
    evaluate = heard((6_000, rows), definition_from=1_500)
    assert [(end, r["complete"]) for (end, _), r in zip(evaluate.windows(), evaluate.reports, strict=True)] == [
        (3_000, False), (4_000, False), (5_000, True), (6_000, True),
    ]  # fmt: skip


# -- revisions


def test_rows_of_a_source_that_was_idle_revise_the_reports_and_move_no_alert() -> None:
    #  source 1 is silent; then it brings a row for pane 1_000, which was evaluated without it
    evaluate, one, other = Evaluate(ONE), Speaker(0, sources=2), Speaker(1, sources=2)
    definition = one.counts_with(ONE)
    other.counts_with(ONE)
    evaluate.hears(other.says(None, idle=True))
    evaluate.hears(one.says(4_000, [part(definition, start, 10) for start in (0, 1_000, 2_000, 3_000)]))
    alerts, before = len(evaluate.alerts), len(evaluate.reports)
    evaluate.hears(other.says(2_000, [part(definition, 1_000, 5)]))
    revised = evaluate.reports[before:]
    expected = [(2_000, 25, 1), (3_000, 35, 1), (4_000, 35, 1)]
    assert [(relative_end(r), r["n"], r["revision"]) for r in revised] == expected
    assert len(evaluate.alerts) == alerts


def relative_end(report: dict[str, Any]) -> int:
    return relative(report["window"]["end"])


def test_the_newest_window_is_the_last_report_after_a_revision() -> None:
    # The topic is compacted by model: what stands last is what people see.
    evaluate, one, other = Evaluate(ONE), Speaker(0, sources=2), Speaker(1, sources=2)
    definition = one.counts_with(ONE)
    other.counts_with(ONE)
    evaluate.hears(other.says(None, idle=True))
    evaluate.hears(one.says(7_000, [part(definition, start, 10) for start in range(0, 7_000, 1_000)]))
    evaluate.hears(other.says(5_000, [part(definition, 4_000, 5)]))
    assert relative_end(evaluate.reports[-1]) == 7_000


def test_a_part_for_a_pane_that_is_forgotten_is_counted_as_missed() -> None:
    evaluate = heard(*((end, {end - 1_000: 1}) for end in range(1_000, 12_000, 1_000)))
    source = Speaker()
    source.next_offset = 50
    definition = source.counts_with(ONE)
    before = len(evaluate.reports)
    evaluate.hears(source.says(11_000, [part(definition, -1_000, 1)]))
    assert evaluate.progress_of()["missed"] == 1
    assert len(evaluate.reports) == before


# -- promotions


def promoted(*, counting_two: int = 1_000) -> tuple[Evaluate, Speaker, Definition, Definition]:
    """Baseline 1 from the start, baseline 2 from 3_000 on, each with 10 rows a second up to 3_000."""
    evaluate, source = Evaluate(ONE, TWO), Speaker()
    one = source.counts_with(ONE)
    evaluate.hears(source.says(3_000, [part(one, start, 10) for start in (0, 1_000, 2_000)]))
    source.counts_with(ONE, until_ms=9_000)
    two = source.counts_with(TWO, from_ms=3_000, counting=settings(pane_ms=counting_two))
    return evaluate, source, one, two


def baselines(evaluate: Evaluate) -> list[tuple[int, str, int]]:
    return [(relative_end(r), r["baseline"][-1], r["n"]) for r in evaluate.reports]


def test_the_new_baseline_is_in_force_when_its_window_is_full_and_no_window_is_blind() -> None:
    #            0     3000   4000   5000   6000   7000
    #  one      [..........................................
    #  two             [ filling            [ in force
    evaluate, source, one, two = promoted()
    for end in (4_000, 5_000, 6_000, 7_000):
        evaluate.hears(source.says(end, [part(one, end - 1_000, 10), part(two, end - 1_000, 10)]))
    assert baselines(evaluate)[2:] == [
        (3_000, "1", 30), (4_000, "1", 30), (5_000, "1", 30), (6_000, "2", 30), (7_000, "2", 30),
    ]  # fmt: skip
    assert all(r["complete"] for r in evaluate.reports[2:])


def test_the_old_definition_is_forgotten_once_the_new_one_is_in_force() -> None:
    evaluate, source, one, two = promoted()
    for end in (4_000, 5_000, 6_000):
        evaluate.hears(source.says(end, [part(one, end - 1_000, 10), part(two, end - 1_000, 10)]))
    assert [d.baseline_id for d in _definitions(evaluate)] == ["m@0#2"]
    evaluate.hears(source.says(7_000, [part(one, 6_000, 10), part(two, 6_000, 10)]))  # still announced
    assert [d.baseline_id for d in _definitions(evaluate)] == ["m@0#2"]
    before = evaluate.state()
    evaluate.crash()
    assert evaluate.state() == before


def _definitions(evaluate: Evaluate) -> list[Any]:
    evaluate.fold.progress()
    return list(evaluate.progress_of()["definitions"])


def test_a_promotion_waits_for_the_source_that_heard_of_it_last() -> None:
    evaluate, sources = Evaluate(ONE, TWO), [Speaker(0, sources=2), Speaker(1, sources=2)]
    one, _ = (s.counts_with(ONE) for s in sources)
    two = sources[0].counts_with(TWO, from_ms=0)
    for end in range(1_000, 9_000, 1_000):
        if end == 4_000:
            sources[1].counts_with(TWO, from_ms=3_000)
        for source in sources:
            both = [one, two] if two.id in source.definitions else [one]
            evaluate.hears(source.says(end, [part(d, end - 1_000, 10) for d in both]))
    assert [(end, b) for end, b, _ in baselines(evaluate) if end in (5_000, 6_000)] == [(5_000, "1"), (6_000, "2")]
    assert all(n == 60 for end, _, n in baselines(evaluate) if end >= 3_000)


@pytest.mark.parametrize("cut", [False, True])
def test_a_new_baseline_takes_over_what_was_judged_before_its_last_source_told_of_it(cut: bool) -> None:
    #  source 1 is idle behind 3_000, and counts with two from there on; when it says so, windows up to 8_000 were
    #  judged by one: 6_000, 7_000 and 8_000 are two's now, with its rows of 5_000 and 7_000, in both baselines
    evaluate, busy, idle = Evaluate(ONE, TWO), Speaker(0, sources=2), Speaker(1, sources=2)
    one, _ = (source.counts_with(ONE) for source in (busy, idle))
    evaluate.hears(idle.says(3_000), idle.says(3_000, idle=True))
    busy.counts_with(ONE, until_ms=20_000)
    two = busy.counts_with(TWO, from_ms=2_000)
    for start in range(0, 8_000, 1_000):
        evaluate.hears(busy.says(start + 1_000, [part(d, start, 10) for d in (one, two)[: 1 + (start >= 2_000)]]))
    assert baselines(evaluate)[-3:] == [(end, "1", 30) for end in (6_000, 7_000, 8_000)]
    idle.counts_with(ONE, until_ms=12_000)
    idle.counts_with(TWO, from_ms=3_000)
    panes = [part(d, start, 1, next_offset=9) for d in (two, one) for start in (5_000, 7_000)]
    for pane in panes[: 3 * cut]:  # the record is too large: pane by pane
        evaluate.hears(idle.says(None, [pane]))
    before = len(evaluate.reports)
    evaluate.hears(idle.says(8_000, panes[3 * cut :]))
    assert baselines(evaluate)[-3:] == [(6_000, "2", 31), (7_000, "2", 31), (8_000, "2", 32)]
    assert all(r["complete"] and r["revision"] == 1 + cut for r in evaluate.reports[before:])
    assert len(evaluate.reports) == before + 3


def test_what_is_counted_with_again_takes_over_no_window_of_which_panes_are_gone() -> None:
    evaluate, source, one, two = promoted()
    for end in (4_000, 5_000, 6_000):
        evaluate.hears(source.says(end, [part(d, end - 1_000, 10) for d in (one, two)]))
    before = len(evaluate.reports)
    source.counts_with(ONE)  # forgotten at 6_000
    evaluate.hears(source.says(6_500))
    assert evaluate.reports[before:] == []


def test_panes_of_another_length_take_over_at_one_of_their_own_ends() -> None:
    #  two has panes of 2_000: its window is 1 pane (3_000 // 2_000), and its ends are even
    evaluate, source, one, two = promoted(counting_two=2_000)
    for end in (4_000, 5_000, 6_000, 7_000, 8_000):
        panes = [part(one, end - 1_000, 10)] + ([part(two, end - 2_000, 20)] if end % 2_000 == 0 else [])
        evaluate.hears(source.says(end, panes))
    ends = [(end, b) for end, b, _ in baselines(evaluate) if end > 4_000]
    assert ends == [(6_000, "2"), (8_000, "2")] or ends == [(5_000, "1"), (6_000, "2"), (8_000, "2")]
    assert [n for _, b, n in baselines(evaluate) if b == "2"] == [20, 20]


def test_baselines_registered_twice_before_any_traffic_do_not_blind_the_model() -> None:
    evaluate, source = Evaluate(ONE, TWO), Speaker()
    source.counts_with(ONE, until_ms=-1_000)
    two = source.counts_with(TWO)
    evaluate.hears(source.says(None))
    evaluate.hears(source.says(2_000, [part(two, 0, 10), part(two, 1_000, 10)]))
    assert baselines(evaluate) == [(1_000, "2", 10), (2_000, "2", 20)]


def test_a_gap_in_traffic_behind_a_promotion_hides_no_window_of_the_new_baseline() -> None:
    #  one has rows up to 3_000; then silence; then only two has rows, from 60_000 on
    evaluate, source, one, two = promoted()
    source.no_longer(one)
    for newest, start in ((61_200, 60_000), (62_200, 61_000)):
        evaluate.hears(source.says(newest, [part(two, start, 10)]))
    assert [w for w in baselines(evaluate) if w[0] > 50_000] == [(61_000, "2", 10), (62_000, "2", 20)]


def test_settings_that_are_taken_back_are_in_force_again() -> None:
    #  one (panes of 1_000), then the same baseline with panes of 2_000, then one again
    evaluate, source = Evaluate(ONE), Speaker()
    one = source.counts_with(ONE)
    evaluate.hears(source.says(3_000, [part(one, start, 10) for start in (0, 1_000, 2_000)]))
    source.counts_with(ONE, until_ms=9_000)
    other = source.counts_with(ONE, from_ms=3_000, counting=settings(pane_ms=2_000))
    evaluate.hears(source.says(4_000, [part(one, 3_000, 10)]))
    source.counts_with(ONE)
    source.counts_with(ONE, from_ms=3_000, until_ms=5_000, counting=settings(pane_ms=2_000))
    evaluate.hears(source.says(5_000, [part(one, 4_000, 10)]))
    source.no_longer(other)
    for end in range(6_000, 12_000, 1_000):
        evaluate.hears(source.says(end, [part(one, end - 1_000, 10)]))
    assert [(end, n) for end, _, n in baselines(evaluate)][-4:] == [(e, 30) for e in range(8_000, 12_000, 1_000)]


# -- the running sum


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Panes that arrive and change, and windows that are asked for, in any order."""
    return draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("rows"), st.integers(0, 12), st.integers(1, 5)),
                st.tuples(st.just("window"), st.integers(1, 12), st.integers(1, 4)),
                st.tuples(st.just("next"), st.just(0), st.just(0)),
            ),
            max_size=40,
        )
    )


@given(moves())
def test_the_running_sum_is_the_sum_of_the_panes_in_the_window(happened: list[tuple[str, int, int]]) -> None:
    candidate, running = Candidate(SAME), RunningSum()
    rows = dict.fromkeys(range(20), 0)
    end, width = 3, 3
    for i, (what, at, n) in enumerate(happened):
        if what == "rows":
            one = part(SAME, 1_000 * at, n)
            candidate.panes.add(f"source/{i}", one, provisional=False, next_offset=1)
            running.pane_changed(one.start_ms)
            rows[at] += n
            continue
        end, width = (end + 1, width) if what == "next" else (at, n)
        end = min(end, 19)
        start_ms, end_ms = START_MS + 1_000 * (end - width), START_MS + 1_000 * end
        total = running.of(candidate, start_ms, end_ms)
        assert total[1] == sum(rows.get(p, 0) for p in range(end - width, end))
        assert total.dtype == np.int64
