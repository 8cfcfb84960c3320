"""Where a model got worse: both classes over the bins of the score that PSI compares, now and in the baseline."""

import math
from typing import Any, Final

import numpy as np

from stream.baselines.layout import Counts

MOST_TOLD: Final = 3  # bins that a description names


def classes_evidence(
    labels: tuple[str, ...],
    edges: tuple[float, ...],
    now: tuple[Counts, Counts],
    before: tuple[Counts, Counts] | None,
) -> dict[str, Any]:
    """The labelled rows by bin, as an alert shows them; null where the baseline has no labels.

    Args:
        labels: of the bins.
        edges: of the bins, infinite ones included (null in the evidence), shape (bins + 1,).
        now: negatives and positives of the window, each of shape (bins,).
        before: those of the baseline.
    """
    return {
        "labels": list(labels),
        "edges": [e if math.isfinite(e) else None for e in edges],
        "negatives": now[0].tolist(),
        "positives": now[1].tolist(),
        "baseline_negatives": None if before is None else before[0].tolist(),
        "baseline_positives": None if before is None else before[1].tolist(),
    }


def classes_in_words(bins: dict[str, Any]) -> str:
    """The bins whose share of positives moved most, weighted by how many rows they have.

    >>> edges = (-math.inf, 0.5, math.inf)
    >>> now, before = (np.array([90, 10]), np.array([10, 90])), (np.array([90, 50]), np.array([10, 50]))
    >>> classes_in_words(classes_evidence(("below 0.5", "0.5 and above"), edges, now, before))
    'score 0.5 and above: 90.0% of 100 rows positive, 50.0% in the baseline; below 0.5: 10.0% of 100 rows positive, \
10.0% in the baseline'
    """
    rows = np.add(bins["negatives"], bins["positives"])
    share = np.divide(bins["positives"], np.maximum(rows, 1))
    if bins["baseline_positives"] is None:
        most = np.argsort(-rows, kind="stable")[:MOST_TOLD]
        told = [f"{bins['labels'][i]}: {share[i]:.1%} of {rows[i]} rows positive" for i in most.tolist()]
        return f"score {'; '.join(told)}"
    rows_before = np.add(bins["baseline_negatives"], bins["baseline_positives"])
    before = np.divide(bins["baseline_positives"], np.maximum(rows_before, 1))
    most = np.argsort(-np.abs(share - before) * rows, kind="stable")[:MOST_TOLD]
    told = [
        f"{bins['labels'][i]}: {share[i]:.1%} of {rows[i]} rows positive, {before[i]:.1%} in the baseline"
        for i in most.tolist()
    ]
    return f"score {'; '.join(told)}"
