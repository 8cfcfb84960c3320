"""Outcomes partitions as their joins tell them, and a model whose baseline has labels."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import orjson

from detectors import Undefined, isotonic_map
from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline, LabelledScores, LabelledValues, NumericSeries
from stream.baselines.grid import ScoreGrid
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.settings import ModelSettings
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import (
    MOMENTS,
    PerformancePart,
    PerformancePartial,
    Sections,
    delay_bins,
    encode_performance,
    pack_sparse,
)
from tests.small_model import START_MS, Worker, baseline
from tests.unit.stream.evaluate.partials import OUTPUTS, Evaluate, judging

Counts = npt.NDArray[np.int64]

BINS = 16
EDGES = tuple(i / BINS for i in range(1, BINS))
MEANS = tuple((i + 0.5) / BINS for i in range(BINS))
GRID = ScoreGrid(edges=EDGES, means=MEANS, threshold=0.5)
PANE_S, WINDOW_PANES, COHORT_S = 10, 3, 60
START_S = START_MS // 1_000 - START_MS // 1_000 % COHORT_S  # a cohort begins here


def score_series() -> NumericSeries:
    """The score of the model: fine bins are the grid's, PSI compares four."""
    return NumericSeries(
        name="score",
        inner_edges=EDGES,
        coarse_starts=(0, 4, 8, 12),
        counts=(100,) * BINS,
        missing=0,
        invalid=0,
        minimum=0.0,
        maximum=1.0,
        mean=0.5,
        deviation=0.3,
    )


def calibrated_labels(rows_per_bin: int = 400, positive: tuple[float, ...] = MEANS) -> LabelledScores:
    """As many labels in each bin, of which as large a share is positive as the score says."""
    positives = np.array([round(rows_per_bin * share) for share in positive], np.int64)
    negatives = rows_per_bin - positives
    fit = isotonic_map(negatives, positives, np.array(MEANS))
    assert not isinstance(fit, Undefined)
    return LabelledScores(
        negatives=tuple(negatives.tolist()), positives=tuple(positives.tolist()), calibration=tuple(fit.tolist())
    )


def binary_baseline(number: int = 1, *, labelled: bool = True) -> Baseline:
    """Calibrated; its AUC is 0.83."""
    return msgspec.structs.replace(
        baseline(number),
        series=(score_series(),),
        grid=GRID,
        labelled=calibrated_labels() if labelled else None,
    )


def value_baseline(number: int = 1) -> Baseline:
    """Of a regression whose error is 4 on average."""
    return msgspec.structs.replace(
        baseline(number),
        task="regression",
        answer="value",
        series=(msgspec.structs.replace(score_series(), name="value"),),
        labelled_values=LabelledValues(
            n=1_000,
            mae=4.0,
            rmse=5.0,
            bias=0.0,
            r2=0.9,
            abs_error_deviation=3.0,
            label_mean=100.0,
            label_deviation=15.0,
        ),
    )


def definition(of: Baseline | None = None, **changed: Any) -> PerformanceDefinition:
    """Panes of ten seconds, cohorts of a minute, labels for ten."""
    binary = of is None or of.answer == "score"
    plain = PerformanceDefinition(
        model="m",
        version="0",
        category="",
        task="binary" if binary else "regression",
        grid=GRID.id if binary else "",
        bins=BINS if binary else 0,
        unit=0.0 if binary else 0.25,
        pane_ms=PANE_S * 1_000,
        cohort_ms=COHORT_S * 1_000,
        baseline_id="m@0#1" if of is None else of.id,
        window_ms=WINDOW_PANES * PANE_S * 1_000,
        ttl_ms=600_000,
        revision_ms=60_000,
        dedupe=True,
        max_waiting=1_000,
    )
    return msgspec.structs.replace(plain, **changed)


@dataclass(frozen=True)
class Pair:
    """One prediction with its label; times in seconds after START_S."""

    bin: int
    positive: bool
    predicted: int
    label: int

    @property
    def arrival(self) -> int:
        return max(self.predicted, self.label)


class Join:
    """One outcomes partition: what it has joined, and what it tells evaluate of it."""

    def __init__(self, partition: int = 0, *, sources: int = 1, of: PerformanceDefinition | None = None) -> None:
        self.source, self.sources = f"outcomes/{partition}", sources
        self.definition = of or definition()
        self.sections = Sections.of(self.definition)
        self.next_offset = self.said = 0
        self.arrivals: dict[int, Counts] = defaultdict(self._nothing)
        self.cohorts: dict[int, Counts] = defaultdict(self._nothing)
        self.changed: set[tuple[bool, int]] = set()

    def predicts(self, score_bin: int, at: int, rows: int = 1) -> None:
        self.next_offset += 1
        self._add(cohort=True, at=at, counter=self.sections.predictions.start + score_bin, rows=rows)

    def joins(self, pair: Pair, rows: int = 1) -> None:
        self.next_offset += 1
        of_class = self.sections.positives if pair.positive else self.sections.negatives
        delay = self.sections.delays.start + int(delay_bins(np.array([pair.label - pair.predicted]))[0])
        for cohort, at in ((False, pair.arrival), (True, pair.predicted)):
            self._add(cohort=cohort, at=at, counter=of_class.start + pair.bin, rows=rows)
            self._add(cohort=cohort, at=at, counter=delay, rows=rows)

    def revises(self, old: Pair, new: Pair) -> None:
        self.joins(old, -1)
        self.joins(new)

    def sums(self, errors: list[float], labels: list[float], at: int) -> None:
        """Pairs of a regression, in units of the definition."""
        self.next_offset += 1
        unit = self.definition.unit
        error = [round(e / unit) for e in errors]
        label = [round(v / unit) for v in labels]
        moments = (
            len(error), 0, sum(error), sum(map(abs, error)), sum(e * e for e in error),
            sum(label), sum(v * v for v in label),
        )  # fmt: skip
        for cohort in (False, True):
            for i, total in enumerate(moments):
                self._add(cohort=cohort, at=at, counter=self.sections.moments.start + i, rows=total)
            self._add(cohort=cohort, at=at, counter=self.sections.delays.start, rows=len(error))
        assert len(moments) == len(MOMENTS)

    def says(self, watermark: int | None, *, chunks: int = 1) -> list[PerformancePartial]:
        """Its word at a watermark, in seconds after START_S: closed panes that changed, and all cohorts that did."""
        self.next_offset += 1
        after, self.said = self.said, self.next_offset
        reached = -(1 << 62) if watermark is None else START_S + watermark
        ready = sorted((c, s) for c, s in self.changed if c or s + PANE_S <= reached)
        self.changed -= set(ready)
        parts = [
            PerformancePart(
                self.definition.id,
                cohort,
                start * 1_000,
                self.next_offset,
                pack_sparse((self.cohorts if cohort else self.arrivals)[start]),
            )
            for cohort, start in ready
        ]
        cut = [parts[i::chunks] for i in range(chunks)]
        return [
            PerformancePartial(
                source=self.source,
                sources=self.sources,
                next_offset=self.next_offset,
                watermark_ms=reached * 1_000 if watermark is not None else reached,
                definitions={self.definition.id: self.definition},
                panes=panes,
                last=i == chunks - 1,
                after=after,
                chunk=i,
            )
            for i, panes in enumerate(cut)
        ]

    def _add(self, *, cohort: bool, at: int, counter: int, rows: int) -> None:
        length = COHORT_S if cohort else PANE_S
        start = START_S + at - at % length
        (self.cohorts if cohort else self.arrivals)[start][counter] += rows
        self.changed.add((cohort, start))

    def _nothing(self) -> Counts:
        return np.zeros(self.sections.width, np.int64)


class Labels(Evaluate):
    """An evaluate fold that hears joins."""

    def __init__(self, *known: Baseline, rules: PerformanceRules | None = None, worker: Worker | None = None) -> None:
        self.rules = rules or PerformanceRules()
        super().__init__(*(known or (binary_baseline(),)), window_ms=WINDOW_PANES * PANE_S * 1_000, worker=worker)

    def new_fold(self) -> EvaluateFold:
        return EvaluateFold(outputs=OUTPUTS, settings_of=self.settings_of, find_baseline=self.worker.find)

    def settings_of(self, _: str) -> ModelSettings:
        return replace(judging(window_ms=WINDOW_PANES * PANE_S * 1_000), performance=self.rules)

    def hears_of(self, *said: list[PerformancePartial]) -> None:
        """Each word in a batch of its own."""
        for partials in said:
            self.hears(*(encode_performance(p) for p in partials))

    @property
    def performance(self) -> list[dict[str, Any]]:
        return [
            orjson.loads(o.value)
            for o in self.sent
            if o.to.topic == "reports" and o.value is not None and b"/performance" in (o.key or b"")
        ]

    def newest(self) -> dict[int, dict[str, Any]]:
        """Of each window, by its end in seconds after START_S, the last report."""
        return {seconds(report["window"]["end"]): report for report in self.performance}


def seconds(text: str) -> int:
    """An RFC 3339 time in seconds after START_S."""
    return round(datetime.fromisoformat(text).timestamp()) - START_S


def windows(labels: Labels) -> list[tuple[int, int, int]]:
    """Of each report in order: the window's end, its labels, its revision."""
    return [(seconds(r["window"]["end"]), r["n"], r["revision"]) for r in labels.performance]


def healthy_pairs(rows: int, at: int, random: np.random.Generator, shares: tuple[float, ...] = MEANS) -> list[Pair]:
    """Pairs of one arrival pane whose labels are as likely as `shares` says of their bin."""
    bins = random.integers(0, BINS, rows)
    positive = random.random(rows) < np.array(shares)[bins]
    return [Pair(int(b), bool(p), at, at + 1) for b, p in zip(bins, positive, strict=True)]
