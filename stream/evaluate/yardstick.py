"""What the windows of one layout and length are judged with: limits, levels, and how much healthy windows differ.

Made once for a baseline and a window's length, and read only: what depends on the window alone is in `evaluator`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import Threshold
from detectors.budget import HIGHEST_LEVEL
from detectors.evidence import INDEPENDENT_ROWS, Evidence, EvidenceTable, minimum_detectable_psi
from detectors.season import Shares, SlotShares
from stream.alerts.budget_plan import FEATURES, LATENCY, QUALITY, SCORE
from stream.alerts.rules import BUDGET, LatencyRule
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.baselines.evidence import RowsEvidence, WindowEvidence
from stream.baselines.layout import Counts, Layout
from stream.baselines.season import SeasonBaseline, pane_complaint
from stream.evaluate.error_evaluator import ErrorYardstick
from stream.evaluate.quality_yardstick import QualityYardstick, quality_yardstick
from stream.evaluate.settings import ModelSettings
from stream.evaluate.sight import Hop, Seen, roughly, sight
from stream.evaluate.throughput_evaluator import ThroughputYardstick

PerSeries = npt.NDArray[np.float64]  # shape (series,)


class Live(NamedTuple):
    """Evidence that was learned from a model's own windows."""

    evidence: tuple[Evidence, ...]  # one per series
    baseline_windows: float | None  # how many windows long the baseline is; None: as many as were learned from


class LearnedLive(NamedTuple):
    """What a model's, or a segment's, own windows have taught, where the baseline knows too little."""

    evidence: tuple[Evidence, ...] | None = None  # one per series: how much they differ
    alike: float | None = None  # overdispersion of answers over the SLA
    rows: RowsEvidence | None = None  # how many rows are usual


NOTHING_LEARNED: Final = LearnedLive()


@dataclass(frozen=True, eq=False, kw_only=True)
class Yardstick:
    """Of one layout and window's length."""

    layout: Layout
    settings: ModelSettings
    pane_ms: int
    segment: str = ""
    known: WindowEvidence | None = None  # to the baseline, of windows of this length
    evidence: tuple[Evidence, ...] | None = None  # one per series; None: not known, rows are taken as independent
    parts: int = 1  # of the traffic that are judged apart: the whole, and each segment
    borrowed: bool = False  # the evidence is the whole's: of the segment's own windows it is not known
    season: SeasonBaseline | None = None  # None: every window is compared with the whole baseline
    live: Live | None = None  # where the evidence is from, if it is not from the baseline
    alike: float | None = None  # overdispersion of answers over the SLA, learned live; None: not known
    live_rows: RowsEvidence | None = None  # how many rows are usual, likewise

    @cached_property
    def limits(self) -> list[Threshold]:
        """Of each series."""
        return [self.settings.psi.limits(name) for name in self.layout.names]

    @cached_property
    def levels(self) -> dict[str, float]:
        """How often one test may alarm by chance, by kind of check."""
        return self.settings.levels(self.layout.baseline, self.pane_ms, self.parts)

    @property
    def by_budget(self) -> bool:
        """Whether a series is judged by evidence and effect; if not, by the plain limits."""
        return self.settings.psi.rule == BUDGET

    @cached_property
    def table(self) -> EvidenceTable:
        """The evidence beside the baseline."""
        evidence = self.evidence or (INDEPENDENT_ROWS,) * len(self.layout.series)
        windows = self.live.baseline_windows if self.live else None
        return EvidenceTable(evidence, self.layout.baseline_coarse, self.layout.series_coarse_starts, windows)

    def hours(self, rows_by_pane: Callable[[], Mapping[int, int]]) -> Counts | None:
        """How many rows a window has in each slot of the season; None without a season, and nothing is asked then.

        Args:
            rows_by_pane: of the window, by the panes' starts.
        """
        if self.season is None:
            return None
        found = rows_by_pane()
        slots = self.season.season.slots_of(np.array(list(found), np.int64))
        rows = np.array(list(found.values()), np.int64)
        hours = np.zeros(self.season.kind.slots, np.int64)
        np.add.at(hours, slots, rows)
        return hours

    def normal(self, hours: Counts | None) -> Counts | Shares:
        """What is normal in a window, in the bins that PSI compares: the mixture of its hours, or the baseline."""
        return self.layout.baseline_coarse if hours is None else self._slots.mixed(hours)

    @cached_property
    def _slots(self) -> SlotShares:
        assert self.season is not None, "only a season has hours"
        return SlotShares.of(self.season.counts(len(self.layout.coarse_starts)), np.array(self.season.rows))

    @cached_property
    def provisional(self) -> list[bool]:
        """Of each series: whether how much healthy windows differ is not known yet, or from too few of them."""
        return [
            self.borrowed or one.provisional for one in self.evidence or (INDEPENDENT_ROWS,) * len(self.layout.series)
        ]

    @cached_property
    def effects(self) -> PerSeries:
        """Corrected PSI below which a series is not told of, in nats; infinite where it is switched off."""
        return np.array([np.inf if one.least is None else one.least for one in self.limits])

    @cached_property
    def latency(self) -> LatencyRule | None:
        """The rule on latency, with its level."""
        rule, level = self.settings.latency, self.levels.get(LATENCY)
        return rule if rule is None or level is None else rule.at(level)

    @cached_property
    def quality(self) -> QualityYardstick | None:
        """What data quality is judged with; None: it is not judged, or not in a segment."""
        rule = self.settings.quality
        if rule is None or self.segment:
            return None
        level = rule.level or self.levels.get(QUALITY, HIGHEST_LEVEL)
        return quality_yardstick(self.layout, rule, level, self.layout.quality.healthy(self.known, self.evidence))

    @cached_property
    def throughput(self) -> ThroughputYardstick | None:
        """What the number of rows is judged with; None: it is not judged, or not in a segment."""
        rule = self.settings.throughput
        if rule is None or self.segment:
            return None
        level = rule.level or self.levels.get(QUALITY, HIGHEST_LEVEL)
        window_ms = max(self.settings.window_ms // self.pane_ms, 1) * self.pane_ms
        return ThroughputYardstick(rule=rule, level=level, window_ms=window_ms, known=self.known, live=self.live_rows)

    @cached_property
    def errors(self) -> ErrorYardstick | None:
        """What answers that failed are judged with; None: they are not."""
        rule = self.settings.errors
        if rule is None:
            return None
        return ErrorYardstick(rule=rule, level=rule.level or self.levels.get(QUALITY, HIGHEST_LEVEL))

    def level(self, rows: int) -> PerSeries:
        """Of each series' test in a window of so many rows; smaller where rows are few."""
        return self.table.level(self._level, np.array(float(rows)))

    def detectable(self, rows: int) -> tuple[PerSeries, PerSeries]:
        """The PSI that half of the windows of roughly so many rows alarm at: of any shift, and of one like wander."""
        size = roughly(rows)
        if size not in self._detectable:
            n = np.full(len(self.limits), float(size))
            self._detectable[size] = minimum_detectable_psi(self.table, n, self.level(size), self.effects)
        return self._detectable[size]

    def seen(self, rows: int) -> list[Seen]:
        """The smallest changes of each series that windows of roughly so many rows are told of; rows >= 1."""
        size = roughly(rows)
        if size not in self._seen:
            settings = self.settings
            hop = Hop(settings.window_ms, self.pane_ms, by_rows=settings.interval_ms is not None)
            series, level = self.layout.series, self.level(size)
            self._seen[size] = sight(self.table, series, size, level, self.effects, hop)
        return self._seen[size]

    @cached_property
    def _seen(self) -> dict[int, list[Seen]]:
        return {}  # by size: a few for each power of ten, so that it stays small

    @cached_property
    def _detectable(self) -> dict[int, tuple[PerSeries, PerSeries]]:
        return {}

    @cached_property
    def _level(self) -> PerSeries:
        answers = self.layout.baseline.answers
        of_features = self.levels.get(FEATURES, 1.0)  # without a test of the kind every effect is infinite
        of_answers = self.levels.get(SCORE, 1.0)
        return np.array([of_features] * (len(self.limits) - answers) + [of_answers] * answers)


def yardstick_of(
    definition: Definition,
    settings: ModelSettings,
    window_ms: int,
    segment: str = "",
    learned: LearnedLive = NOTHING_LEARNED,
) -> Yardstick:
    """With what the baseline knows of windows of this length; of a segment's, or else of all rows'.

    `learned`: from the model's, or the segment's, own windows, where the baseline knows too little.
    """
    baseline, live = definition.baseline, learned.evidence
    season = None if segment else _season(definition, settings, window_ms)
    own = baseline.evidence_of(segment, window_ms) if segment else None
    known = own or baseline.evidence_for(window_ms, seasonal=season is not None)
    return Yardstick(
        layout=definition.layout_of(segment),
        settings=settings,
        pane_ms=definition.settings.pane_ms,
        segment=segment,
        known=definition.baseline.evidence_for(window_ms),
        evidence=live or (None if known is None else known.series),
        parts=1 + len(definition.segmentation.names),
        borrowed=bool(segment) and own is None and live is None,
        season=season,
        live=None if live is None else Live(live, baseline_windows(baseline, window_ms)),
        alike=learned.alike,
        live_rows=learned.rows,
    )


def is_learned_live(definition: Definition, settings: ModelSettings, window_ms: int, segment: str) -> bool:
    """Whether how much healthy windows differ is to be learned from the model's own: the baseline knows too little.

    Not against a season: its windows are each compared with other hours.
    """
    if settings.psi.rule != BUDGET or (not segment and _season(definition, settings, window_ms) is not None):
        return False
    if not definition.layout_of(segment).judges:
        return False  # without a baseline of the segment there is no verdict that could be surer
    baseline = definition.baseline
    known = baseline.evidence_of(segment, window_ms) if segment else baseline.evidence_for(window_ms)
    return known is None or known.provisional


def knows_rows(definition: Definition, window_ms: int) -> bool:
    """Whether the baseline knows how many rows windows of this length have."""
    known = definition.baseline.evidence_for(window_ms)
    return known is not None and not known.provisional


def baseline_windows(baseline: Baseline, window_ms: int) -> float | None:
    """How many windows of event time the baseline's rows are from; None where that is not known.

    It is what the baseline is uncertain by: an hour stays one hour, however many others are watched later.
    """
    made = baseline.provenance
    if made.from_ms is None or made.to_ms is None:
        return None
    return max((made.to_ms - made.from_ms) / window_ms, 1.0)


def _season(definition: Definition, settings: ModelSettings, window_ms: int) -> SeasonBaseline | None:
    """The baseline's season, unless the configuration wants another or none, or only the whole's evidence is known."""
    baseline = definition.baseline
    found = baseline.season
    if found is None or settings.season not in (None, found.kind) or pane_complaint(definition.settings.pane_ms):
        return None
    known = baseline.evidence_for(window_ms, seasonal=True) is not None
    return found if known or baseline.evidence_for(window_ms) is None else None
