"""Which column of a table is what: given by name, or found by its name."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from stream.baselines.columns import SMALLEST_EPOCH_MS, Kind, kind_of, numeric_column, stray_text
from stream.errors import InputError
from stream.records.prediction import Answer

SCORE_NAME: Final = "score"
VALUE_NAME: Final = "value"
TIME_NAMES: Final = ("ts", "timestamp", "time")
ID_NAME: Final = "prediction_id"
LABEL_NAME: Final = "label"
ENVELOPE_NAMES: Final = ("model", "version", "model_version", "latency", "latency_ms", "status")
SEGMENT_PREFIX: Final = "segment."  # a column of the messages' `segment`, and no feature
INDEX_NAMES: Final = ("", "Unnamed: 0", "__index_level_0__")  # a data frame's row names


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the caller says about the columns; None: find it by name."""

    score: str | None = None  # P(positive), in [0, 1]
    value: str | None = None  # a regression's estimate
    scores: tuple[str, ...] | None = None  # P(class) of each class of a multiclass model
    features: tuple[str, ...] | None = None  # None: every column that has no other role
    time: str | None = None
    label: str | None = None
    id: str | None = None
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()  # features to count by their text although they are numbers
    segments: tuple[str, ...] = ()  # keys by whose values the rows are kept apart, too
    task: str | None = None  # binary | regression | multiclass, as it is configured; None: as the columns are


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Every column's role, decided."""

    features: tuple[str, ...]  # in the table's order
    categorical: frozenset[str]  # those of `features` that are counted as categories
    answer_column: str | None
    answer: Answer | None
    time: str | None
    label: str | None
    notes: tuple[str, ...]  # what was left out and why, one sentence each
    score_columns: tuple[str, ...] = ()  # of a multiclass model, in the order of its classes
    segments: tuple[tuple[str, str], ...] = ()  # segment key and the column that holds its values


def assign_roles(table: pa.Table, roles: Roles) -> Assigned:
    """Decide what each column is.

    Raises:
        InputError: a named column is not there, has two roles, or cannot be what it shall be;
            or neither a feature nor an answer is left.
    """
    _check_names(table, roles)
    free = [name for name in table.column_names if name not in roles.ignore and name not in (roles.features or ())]
    label = roles.label or _found(LABEL_NAME, free)
    answer_column, answer = _answer(free, roles, regression=_is_regression(table, label, roles))
    time = roles.time or find_time(table, [n for n in free if n not in (answer_column, *(roles.scores or ()))])
    taken = {answer_column, time, label, roles.id or _found(ID_NAME, free), *(roles.scores or ())}
    notes: list[str] = []
    if roles.features is None:
        features = _rest(table, [n for n in free if n not in taken], roles.categorical, notes)
        if answer is None and roles.task is None and VALUE_NAME in features:
            notes.append("column 'value' is counted as a feature; a regression's estimate is named by --value value")
    else:
        features = tuple(name for name in table.column_names if name in roles.features)
        _check_types(table, features, roles.categorical)
    if not features and answer is None:
        raise InputError(f"no feature and no score among the columns {_listed(table.column_names)}; name one")
    by_text = frozenset(n for n in features if n in roles.categorical or _is_text(table, n))
    return Assigned(
        features=features,
        categorical=by_text,
        answer_column=answer_column,
        answer=answer,
        time=time,
        label=label,
        notes=tuple(notes),
        score_columns=roles.scores or (),
        segments=tuple((key, _segment_column(table, key, by_text)) for key in roles.segments),
    )


def has_segment_column(table: pa.Table, key: str) -> bool:
    """Whether a column holds the values of a segment key."""
    return key in table.column_names or f"{SEGMENT_PREFIX}{key}" in table.column_names


def _segment_column(table: pa.Table, key: str, by_text: Collection[str]) -> str:
    """The column of a key: the categorical feature, as in counting; else `segment.KEY`, or the one of its name."""
    if not has_segment_column(table, key):
        raise no_such_column(key, table.column_names)
    own = f"{SEGMENT_PREFIX}{key}"
    return own if own in table.column_names and key not in by_text else key


def _check_names(table: pa.Table, roles: Roles) -> None:
    repeated = sorted({n for n in table.column_names if table.column_names.count(n) > 1})
    if repeated:
        raise InputError(f"column names must be unique; {_listed(repeated)} come more than once")
    single = [n for n in (roles.score, roles.value, roles.time, roles.label, roles.id) if n is not None]
    listed = [*(roles.features or ()), *(roles.scores or ()), *roles.ignore]
    for name in [*single, *listed, *roles.categorical]:
        if name not in table.column_names:
            raise no_such_column(name, table.column_names)
    twice = sorted({n for n in single + listed if (single + listed).count(n) > 1})
    if twice:
        raise InputError(f"a column has one role; {_listed(twice)} got more than one")
    if len([one for one in (roles.score, roles.value, roles.scores) if one is not None]) > 1:
        raise InputError(
            "a model has a score or a value, not both, or a score for each class; name one of them and --ignore the "
            "other"
        )


def no_such_column(name: str, names: Sequence[str]) -> InputError:
    """The complaint about a column that a table has not."""
    return InputError(f"there is no column {name!r}; the columns are {names_and_hint(name, names)}")


def names_and_hint(name: str, names: Sequence[str]) -> str:
    """The names that there are, and the one that a wrong name may stand for.

    >>> names_and_hint("hours", ["hour", "score"])
    "hour, score; did you mean 'hour'?"
    """
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{_listed(names)}{hint}"


def _answer(free: Sequence[str], roles: Roles, *, regression: bool) -> tuple[str | None, Answer | None]:
    if roles.value is not None:
        return roles.value, Answer.VALUE
    if roles.scores is not None:
        return None, Answer.SCORES
    if roles.task == "multiclass":
        raise InputError(
            "the task is multiclass, and no name tells its columns; name those of P(class), --scores A,B,C"
        )
    column = roles.score or _found(SCORE_NAME, free)
    if column is None and regression and VALUE_NAME in free:
        return VALUE_NAME, Answer.VALUE
    return column, Answer.SCORE if column is not None else None


def _is_regression(table: pa.Table, label: str | None, roles: Roles) -> bool:
    """Whether a column named `value` is the answer: the task says so or, where there is none, the labels do."""
    if roles.task is not None or label is None:
        return roles.task == "regression"
    column = table.column(label)
    if kind_of(column.type) is not Kind.NUMERIC:
        return False
    labels = numeric_column(label, column).values
    return bool((np.isfinite(labels) & (labels != 0) & (labels != 1)).any())


def _found(wanted: str, free: Sequence[str]) -> str | None:
    return wanted if wanted in free else None


def find_time(table: pa.Table, free: Sequence[str]) -> str | None:
    """The first of the free columns with a time's name that may hold times; None if there is none.

    Small numbers under such a name are no epoch milliseconds, but a feature.
    """
    return next((n for n in TIME_NAMES if n in free and _may_be_time(table.column(n))), None)


def _may_be_time(column: pa.ChunkedArray) -> bool:
    kind = kind_of(column.type)
    if kind is not Kind.NUMERIC:
        return kind is not Kind.EMPTY
    first = next((value for chunk in column.chunks for value in chunk[:1].to_pylist()), None)
    return first is not None and float(first) >= SMALLEST_EPOCH_MS


def _rest(table: pa.Table, names: Sequence[str], categorical: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    features = []
    for name in names:
        if name.startswith(SEGMENT_PREFIX):
            continue
        if name in INDEX_NAMES:
            notes.append(f"column {name!r} is taken for row names and left out")
        elif name in ENVELOPE_NAMES and name not in categorical:
            notes.append(f"column {name!r} belongs to the envelope and is left out; use --features to count it")
        elif kind_of(table.schema.field(name).type) is None and name not in categorical:
            kind = table.schema.field(name).type
            notes.append(f"column {name!r} holds {kind} and is left out; use --categorical to count it by its text")
        else:
            if name in TIME_NAMES and kind_of(table.schema.field(name).type) is Kind.NUMERIC:
                notes.append(
                    f"column {name!r} holds no epoch milliseconds and is counted as a feature; multiply seconds by 1000"
                )
            if name not in categorical and (stray := stray_text(table.column(name))) is not None:
                notes.append(
                    f"column {name!r} is counted by its text, although most of it are numbers; "
                    f"the first that is none is {stray!r}: mend it, or use --categorical {name}"
                )
            features.append(name)
    return tuple(features)


def _check_types(table: pa.Table, features: Iterable[str], categorical: Sequence[str]) -> None:
    for name in features:
        if kind_of(table.schema.field(name).type) is None and name not in categorical:
            kind = table.schema.field(name).type
            raise InputError(f"feature {name!r} holds {kind}, no numbers or text; drop it, or use --categorical {name}")


def _is_text(table: pa.Table, name: str) -> bool:
    return kind_of(table.schema.field(name).type) is Kind.CATEGORICAL


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
