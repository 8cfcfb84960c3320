"""What a report must say, from the rows that were sent: plain numpy, nothing of ours."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

BINS = 10
HALF = 0.5  # added to each bin, so that no empty one has an infinite log


def psi_of_numbers(baseline: Sequence[float], current: Sequence[float | None]) -> float:
    """PSI over the baseline's deciles, the missing values in a bin of their own."""
    inner = np.quantile(baseline, np.linspace(0, 1, BINS + 1))[1:-1]
    assert len(set(inner)) == len(inner), "the classical rule needs a baseline without ties"
    return psi(_histogram(inner, baseline), _histogram(inner, current))


def psi_of_names(baseline: Sequence[str | None], current: Sequence[str | None]) -> float:
    """PSI over the categories of the baseline, missing ones, and those that it has not."""
    names = sorted({name for name in baseline if name is not None})
    counts = [_counts(names, values) for values in (baseline, current)]
    return psi(*counts)


def psi(baseline: Any, current: Any) -> float:
    """Sum of (c - b) ln(c / b) over the bins that are not empty on both sides."""
    b, c = np.asarray(baseline, float), np.asarray(current, float)
    used = b + c > 0
    b, c = b[used] + HALF, c[used] + HALF
    b, c = b / b.sum(), c / c.sum()
    return float(((c - b) * np.log(c / b)).sum())


def _histogram(inner: Any, values: Sequence[float | None]) -> list[int]:
    numbers = [v for v in values if v is not None]
    bins, _ = np.histogram(numbers, np.concatenate([[-np.inf], inner, [np.inf]]))
    return [*bins.tolist(), len(values) - len(numbers)]


def _counts(names: list[str], values: Sequence[str | None]) -> list[int]:
    counted = Counter(values)
    unseen = sum(n for name, n in counted.items() if name is not None and name not in names)
    return [*(counted[name] for name in names), counted[None], unseen]
