"""Learning from a baseline's rows and their times how much healthy windows differ: its `WindowEvidence`.

Promise: the same rows in any order give the same evidence. What could not be learned is said in `Learned.notes`.
Cost: about 0.1 s per series, a million rows and window length; the panes of one series are in memory at a time.
Weak: what the rows do not show is not learned: one day knows no week.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.evidence import ENOUGH_BLOCKS, Evidence
from detectors.evidence_learning import learn_each
from stream.baselines.baseline import Baseline, CategoricalSeries
from stream.baselines.columns import Column, NumericColumn
from stream.baselines.create import PredictionColumns
from stream.baselines.evidence import RateEvidence, SeriesEvidence, WindowEvidence
from stream.baselines.layout import Layout, Series
from stream.baselines.performance_evidence import performance_evidence
from stream.baselines.rates import Values, rate_evidence, rows_evidence
from stream.baselines.season import (
    DAY_MS,
    HOUR_MS,
    QUARTER_MS,
    Season,
    SeasonBaseline,
    packed,
    pane_complaint,
)
from stream.records.times import duration_words

MOST_PANES_A_WINDOW: Final = 12  # as often as the replayed windows of `evidence_learning` overlap
MOST_PANES: Final = 500_000  # of the newest rows: 4.7 years of hours, 14 of quarters
_DIRECTION_DIGITS: Final = 5

Times = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Which windows to learn for: as the service cuts them."""

    lengths_ms: tuple[int, ...]  # whole numbers of panes, no length twice
    pane_ms: int

    def learning_pane_ms(self, window_ms: int) -> int:
        """The pane to learn in: a whole number of the service's panes, at most twelve a window.

        >>> Windows((3_600_000,), 60_000).learning_pane_ms(3_600_000)
        300000
        >>> Windows((420_000,), 60_000).learning_pane_ms(420_000)
        60000
        """
        panes = window_ms // self.pane_ms
        return window_ms // next(k for k in range(MOST_PANES_A_WINDOW, 0, -1) if panes % k == 0)

    def seasonal_pane_ms(self, window_ms: int) -> int:
        """The pane to learn a season in: at most a quarter of an hour, as far as the service's panes allow it.

        >>> Windows((86_400_000,), 60_000).seasonal_pane_ms(86_400_000)
        900000
        """
        panes = window_ms // self.pane_ms
        parts = (k for k in range(MOST_PANES_A_WINDOW, panes + 1) if panes % k == 0)
        fine = (window_ms // k for k in parts if window_ms // k <= QUARTER_MS)
        return next((one for one in fine if pane_complaint(one) is None), self.pane_ms)


@dataclass(frozen=True, slots=True)
class Learned:
    """A baseline with its evidence, and what could not be learned."""

    baseline: Baseline
    notes: tuple[str, ...]


def learn(baseline: Baseline, columns: PredictionColumns, windows: Windows, season: Season | None = None) -> Learned:
    """The baseline with what its rows, the `columns`, say of how much healthy windows differ.

    Args:
        baseline: of these rows.
        columns: the rows.
        windows: for which to learn.
        season: whose slots a window is to be compared with; None: with the whole baseline.

    Size to expect: a week of minutes has 168 windows of an hour; below 20 the evidence is provisional,
    below 2 there is none.
    """
    if columns.time_ms is None:
        return Learned(baseline, (_NO_TIMES,))
    notes: list[str] = []
    found = _evidence(baseline, columns, windows, notes)
    return Learned(
        msgspec.structs.replace(
            baseline, evidence=found, season=_season(baseline, columns, windows, season, notes) if season else None
        ),
        tuple(notes),
    )


def _evidence(
    baseline: Baseline, columns: PredictionColumns, windows: Windows, notes: list[str], season: Season | None = None
) -> tuple[WindowEvidence, ...]:
    found: list[WindowEvidence] = []
    for window_ms in windows.lengths_ms:
        one = learn_window(baseline, columns, windows, window_ms, season)
        if one.blocks >= 2:
            found.append(one)
        if one.provisional:
            notes.append(_too_few(one, season))
    return tuple(found)


def _season(
    baseline: Baseline, columns: PredictionColumns, windows: Windows, season: Season, notes: list[str]
) -> SeasonBaseline | None:
    """What is normal in each slot; None, with the reason among the notes, where the rows cannot tell."""
    assert columns.time_ms is not None
    span_ms = int(columns.time_ms.max() - columns.time_ms.min())
    if wrong := pane_complaint(windows.pane_ms):
        notes.append(f"season {season.kind}: {wrong}, so every window is compared with the whole baseline")
        return None
    if span_ms < season.kind.least_ms - HOUR_MS:
        notes.append(
            f"season {season.kind} needs rows of {season.kind.least_ms // DAY_MS} days, these are of "
            f"{span_ms / DAY_MS:.1f}: every window is compared with the whole baseline"
        )
        return None
    slots = season.slots_of(columns.time_ms - columns.time_ms % windows.pane_ms)
    layout = Layout(baseline)
    widths, number = layout.series_widths, season.kind.slots
    counts = [
        np.bincount(slots * widths[j] + layout.compared_bins(j, values_of(column, layout.series[j])),
                    minlength=number * widths[j]).reshape(number, widths[j])
        for j, column in enumerate(columns.series)
    ]  # fmt: skip
    return SeasonBaseline(
        kind=season.kind,
        timezone=season.timezone,
        rows=tuple(np.bincount(slots, minlength=number).tolist()),
        packed=packed(np.concatenate(counts, axis=1)),
        evidence=_evidence(baseline, columns, windows, notes, season),
    )


_NO_TIMES: Final = (
    "the rows have no times, so how much healthy windows differ is not known and alerts are provisional; "
    "name the column with --time"
)


def _too_few(one: WindowEvidence, season: Season | None) -> str:
    need = duration_words(one.window_ms * ENOUGH_BLOCKS)
    of = f"how much healthy windows of {duration_words(one.window_ms)} differ"
    if season is not None:
        of, need = f"{of} from their own hours", duration_words(one.window_ms * (ENOUGH_BLOCKS + season.kind.slots))
    if one.blocks < 2:
        return f"{of} is not known: the rows fill no two of them; give rows of at least {need}, better a week"
    return f"{of} is known from {one.blocks} of them only: provisional; give rows of at least {need}, better a week"


@dataclass(frozen=True)
class _Stretch:
    """The rows in order of time, cut into panes, every pane of the stretch in it."""

    order: Times  # shape (rows,): of the rows used
    first_pane: int  # since the epoch
    pane: Times  # shape (rows,), ascending: the pane of each, from 0
    time_ms: Times  # shape (rows,), ascending
    window_panes: int
    panes: int

    @classmethod
    def of(cls, time_ms: Times, window_ms: int, pane_ms: int) -> "_Stretch":
        order = np.argsort(time_ms, kind="stable")
        times = time_ms[order]
        pane = times // pane_ms
        used = pane > pane[-1] - MOST_PANES
        order, times, pane = order[used], times[used], pane[used]
        return cls(order, int(pane[0]), pane - pane[0], times, window_ms // pane_ms, int(pane[-1] - pane[0]) + 1)

    @cached_property
    def blocks(self) -> int:
        """Whole windows that do not overlap, from the first pane on."""
        return self.panes // self.window_panes

    @cached_property
    def block(self) -> Times:
        """The block of each row, shape (rows,); the rest behind the last whole one is `blocks`."""
        return self.pane // self.window_panes

    def counts(self, bins: Times, width: int) -> Counts:
        """Of the rows' bins, shape (rows,) in the rows' own order: counts, shape (panes, width)."""
        flat = self.pane * width + bins[self.order]
        return np.bincount(flat, minlength=self.panes * width).reshape(self.panes, width)


def learn_window(
    baseline: Baseline, columns: PredictionColumns, windows: Windows, window_ms: int, season: Season | None
) -> WindowEvidence:
    """What the rows say of windows of one length; of a season, by how much they differ from their own hours."""
    assert columns.time_ms is not None
    pane_ms = windows.learning_pane_ms(window_ms) if season is None else windows.seasonal_pane_ms(window_ms)
    stretch = _Stretch.of(columns.time_ms, window_ms, pane_ms)
    rates: list[RateEvidence] = []

    def panes() -> Iterator[Counts]:
        for j, (counts, values) in enumerate(_series(Layout(baseline), columns, stretch)):
            rates.append(rate_evidence(baseline.series[j], counts, values, stretch.block, stretch.window_panes))
            yield counts

    starts_ms = (stretch.first_pane + np.arange(stretch.panes)) * pane_ms
    slots = None if season is None else season.slots_of(starts_ms)
    evidence = learn_each(panes(), stretch.window_panes, slots=slots)
    return WindowEvidence(
        window_ms=window_ms,
        pane_ms=pane_ms,
        stored=tuple(SeriesEvidence.of(rounded(one)) for one in evidence),
        rates=tuple(rates),
        rows=rows_evidence(np.bincount(stretch.block, minlength=stretch.blocks)[: stretch.blocks], stretch.time_ms),
        performance=()
        if season is not None
        else performance_evidence(baseline, columns, stretch.order, stretch.pane, stretch.window_panes),
    )


def _series(layout: Layout, columns: PredictionColumns, stretch: _Stretch) -> Iterator[tuple[Counts, Values]]:
    """Of each series the counts in its compared bins, shape (panes, bins), and the values in order of time."""
    for j, (column, series) in enumerate(zip(columns.series, layout.series, strict=True)):
        values = values_of(column, series)
        yield stretch.counts(layout.compared_bins(j, values), layout.series_widths[j]), values[stretch.order]


def values_of(column: Column, series: Series) -> Values:
    """A column as `compared_bins` takes it: numbers, or codes of the series' categories."""
    if isinstance(column, NumericColumn):
        return column.values
    assert isinstance(series, CategoricalSeries), "columns and series must be of the same kinds"
    return column.recoded(series.categories + series.other_categories)


def rounded(evidence: Evidence) -> Evidence:
    """As many digits as mean something; the guard and the farthest PSI upwards, so that they hold every healthy window.

    >>> from detectors.evidence import INDEPENDENT_ROWS
    >>> rounded(replace(INDEPENDENT_ROWS, guard=5.00001)).guard
    5.001
    """
    return replace(
        evidence,
        overdispersion=_six(evidence.overdispersion),
        spreads=tuple(_six(one) for one in evidence.spreads),
        directions=tuple(tuple(round(u, _DIRECTION_DIGITS) for u in one) for one in evidence.directions),
        block_rows=_six(evidence.block_rows),
        blocks_behind=_six(evidence.blocks_behind),
        tail_start=_six(evidence.tail_start),
        tail_scale=max(1.0, _six(evidence.tail_scale)),
        guard=math.ceil(evidence.guard * 1_000) / 1_000,
        farthest_psi=_upwards(evidence.farthest_psi),
    )


def _upwards(psi: float) -> float:
    return psi if math.isinf(psi) else math.ceil(psi * 100_000) / 100_000


def _six(number: float) -> float:
    return float(f"{number:.6g}")
