"""Which of the definitions that a model is counted with judges a window."""

from typing import NamedTuple

from stream.evaluate.candidate import Candidate


class Reign(NamedTuple):
    """Which windows a definition may be in force for, by their ends."""

    candidate: Candidate
    full_ms: float  # from here on every source has filled its window; infinite while one does not count with it
    over_ms: float  # behind it some source has counted with its successor only


def in_force(reigns: list[Reign], end_ms: int) -> Candidate:
    """What the window that ends at `end_ms` is evaluated with; `reigns`: the one that is to be in force last, last."""
    if len(reigns) == 1:
        return reigns[0].candidate
    full = (reign.candidate for reign in reversed(reigns) if reign.full_ms <= end_ms)
    going_on = (reign.candidate for reign in reigns if end_ms <= reign.over_ms)
    return next(full, None) or next(going_on, reigns[-1].candidate)
