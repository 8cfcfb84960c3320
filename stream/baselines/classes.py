"""The classes of a multiclass model: their names, their score grids, and what a file's labels say of them.

Each class is counted as a binary model, its own rows against the rest. A row's bin for one class says the
grid bin of the class's score and whether no class scores higher, so that the k counts hold the accuracy too.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream.baselines.baseline import ClassScores
from stream.baselines.columns import NumericColumn, categorical_column, kind_of
from stream.baselines.grid import DEFAULT_THRESHOLD, ScoreGrid, grid_complaint, score_grid
from stream.errors import InputError

FEWEST: Final = 2
MOST: Final = 32
PREFIXES: Final = ("scores.", "score_", "proba_")  # of a column; the rest of its name is the class
MOST_BINS: Final = 2_048  # of a class's grid: the join keeps 2 * bin + is_top in 12 bits
CLASS_BINS: Final = 1_000  # quantile bins of a class's grid; atoms may double them
ALL_BINS: Final = 12_000  # over all classes, so that a registry entry stays below 1 MB
UNKNOWN_CLASS: Final = -1.0  # a label that names none of the classes

Values = npt.NDArray[np.float64]


def class_names(columns: Sequence[str]) -> tuple[str, ...]:
    """The class that each score column is of.

    Raises:
        InputError: fewer than 2 or more than 32, or two of one name, or one that nobody could read.

    >>> class_names(["score_setosa", "proba_virginica", "other"])
    ('setosa', 'virginica', 'other')
    """
    names = tuple(_without_prefix(column) for column in columns)
    if not FEWEST <= len(names) <= MOST:
        raise InputError(f"a multiclass model has {FEWEST} to {MOST} classes, --scores names {len(names)} columns")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the columns of --scores must be of different classes; {', '.join(twice)} comes twice")
    odd = next((name for name in names if not name.isprintable()), None)
    if odd is not None:
        raise InputError(f"a class's name must be printable text, got {odd!r}; rename its column")
    return names


def class_bins(grids: Sequence[ScoreGrid], scores: Values) -> npt.NDArray[np.int64]:
    """2 * grid bin + is_top of each class in each row, shape (rows, classes); of equal scores the first class is top.

    Args:
        grids: of the classes.
        scores: shape (rows, classes), finite.

    >>> grid = ScoreGrid(edges=(0.5,), means=(0.2, 0.8), threshold=0.5)
    >>> class_bins((grid, grid), np.array([[0.9, 0.1], [0.5, 0.5]])).tolist()
    [[3, 0], [3, 2]]
    """
    bins = np.stack([grid.index(column) for grid, column in zip(grids, scores.T, strict=True)], axis=1)
    is_top = np.arange(len(grids)) == np.argmax(scores, axis=1)[:, None]
    found: npt.NDArray[np.int64] = 2 * bins + is_top
    return found


def top_classes(scores: Values) -> npt.NDArray[np.int64]:
    """The class that each row answers, shape (rows,): its place; the number of classes where a score is missing.

    Args:
        scores: shape (rows, classes); of equal scores the first class is the answer.

    >>> top_classes(np.array([[0.1, 0.9], [0.5, 0.5], [0.9, np.nan]])).tolist()
    [1, 0, 2]
    """
    known = np.isfinite(scores).all(axis=1)
    found: npt.NDArray[np.int64] = np.where(known, np.argmax(scores, axis=1), scores.shape[1])
    return found


def class_labels(name: str, column: pa.ChunkedArray, classes: Sequence[str]) -> Values:
    """The place of each label's class, shape (rows,): NaN where there is none, UNKNOWN_CLASS for another name.

    Raises:
        InputError: the column has no text, or no label of it names a class.

    >>> class_labels("y", pa.chunked_array([["b", None, "z"]]), ("a", "b")).tolist()
    [1.0, nan, -1.0]
    """
    if kind_of(column.type) is None:
        raise InputError(f"label column {name!r} holds {column.type}; a label must be the name of a class")
    texts = categorical_column(name, column)
    places = {one: float(i) for i, one in enumerate(classes)}
    known = np.array([places.get(_plain(text), UNKNOWN_CLASS) for text in texts.categories] or [np.nan])
    found = np.where(texts.codes >= 0, known[np.maximum(texts.codes, 0)], np.nan)
    if (~np.isnan(found)).any() and not (found >= 0).any():
        raise InputError(
            f"no label in column {name!r} names a class; the classes are {', '.join(classes)}, the first label is "
            f"{texts.categories[int(texts.codes[np.argmax(texts.codes >= 0)])]!r}"
        )
    return found


def class_scores(
    classes: Sequence[str], columns: Sequence[NumericColumn], labels: Values | None, inherited: Sequence[ClassScores]
) -> tuple[ClassScores, ...]:
    """The grid of each class, and where the rows are labelled what was labelled in it.

    Args:
        classes: their names.
        columns: their scores.
        labels: place of each row's class, shape (rows,); NaN: not labelled. None: there is no label column.
        inherited: of an earlier baseline of the same model version, whose grids stay; or empty.

    Raises:
        InputError: other classes than before, or a class without a score.
    """
    if inherited and tuple(one.name for one in inherited) != tuple(classes):
        before = ", ".join(one.name for one in inherited)
        raise InputError(
            f"the baseline in force has the classes {before}, in this order; a model with other ones, or in another "
            "order, is another --version"
        )
    grids = [one.grid for one in inherited] or _grids(columns)
    scores = np.stack([column.values for column in columns], axis=1)
    tops = np.bincount(top_classes(scores), minlength=len(classes) + 1).tolist()
    found = tuple(
        ClassScores(name=name, grid=grid, top=top) for name, grid, top in zip(classes, grids, tops[:-1], strict=True)
    )
    labelled = np.isfinite(scores).all(axis=1)
    if labels is None or not (labelled := labelled & ~np.isnan(labels)).any():
        return found
    bins, truth = class_bins(grids, scores[labelled]), labels[labelled]
    return tuple(_with_labels(one, bins[:, i], truth == i) for i, one in enumerate(found))


def class_complaint(one: ClassScores) -> str | None:
    """Why a class cannot be counted, or None."""
    if wrong := grid_complaint(one.grid):
        return f"its score grid: {wrong}"
    if one.grid.bins > MOST_BINS:
        return f"its score grid may have at most {MOST_BINS:,} bins"
    if one.top is not msgspec.UNSET and one.top < 0:
        return "no fewer than 0 rows can have it as their answer"
    counts = [counts for counts in (one.negatives, one.positives) if counts is not None]
    if any(len(c) != 2 * one.grid.bins or min(c) < 0 for c in counts):
        return "its labelled rows must be two counts per bin of the score grid, none negative"
    return None


def _grids(columns: Sequence[NumericColumn]) -> list[ScoreGrid]:
    grids = []
    for column in columns:
        grid = score_grid(column.values, DEFAULT_THRESHOLD, min(CLASS_BINS, ALL_BINS // len(columns)))
        if grid is None:
            raise InputError(f"column {column.name!r} has no score in any row; every class needs some")
        grids.append(grid)
    return grids


def _with_labels(one: ClassScores, bins: npt.NDArray[np.int64], own: npt.NDArray[np.bool_]) -> ClassScores:
    counts = [np.bincount(bins[rows], minlength=2 * one.grid.bins) for rows in (~own, own)]
    return ClassScores(
        name=one.name,
        grid=one.grid,
        negatives=tuple(counts[0].tolist()),
        positives=tuple(counts[1].tolist()),
        top=one.top,
    )


def _without_prefix(column: str) -> str:
    prefix = next((p for p in PREFIXES if column.startswith(p) and column != p), "")
    return column.removeprefix(prefix)


def _plain(text: str) -> str:
    """A whole number as messages write it: a column with gaps holds 3.0 for 3."""
    whole = text.removesuffix(".0")
    return whole if whole.lstrip("-").isdecimal() else text
