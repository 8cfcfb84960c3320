"""What the data quality of a model's windows is judged with: limits, levels, and the laws of healthy windows.

Made once for a baseline and a window's length, and read only: what depends on the window is in `quality_evaluator`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.healthy_rate import HealthyRates, detectable_rates
from stream.alerts.quality_rules import (
    CARDINALITY,
    CLASS_SHARE,
    INVALID,
    MISSING,
    OUT_OF_RANGE,
    STUCK,
    UNSEEN,
    Limits,
    QualityRule,
)
from stream.alerts.rules import THRESHOLD
from stream.baselines.layout import Layout
from stream.baselines.quality_counters import HealthyQuality, QualityCounters
from stream.evaluate.prediction_side import (
    STATISTICS,
    AnswerLaw,
    answer_law,
    detectable_move,
    score_histogram,
    share_variance,
)
from stream.evaluate.sight import roughly

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

OF_SERIES: Final = (MISSING, INVALID, OUT_OF_RANGE, UNSEEN, STUCK, CARDINALITY)  # in the order in which they are told


class SeenFrom(NamedTuple):
    """Of each series, by check: about the share, or the move of an answer, that is seen in a window; 1: none is."""

    exact: list[dict[str, float]]
    rounded: list[dict[str, float]]  # as reports show it


@dataclass(frozen=True, eq=False, kw_only=True)
class QualityYardstick:
    """What the data quality of a model's windows is judged with."""

    layout: Layout
    counters: QualityCounters
    rule: QualityRule
    level: float  # how often one test may alarm by chance
    healthy: HealthyQuality
    watched: Mapping[str, Sequence[int]]  # by check: the series that it is made of

    @cached_property
    def laws(self) -> dict[str, HealthyRates]:
        """By check of a share: of how many rows it happens to in a healthy window, one a series."""
        beyond = self.healthy.beyond
        laws = {MISSING: self.healthy.missing, INVALID: self.healthy.invalid, OUT_OF_RANGE: beyond, UNSEEN: beyond}
        return {check: law for check, law in laws.items() if self.watched.get(check)}

    @cached_property
    def shares(self) -> dict[str, tuple[list[Limits], list[float], list[float]]]:
        """By check of a share: of each series the limits, the healthy rate, and its overdispersion."""
        found = {}
        for check, law in self.laws.items():
            above, rates = self.rule.limits[check], law.rate.tolist()
            limits = [Limits(warning=r + above.warning, critical=r + above.critical) for r in rates]
            found[check] = limits, rates, law.overdispersion.tolist()
        return found

    @cached_property
    def of_series(self) -> dict[str, tuple[Flags, Values]]:
        """By check that is made of series: which, and from what value on each is beyond its limit."""
        found = {}
        for check in filter(self.watched.get, OF_SERIES):
            is_watched = np.zeros(len(self.counters.names), np.bool_)
            is_watched[self.watched[check]] = True
            rates = self.laws[check].rate if check in self.laws else 0.0
            found[check] = is_watched, rates + np.full(len(is_watched), self.rule.limits[check].warning)
        return found

    def series_of(self, wanted: Collection[tuple[str, str]]) -> dict[str, list[int]]:
        """By check the series of pairs of check and subject, in order, as far as they are watched."""
        return {
            check: [i for i in self.watched[check] if (check, self.counters.names[i]) in wanted]
            for check in {check for check, _ in wanted} & self.of_series.keys()
        }

    def seen_from(self, rows: int) -> SeenFrom:
        """What is seen in a window of roughly so many rows."""
        size = roughly(rows) if rows else 0
        if size not in self._seen_from:
            exact: list[dict[str, float]] = [{} for _ in self.counters.names]
            for check, law in self.laws.items():
                least = np.maximum(self._rates(law, size), self.of_series[check][1]).tolist()
                for i in self.watched[check]:
                    exact[i][check] = least[i]
            for check, i, move in self._moves(size):
                exact[i][check] = min(max(move, self.rule.limits[check].warning), 1.0)
            rounded = [{check: float(f"{share:.4g}") for check, share in one.items()} for one in exact]
            self._seen_from[size] = SeenFrom(exact, rounded)
        return self._seen_from[size]

    def _rates(self, law: HealthyRates, rows: int) -> Values | float:
        """The shares of so many rows that have the level; 0 where no test is asked, 1 of no rows."""
        if self.rule.rule == THRESHOLD or not rows:
            return 0.0 if rows else 1.0
        return detectable_rates(law, rows, self.level)

    def _moves(self, rows: int) -> Iterator[tuple[str, int, float]]:
        """By check and series: the same of an answer's mean, or of a class, and how far it moves."""
        moved = {(law.check, len(self.layout.series) - 1): (law.variance, law.rows) for law in self.answers}
        known = max(int(self.layout.class_baseline.sum()), 1)
        first = len(self.layout.series) - len(self.layout.class_baseline)
        for place, count in enumerate(self.layout.class_baseline.tolist()):
            moved[CLASS_SHARE, first + place] = share_variance(count / known, known), known
        for (check, i), (variance, before) in moved.items():
            if i not in self.watched.get(check, ()):
                continue
            if self.rule.rule == THRESHOLD or not rows:
                yield check, i, 0.0 if rows else 1.0
            else:
                spread, blocks = float(self.healthy.spread[i]), self.healthy.blocks
                yield check, i, detectable_move(self.level, variance, (rows, before), spread, blocks)

    @cached_property
    def answers(self) -> tuple[AnswerLaw, ...]:
        """What the answers of the baseline are like, of each statistic, watched or not; none without a score grid."""
        grid = self.layout.baseline.grid
        if grid is None:
            return ()
        before = score_histogram(self.layout, self.layout.baseline_counts)
        return tuple(answer_law(check, grid, before) for check in STATISTICS)

    @cached_property
    def _seen_from(self) -> dict[int, SeenFrom]:
        return {}  # by size: a few for each power of ten, so that it stays small


def quality_yardstick(layout: Layout, rule: QualityRule, level: float, healthy: HealthyQuality) -> QualityYardstick:
    """Made once for a layout and a window's length."""
    watched: dict[str, list[int]] = {check: [] for check in rule.limits}
    for i, checks in enumerate(rule.by_series(layout.baseline)):
        for check in checks:
            watched[check].append(i)
    if rule.rule == THRESHOLD and watched.get(STUCK):
        # The test would find it healthy; the limit alone would alarm for ever.
        before = layout.quality.baseline
        as_stuck = before.fullest >= rule.limits[STUCK].warning * np.maximum(before.usable, 1)
        watched[STUCK] = [i for i in watched[STUCK] if not as_stuck[i]]
    return QualityYardstick(
        layout=layout, counters=layout.quality, rule=rule, level=level, healthy=healthy, watched=watched
    )
