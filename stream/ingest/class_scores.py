"""`scores` of a multiclass model to one number per class: by name from an object, by place from an array.

A class that an object does not name is missing; a name that the baseline does not know is not read. An array
must have one number for each class, in the baseline's order: nothing else says which is which.
"""

import math
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from stream.ingest.fault import Fault, shown
from stream.ingest.feature_values import INVALID_NUMBER, MISSING_NUMBER


def class_scores(scores: object, classes: Sequence[str]) -> list[float]:
    """The number of each class, NaN where there is none; `scores` has no fault.

    >>> class_scores({"b": 1, "z": 0.5}, ("a", "b")), class_scores([0.25, 0.75], ("a", "b"))
    ([nan, 1.0], [0.25, 0.75])
    """
    if isinstance(scores, dict):
        return [float(scores.get(name, MISSING_NUMBER)) for name in classes]
    return [float(one) for one in scores] if isinstance(scores, list) else [MISSING_NUMBER] * len(classes)


def class_scores_fault(scores: object, classes: Sequence[str]) -> Fault | None:
    """Why the numbers in `scores`, an object, an array or null, are not those of the classes, or None."""
    if isinstance(scores, list) and len(scores) != len(classes):
        return Fault(
            "wrong_type",
            f"scores must be {len(classes)} numbers in the order of the baseline's classes, or an object by class; "
            f"got an array of {len(scores)}",
        )
    for name, score in zip(classes, class_scores(scores, classes), strict=True):
        if not (math.isnan(score) or 0 <= score <= 1):
            return Fault("score_out_of_range", f"scores must be in [0, 1], got {shown(score)} for class {shown(name)}")
    return None


def class_columns(rows: Sequence[dict[str, float] | list[float] | None], classes: Sequence[str]) -> npt.NDArray[Any]:
    """The numbers of many rows, shape (classes, rows); NaN = missing, +inf = an array of another length.

    >>> class_columns([{"a": 1.0}, [0.25, 0.75], None, [1.0]], ("a", "b")).tolist()
    [[1.0, 0.25, nan, inf], [nan, 0.75, nan, inf]]
    """
    k = len(classes)
    nothing, wrong, all_of = (MISSING_NUMBER,) * k, (INVALID_NUMBER,) * k, itemgetter(*classes)
    found: list[Sequence[float]] = []
    for scores in rows:
        if isinstance(scores, dict):
            try:
                found.append(all_of(scores))
            except KeyError:
                found.append([scores.get(name, MISSING_NUMBER) for name in classes])
        elif scores is None:
            found.append(nothing)
        else:
            found.append(scores if len(scores) == k else wrong)
    return np.array(found, np.float64).reshape(len(rows), k).T
