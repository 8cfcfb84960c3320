"""The labels of a file: what a column of truths says, and how good the baseline's answers were.

An empty field, null or NaN is a row that is not labelled yet. What else is no label is refused, not
passed over: a file can be mended, and a label that silently does not count makes AUC a guess.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.calibration import isotonic_map
from detectors.outcome import Undefined
from stream.baselines.baseline import LabelledScores, LabelledValues
from stream.baselines.columns import Kind, categorical_column, kind_of, numeric_column
from stream.baselines.grid import ScoreGrid
from stream.errors import InputError
from stream.records.prediction import Answer

LARGEST: Final = float(np.finfo(np.float32).max)  # what messages may carry, too
CLASS_WORDS: Final = {"true": 1.0, "false": 0.0}

Values = npt.NDArray[np.float64]


def label_values(name: str, column: pa.ChunkedArray, answer: Answer) -> Values:
    """The labels in a column, shape (rows,); NaN where there is none.

    Of a score: 0, 1, false or true. Of a value: any number that float32 holds.

    Raises:
        InputError: something else; with its row, counted from 0.

    >>> label_values("y", pa.chunked_array([[True, None, False]]), Answer.SCORE).tolist()
    [1.0, nan, 0.0]
    """
    kind = kind_of(column.type)
    if kind is Kind.CATEGORICAL:
        values, text = _of_text(name, column, answer)
    elif kind is None:
        raise InputError(f"label column {name!r} holds {column.type}; a label must be {_rule(answer)}")
    else:
        values, text = numeric_column(name, column).values, None
    wrong = np.flatnonzero(~np.isnan(values) & ~_is_label(values, answer))
    if wrong.size:
        row = int(wrong[0])
        raise _no_label(name, row, f"{values[row]:g}" if text is None else repr(text(row)), answer)
    return values


def labelled_scores(scores: Values, labels: Values, grid: ScoreGrid) -> LabelledScores | None:
    """The labelled rows by bin of the grid, with the calibration map; None without any.

    Args:
        scores: shape (rows,), in [0, 1]; a row without a finite one says nothing.
        labels: shape (rows,), 0 or 1; NaN: not labelled.
        grid: of the baseline.

    >>> from stream.baselines.grid import score_grid
    >>> scores, labels = np.array([0.1, 0.4, 0.8, 0.9]), np.array([0.0, 1.0, np.nan, 1.0])
    >>> found = labelled_scores(scores, labels, score_grid(scores))
    >>> sum(found.negatives), sum(found.positives), found.calibration[0], found.calibration[-1]
    (1, 2, 0.0, 1.0)
    """
    labelled = np.isfinite(scores) & ~np.isnan(labels)
    bins, positive = grid.index(scores[labelled]), labels[labelled] == 1
    positives = np.bincount(bins[positive], minlength=grid.bins)
    negatives = np.bincount(bins[~positive], minlength=grid.bins)
    calibration = isotonic_map(negatives, positives, grid.representatives)
    if isinstance(calibration, Undefined):
        return None
    return LabelledScores(
        negatives=tuple(negatives.tolist()),
        positives=tuple(positives.tolist()),
        calibration=tuple(calibration.tolist()),
    )


def labelled_values(values: Values, labels: Values) -> LabelledValues | None:
    """How well a regression's estimates met their labels; None without a labelled row, or where a sum overflows.

    >>> found = labelled_values(np.array([1.0, 2.0, 9.0]), np.array([1.0, 4.0, np.nan]))
    >>> found.n, found.mae, found.bias, found.label_mean, found.label_deviation
    (2, 1.0, -1.0, 2.5, 1.5)
    """
    labelled = np.isfinite(values) & ~np.isnan(labels)
    estimate, truth = values[labelled], labels[labelled]
    if not truth.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        error = estimate - truth
        squared, spread = float(np.mean(error**2)), float(np.var(truth))
        explained = 1 - np.float64(squared) / spread if spread > 0 else -np.inf
        found = LabelledValues(
            n=truth.size,
            mae=float(np.mean(np.abs(error))),
            rmse=squared**0.5,
            bias=float(np.mean(error)),
            r2=float(explained) if np.isfinite(explained) else None,  # labels that hardly vary: nothing to explain
            abs_error_deviation=float(np.std(np.abs(error))),
            label_mean=float(np.mean(truth)),
            label_deviation=spread**0.5,
        )
        numbers = (found.rmse, found.mae, found.bias, found.r2 or 0.0, found.abs_error_deviation, found.label_deviation)
    return found if np.isfinite(numbers).all() else None


def _of_text(name: str, column: pa.ChunkedArray, answer: Answer) -> tuple[Values, Callable[[int], str]]:
    """Text as numbers; what is none becomes infinite, which is no label."""
    texts = categorical_column(name, column)
    known = np.array([_number(text, answer) for text in texts.categories] or [np.nan])
    values = np.where(texts.codes >= 0, known[np.maximum(texts.codes, 0)], np.nan)
    return values, lambda row: texts.categories[texts.codes[row]]


def _number(text: str, answer: Answer) -> float:
    if answer is Answer.SCORE and text.strip().lower() in CLASS_WORDS:
        return CLASS_WORDS[text.strip().lower()]
    try:
        found = float(text)
    except ValueError:
        return np.inf
    return found if np.isfinite(found) else np.inf


def _is_label(values: Values, answer: Answer) -> npt.NDArray[np.bool_]:
    if answer is Answer.SCORE:
        return np.isin(values, (0, 1))
    return np.asarray(np.abs(values) <= LARGEST, np.bool_)


def _rule(answer: Answer) -> str:
    return "0, 1, false or true" if answer is Answer.SCORE else "a number below 3.4e38"


def _no_label(name: str, row: int, value: str, answer: Answer) -> InputError:
    fix = "; for a regression's truth name its estimate with --value" if answer is Answer.SCORE else ""
    return InputError(
        f"label column {name!r}, row {row}: a label must be {_rule(answer)}, or empty where it is not known yet, got "
        f"{value}; mend the row, or leave the column out with --ignore{fix}"
    )
