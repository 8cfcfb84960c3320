"""What a window of a model's usual size would show, and what it cannot: evidence in words.

Promise: a size named is the smallest that half of the windows of so many rows would alarm at
(`detectors.detectable`), at the level that the model's false-alarm budget gives each of its tests.
Cost: about 15 ms a series and window length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.detectable import smallest_mean_shift, smallest_share
from detectors.evidence import ENOUGH_BLOCKS, INDEPENDENT_ROWS, Evidence, EvidenceTable
from detectors.outcome import Undefined
from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.evidence import RateEvidence, WindowEvidence
from stream.baselines.layout import CATEGORICAL_EXTRAS, NUMERIC_EXTRAS, Layout, Series
from stream.records.times import duration_words

LEAST_EFFECT: Final = 0.02  # nats of corrected PSI: from there on a difference is told
WANDERS: Final = 1.5  # times what chance alone would hide
_LARGE_SPREAD: Final = 0.05  # of rows: beyond Poisson's, as a share of the mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How often one test may alarm by chance: what the budget gives it."""

    feature: float
    answer: float
    effect: float = LEAST_EFFECT  # corrected PSI that an alarm needs, nats


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSight:
    """The smallest changes of one series that a window would show; None: not the largest would be."""

    name: str
    wanders: bool  # healthy windows hide `WANDERS` times as much as chance alone would
    shift_deviations: float | None  # of a number's mean, in standard deviations
    shift: float | None  # the same in its own unit
    category: str | None  # of a categorical series: its most frequent one
    category_share: float | None  # of all rows, moved to it
    missing_share: float | None  # of all rows, turned missing, be they missing before or not
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSight:
    """What windows of one length show."""

    window_ms: int
    rows: int  # of a window: the mean of the healthy ones
    windows: int  # learned from
    provisional: bool
    words: str  # of how many rows windows have, and how well all this is known
    series: tuple[SeriesSight, ...]


def sights(baseline: Baseline, levels: Levels) -> tuple[WindowSight, ...]:
    """Of each window length that evidence was learned for; against the same hours where the baseline has a season."""
    season = baseline.season
    known = baseline.evidence if season is None else season.evidence
    against = "" if season is None else f", against the same {season.kind} ({season.timezone})"
    return tuple(_sight(baseline, one, levels, against) for one in known)


def _sight(baseline: Baseline, found: WindowEvidence, levels: Levels, against: str) -> WindowSight:
    rows = max(1, round(found.rows.mean))
    return WindowSight(
        window_ms=found.window_ms,
        rows=rows,
        windows=found.blocks,
        provisional=found.provisional,
        words=_of_rows(found, rows) + against,
        series=tuple(_each(baseline, found, levels, rows)),
    )


def _of_rows(found: WindowEvidence, rows: int) -> str:
    spread = found.rows.overdispersion**0.5
    said = f"windows of {duration_words(found.window_ms)} have {rows:,} rows, {found.rows.smallest:,} at least"
    if spread >= _LARGE_SPREAD:
        said += f", and vary by {100 * spread:.0f} % of that beyond chance"
    known = f"known from {found.blocks:,} windows"
    if found.provisional:
        known += f", provisional (below {ENOUGH_BLOCKS})"
    return f"{said}; {known}"


def _each(baseline: Baseline, found: WindowEvidence, levels: Levels, rows: int) -> Iterator[SeriesSight]:
    layout = Layout(baseline)
    ends = [*layout.series_coarse_starts.tolist(), len(layout.coarse_starts)]
    for j, (series, evidence) in enumerate(zip(layout.series, found.series, strict=True)):
        counts = layout.baseline_coarse[ends[j] : ends[j + 1]]
        level = levels.answer if j >= len(layout.series) - baseline.answers else levels.feature
        learned, chance = (
            _Eye(EvidenceTable([e], counts, np.zeros(1, np.int64)), rows, level, levels.effect)
            for e in (evidence, INDEPENDENT_ROWS)
        )
        yield _of_series(series, learned, chance, found.rates[j], evidence)


@dataclass(frozen=True, slots=True)
class _Eye:
    """One series, as a window of so many rows is judged."""

    table: EvidenceTable
    rows: int
    level: float
    effect: float

    def shift(self, value_bins: int) -> float | None:
        return _known(smallest_mean_shift(self.table, self.rows, self.level, self.effect, value_bins))

    def share(self, bin_index: int) -> float | None:
        return _known(smallest_share(self.table, self.rows, self.level, self.effect, bin_index))


def _known(found: float | Undefined) -> float | None:
    return None if isinstance(found, Undefined) else found


def _of_series(series: Series, learned: _Eye, chance: _Eye, rates: RateEvidence, evidence: Evidence) -> SeriesSight:
    number = isinstance(series, NumericSeries)
    extras = NUMERIC_EXTRAS if number else CATEGORICAL_EXTRAS
    bins = int(learned.table.widths[0])
    of_missing = bins - len(extras) + extras.index("missing")
    missing, already = learned.share(of_missing), float(learned.table.shares[of_missing])
    value_bins = bins - len(extras)
    seen, by_chance = (eye.shift(value_bins) if number else eye.share(0) for eye in (learned, chance))
    wanders = by_chance is not None and (seen is None or seen > WANDERS * by_chance) and evidence.blocks > 0
    category = series.categories[0] if isinstance(series, CategoricalSeries) and series.categories else None
    deviation = series.deviation if isinstance(series, NumericSeries) else None
    said = _shift_words(seen, deviation) if number else _share_words(seen, category)
    parts = [f"wanders by itself: {said}" if wanders else said, _missing_words(missing, already, rates)]
    return SeriesSight(
        name=series.name,
        wanders=wanders,
        shift_deviations=seen if number else None,
        shift=seen * deviation if number and seen is not None and deviation is not None else None,
        category=category,
        category_share=None if number else seen,
        missing_share=missing,
        words="; ".join(parts),
    )


def _shift_words(seen: float | None, deviation: float | None) -> str:
    if seen is None:
        return "no shift of its mean will be seen"
    own = f" ({seen * deviation:.3g})" if deviation else ""
    return f"a shift below {seen:.2g} sd{own} will not be seen"


def _share_words(seen: float | None, category: str | None) -> str:
    if category is None:
        return "it never had a value"
    if seen is None:
        return f"no move to {category!r} will be seen"
    return f"less than {_percent(seen)} of rows moving to {category!r} will not be seen"


def _missing_words(smallest: float | None, already: float, rates: RateEvidence) -> str:
    usual = f"{_percent(rates.missing.rate)} missing" if rates.missing.rate else "never missing"
    if smallest is None:
        return f"{usual}, no rise of that will be seen"
    rise = smallest * (1 - already)  # of the rows that turn missing some were before
    return f"{usual}, seen from {_percent(rise)} more"


def _percent(share: float) -> str:
    """Two digits, and none behind the point from 10 on.

    >>> _percent(0.00123), _percent(0.998)
    ('0.12 %', '100 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"
