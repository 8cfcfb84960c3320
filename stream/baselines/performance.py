"""What a model version's outcomes are counted into: from its baseline and its settings."""

import math
from typing import Final

from stream.baselines.baseline import Baseline, NumericSeries
from stream.records.outcome import PerformanceDefinition
from stream.records.prediction import Answer
from stream.records.settings import CountingSettings, OutcomeSettings

UNITS_PER_DEVIATION: Final = 256  # of the labels; errors are rounded to it, and the sums of squares have room
"""A pair counts at most 2^17 units squared (`registers.LARGEST_UNITS`): 2^29 pairs fit an int64."""


def performance_definition(
    baseline: Baseline,
    settings: CountingSettings,
    window_ms: int,
    outcomes: OutcomeSettings,
    partitions: int,
) -> PerformanceDefinition | None:
    """The definition of one model version; None where labels could not be compared with anything.

    A binary model needs a score grid, a regression a baseline of its `value`.

    Args:
        baseline: the one in force.
        settings: what the model is counted with.
        window_ms: how long its windows are.
        outcomes: how its predictions wait for labels.
        partitions: of the outcomes topic; each lets its part of `max_waiting` wait.
    """
    answer, grid = baseline.answer, baseline.grid
    if answer == Answer.VALUE:
        bins, grid_id, unit, centre = 0, "", _unit(baseline), _centre(baseline)
    elif answer == Answer.SCORE and grid is not None:
        bins, grid_id, unit, centre = grid.bins, grid.id, 0.0, 0.0
    else:
        return None
    return PerformanceDefinition(
        model=baseline.model,
        version=baseline.version,
        category="",
        task="regression" if answer == Answer.VALUE else "binary",
        grid=grid_id,
        bins=bins,
        unit=unit,
        pane_ms=settings.pane_ms,
        cohort_ms=outcomes.cohort_ms,
        baseline_id=baseline.id,
        window_ms=window_ms,
        ttl_ms=outcomes.ttl_ms,
        revision_ms=outcomes.revision_ms,
        dedupe=outcomes.dedupe,
        max_waiting=max(1, outcomes.max_waiting // partitions),
        centre=centre,
    )


def class_definitions(
    baseline: Baseline,
    settings: CountingSettings,
    window_ms: int,
    outcomes: OutcomeSettings,
    partitions: int,
) -> tuple[PerformanceDefinition, ...]:
    """Those of a multiclass model, one for each class, counted as a binary model; empty for any other model.

    A prediction waits in as many rows as there are classes, so each class may let its part of `max_waiting` wait.
    Arguments as for `performance_definition`.
    """
    by_class = baseline.by_class
    return tuple(
        PerformanceDefinition(
            model=baseline.model,
            version=baseline.version,
            category=one.name,
            task="binary",
            grid=one.grid.id,
            bins=2 * one.grid.bins,  # see `class_bins`
            unit=0.0,
            pane_ms=settings.pane_ms,
            cohort_ms=outcomes.cohort_ms,
            baseline_id=baseline.id,
            window_ms=window_ms,
            ttl_ms=outcomes.ttl_ms,
            revision_ms=outcomes.revision_ms,
            dedupe=outcomes.dedupe,
            max_waiting=max(1, outcomes.max_waiting // partitions // len(by_class)),
        )
        for one in by_class
    )


def _unit(baseline: Baseline) -> float:
    """2^floor(log2(deviation)) / 256: a power of two, so that nearly equal baselines have the same."""
    return max(math.ldexp(1.0, _exponent(baseline)) / UNITS_PER_DEVIATION, math.ldexp(1.0, -1022))


def _centre(baseline: Baseline) -> float:
    """The labels' mean, rounded to 2^floor(log2(deviation)) for the same reason; without labels the values' mean."""
    series, labels = baseline.series[-1], baseline.labelled_values
    of_values = series.mean if isinstance(series, NumericSeries) else None
    mean = labels.label_mean if labels else of_values or 0.0
    step = math.ldexp(1.0, _exponent(baseline))
    return step * round(mean / step) if step > 0 and math.isfinite(mean / step) else mean


def _exponent(baseline: Baseline) -> int:
    """floor(log2(deviation)), of the values or, if they do not vary, of the labels; 0 where nothing varies."""
    series = baseline.series[-1]
    of_values = series.deviation if isinstance(series, NumericSeries) else None
    of_labels = baseline.labelled_values.label_deviation if baseline.labelled_values else None
    return math.frexp(of_values or of_labels or 1.0)[1] - 1
