"""Which bins moved, in the feature's own units: what an alert shows and says."""

import itertools
import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import CategoricalSeries, NumericSeries
from stream.baselines.layout import CATEGORICAL_EXTRAS, NUMERIC_EXTRAS, Counts, Series

MOST_MOVED: Final = 3  # bins that a description names


def bin_labels(series: Series) -> list[str]:
    """One label for each bin that PSI compares, in their order.

    >>> from stream.baselines.baseline import NumericSeries
    >>> distance = NumericSeries(name="distance", inner_edges=(500.0, 750.0, 1000.0), coarse_starts=(0, 1, 3),
    ...     counts=(5, 3, 2, 0), missing=0, invalid=0, minimum=80.0, maximum=999.0, mean=520.0, deviation=200.0)
    >>> bin_labels(distance)
    ['below 500', '[500, 1000)', '1000 and above', 'missing', 'invalid']
    """
    if isinstance(series, CategoricalSeries):
        return [*series.categories, *CATEGORICAL_EXTRAS]
    edges = coarse_edges(series)
    labels = [interval_label(low, high) for low, high in itertools.pairwise(edges)]
    return [*labels, *NUMERIC_EXTRAS]


def coarse_edges(series: NumericSeries) -> list[float]:
    """The edges of the bins that PSI compares, -inf and +inf included, shape (coarse bins + 1,)."""
    return [-math.inf, *(series.inner_edges[start - 1] for start in series.coarse_starts[1:]), math.inf]


def bins_evidence(series: Series, baseline: Counts, current: Counts) -> dict[str, Any]:
    """Both histograms over the bins that PSI compares, with their edges (null = infinite) or names."""
    evidence: dict[str, Any] = {
        "labels": bin_labels(series),
        "baseline": baseline.tolist(),
        "current": current.tolist(),
    }
    if isinstance(series, NumericSeries):
        evidence["edges"] = [e if math.isfinite(e) else None for e in coarse_edges(series)]
    return evidence


def moved_in_words(series: Series, baseline: Counts, current: Counts) -> str:
    """The bins that moved most, with their shares in the window and in the baseline."""
    now, before = _shares(current), _shares(baseline)
    most = np.argsort(-np.abs(now - before), kind="stable")[:MOST_MOVED]
    labels = bin_labels(series)
    changes = [f"{labels[i]}: {now[i]:.1%} of the rows, {before[i]:.1%} in the baseline" for i in most.tolist()]
    return f"{series.name} " + "; ".join(changes)


def interval_label(low: float, high: float) -> str:
    """[low, high) in words.

    >>> interval_label(500, 1000), interval_label(-math.inf, 500)
    ('[500, 1000)', 'below 500')
    """
    if math.isinf(low) and math.isinf(high):
        return "all values"
    if math.isinf(low):
        return f"below {high:.6g}"
    if math.isinf(high):
        return f"{low:.6g} and above"
    if high == np.nextafter(low, np.inf):
        return f"exactly {low:.6g}"
    return f"[{low:.6g}, {high:.6g})"


def _shares(counts: Counts) -> npt.NDArray[np.float64]:
    return counts / max(int(counts.sum()), 1)
