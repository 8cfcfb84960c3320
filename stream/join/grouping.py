"""Equal values of a column together: how the rows of one record are taken apart without a loop over rows."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def groups(values: Ints) -> Iterable[tuple[int, slice | Ints]]:
    """Each value with where it is, in order; nothing is sorted where there is one only, as in most records.

    >>> [(value, where.tolist()) for value, where in groups(np.array([7, 5, 7]))]
    [(5, [1]), (7, [0, 2])]
    """
    if not len(values):
        return []
    first = int(values[0])
    if (values == first).all():
        return [(first, slice(None))]
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return zip(ordered[starts].tolist(), np.split(order, starts[1:]), strict=True)


def rank_in_group(values: npt.NDArray[np.generic]) -> Ints:
    """How many equal values stand before each; shape as given.

    >>> rank_in_group(np.array([7, 5, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(values)]
    starts = np.flatnonzero(new)
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(len(values)) - starts[np.cumsum(new) - 1]
    return ranks
