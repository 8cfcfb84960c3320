"""Evidence from live windows: what is kept, when it is learned, that it is what a file's panes would teach."""

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from stream.baselines.definition import Definition
from stream.baselines.layout import Layout
from stream.baselines.learning import rounded
from stream.durable.fold import Register
from stream.evaluate.live_evidence import MILESTONES, REGISTER, LiveEvidence, parts_of
from tests.small_model import PANE_MS, baseline, settings

LAYOUT = Definition(baseline(), settings()).layout
PANES = 4  # of a window
WINDOW_MS = PANES * PANE_MS
Counts = npt.NDArray[np.int64]
PREFIX = ("0123456789abcdef", "")


def clumpy_panes(windows: int, rows: int = 30, seed: int = 3) -> list[Counts]:
    """Panes in which one category leads for a window at a time: windows that differ by more than chance."""
    rng = np.random.default_rng(seed)
    panes = []
    for _ in range(windows):
        leading = rng.beta(5, 5)
        for _ in range(PANES):
            counts = np.zeros(LAYOUT.width, np.int64)
            for i, start in enumerate(LAYOUT.starts[:-1]):
                first = rng.binomial(rows, leading if i == 1 else 0.5)
                counts[start], counts[start + 1] = first, rows - first
            panes.append(counts)
    return panes


def fed(panes: list[Counts], windows: int, live: LiveEvidence | None = None, first: int = 0) -> LiveEvidence:
    """Live evidence that has seen windows [first, windows) of the panes."""
    live = live or LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    for i in range(first, windows):
        live.take(i * WINDOW_MS, pane_of(panes), next_offset=i + 1)
    return live


def pane_of(panes: list[Counts]) -> Callable[[int], Counts | None]:
    return lambda start_ms: panes[start_ms // PANE_MS]


def restored(registers: list[Register], layout: Layout = LAYOUT) -> LiveEvidence:
    live = LiveEvidence(layout, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    for register in registers:
        live.restore(msgspec.msgpack.decode(register.key)[-1], register)
    return live


def test_nothing_is_known_before_the_24th_window() -> None:
    live = fed(clumpy_panes(24), 23)
    assert (live.evidence, live.windows, live.wanted) == (None, 23, 24)


@pytest.mark.parametrize("windows", [24, 48])
def test_what_is_learned_is_what_the_same_panes_of_a_file_teach(windows: int) -> None:
    panes = clumpy_panes(windows)
    coarse = np.array([LAYOUT.coarsen(counts) for counts in panes])
    # How far windows went is measured from the baseline that they are judged by, which is not their own here.
    taught = learn_evidence(coarse, LAYOUT.series_coarse_starts, PANES, baseline=LAYOUT.baseline_coarse)
    assert taught[1].overdispersion > 0.01  # the clumps of the second series are in it
    assert fed(panes, windows).evidence == tuple(map(rounded, taught))


def test_it_is_learned_anew_at_each_milestone_and_not_between() -> None:
    panes, seen = clumpy_panes(170, rows=12), []
    live = LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    for i in range(170):
        before = live.evidence
        fed(panes, i + 1, live, first=i)
        if live.evidence != before:
            seen.append(i + 1)
    assert seen == list(MILESTONES)
    assert live.evidence is not None
    assert {one.blocks for one in live.evidence} == {168}


def test_when_it_is_done_the_windows_are_dropped_and_no_more_are_taken() -> None:
    panes = clumpy_panes(169, rows=12)
    live = fed(panes, 168)
    assert (live.done, live.windows, live.wanted, live.is_due(WINDOW_MS)) == (True, 168, None, False)
    before = live.evidence
    fed(panes, 169, live, first=168)
    [register] = live.registers(PREFIX, only_changed=False)
    assert (live.evidence, register.next_offset) == (before, 168)


def test_a_window_is_due_where_a_whole_multiple_of_its_length_ends() -> None:
    live = LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    assert [at for at in range(0, 3 * WINDOW_MS, PANE_MS) if live.is_due(at)] == [0, WINDOW_MS, 2 * WINDOW_MS]


def test_a_window_of_too_few_rows_is_passed_over_and_empty_panes_count_as_nothing() -> None:
    few, enough = np.zeros(LAYOUT.width, np.int64), np.zeros(LAYOUT.width, np.int64)
    few[LAYOUT.starts[:-1]], enough[LAYOUT.starts[:-1]] = 9, 10
    live = LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    live.take(0, lambda at: few if at == 0 else None, next_offset=1)
    assert live.windows == 0
    live.take(WINDOW_MS, lambda at: enough if at == WINDOW_MS else None, next_offset=2)
    live.take(WINDOW_MS, lambda at: enough if at == WINDOW_MS else None, next_offset=3)  # not twice
    assert live.windows == 1


def test_a_window_in_breach_is_kept_until_something_was_learned_and_never_after() -> None:
    panes = clumpy_panes(50, rows=12)
    live = LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS)
    for i in range(24):
        live.take(i * WINDOW_MS, pane_of(panes), next_offset=i + 1, in_breach=True)
    assert (live.windows, live.wanted) == (24, 48)
    assert live.evidence is not None
    again = restored(live.registers(PREFIX, only_changed=False))
    for one in (live, again):
        for i in range(24, 30):
            one.take(i * WINDOW_MS, pane_of(panes), next_offset=i + 1, in_breach=True)
        assert (one.windows, one.registers(PREFIX, only_changed=True)) == (24, [])
        fed(panes, 50, one, first=30)
        assert (one.windows, one.wanted) == (44, 48)


# -- what survives


@pytest.mark.parametrize("windows", [5, 24, 30, 168])
def test_what_is_restored_goes_on_as_what_was_never_interrupted(windows: int) -> None:
    panes = clumpy_panes(max(windows + 30, 48), rows=12)
    going_on = fed(panes, windows)
    again = restored(going_on.registers(PREFIX, only_changed=False))
    assert (again.evidence, again.windows, again.wanted) == (going_on.evidence, going_on.windows, going_on.wanted)
    for live in (going_on, again):
        fed(panes, windows + 30, live, first=windows)
    assert again.registers(PREFIX, only_changed=False) == going_on.registers(PREFIX, only_changed=False)
    assert again.evidence == going_on.evidence


def test_windows_that_a_changelog_still_holds_are_dropped_once_it_is_done() -> None:
    panes = clumpy_panes(168, rows=12)
    live, written = LiveEvidence(LAYOUT, window_ms=WINDOW_MS, pane_ms=PANE_MS), []
    for i in range(168):
        fed(panes, i + 1, live, first=i)
        written += live.registers(PREFIX, only_changed=True)
    assert len(written) > 168
    again = restored(written)
    assert again.done
    assert len(again.registers(PREFIX, only_changed=False)) == 1


def test_only_what_changed_is_written() -> None:
    panes = clumpy_panes(24)
    live = fed(panes, 23)
    assert len(live.registers(PREFIX, only_changed=True)) == 23
    assert live.registers(PREFIX, only_changed=True) == []
    fed(panes, 24, live, first=23)
    keys = [msgspec.msgpack.decode(r.key) for r in live.registers(PREFIX, only_changed=True)]
    assert keys == [[REGISTER, *PREFIX, WINDOW_MS, at] for at in (-1, 23 * WINDOW_MS)]


def test_a_wide_model_is_cut_into_fewer_parts_so_that_what_is_kept_is_bounded() -> None:
    assert parts_of(60, 10_000) * 10_000 * MILESTONES[-1] <= 4_000_000
    assert parts_of(60, 1_000_000) == 1


def test_no_window_that_it_learned_from_is_far_from_the_baseline_that_windows_are_judged_by() -> None:
    """One that differs from all of them, as one that was made of another month does."""
    panes, counts = clumpy_panes(24), LAYOUT.baseline_coarse
    evidence = fed(panes, 24).evidence
    assert evidence is not None
    table = EvidenceTable(evidence, counts, LAYOUT.series_coarse_starts)
    windows = [LAYOUT.coarsen(np.sum(panes[i * PANES : (i + 1) * PANES], axis=0)) for i in range(24)]
    times = judge(table, np.array(windows)).times_farthest
    assert times.max() <= 1
    assert times.max() > 0.5  # they are those that it is measured by
