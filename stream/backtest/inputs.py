"""Two files as columns that go together: what counts as normal, and what is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream.backtest.labels import FileLabels, label_times_ms
from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.columns import (
    CategoricalColumn,
    Kind,
    NumericColumn,
    categorical_column,
    kind_of,
    number_texts_column,
    numeric_column,
    time_column_ms,
)
from stream.baselines.create import (
    Binning,
    PredictionColumns,
    baseline_of,
    check_answer,
    read_column,
    read_columns,
    span_ms,
)
from stream.baselines.files import read_table
from stream.baselines.labels import label_values
from stream.baselines.provenance import provenance, sha256_of_files
from stream.baselines.roles import (
    SEGMENT_PREFIX,
    Assigned,
    Roles,
    assign_roles,
    find_time,
    has_segment_column,
    no_such_column,
)
from stream.baselines.segment_learning import with_segments
from stream.errors import InputError
from stream.ingest.status_values import status_code
from stream.records.prediction import STATUS_OK, ModelColumns, ModelKey

BACKTEST_KEY: Final = ModelKey("backtest", "0")  # a file's baseline is registered nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnNames:
    """What the caller says of the columns."""

    roles: Roles  # of both files' columns; time and id need to be in the judged file only, the label in either:
    # without it in the baseline nothing is known to compare with, without it in the judged file there is the estimate
    label_time: str | None = None  # the judged file's column that says when a label became known
    latency: str | None = None  # its column that says how long an answer took, in ms; compared with no baseline
    segments: tuple[str, ...] = ()  # keys by whose values the rows are judged apart, too
    needs_segments: bool = True  # if not, a key that a file has no column of is left out
    status: str | None = None  # its column that says whether an answer is one: ok, or what went wrong; likewise

    def checked(self) -> Roles:
        """The roles; the columns that are the judged file's alone are no features.

        Raises:
            InputError: times of labels, but no labels.
        """
        if self.label_time is not None and self.roles.label is None:
            raise InputError("--label-time says when the labels came; name their column with --label, too")
        own = tuple(name for name in (self.label_time, self.latency, self.status) if name is not None)
        return replace(self.roles, ignore=(*self.roles.ignore, *own))


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestInput:
    """A baseline and the rows to judge, in the order of the baseline's series."""

    baseline: Baseline
    normal: PredictionColumns  # the baseline's rows, with their times if the file has any
    normal_times: str | None  # why the times that the baseline's file has cannot be used
    columns: ModelColumns
    time_ms: npt.NDArray[np.int64] | None  # shape (rows,), event time; None: the file has none
    notes: tuple[str, ...]  # what was left out and why; what is not known of healthy windows
    names: tuple[str, ...] = ()  # of the judged file's columns, those that are left out among them
    labels: FileLabels | None = None  # None: nobody asked for them
    segments: Mapping[str, CategoricalColumn] = field(default_factory=dict)  # by key: the values of the judged rows

    @property
    def rows(self) -> int:
        """How many rows are judged."""
        return len(self.columns.row)

    @property
    def answers(self) -> npt.NDArray[np.float64]:
        """Shape (rows,): the scores or values; only of a model that has them."""
        assert self.baseline.answer is not None
        answers: npt.NDArray[np.float64] = self.columns.numeric[:, -1]
        return answers


def read_input(baseline_path: Path, path: Path, named: ColumnNames, binning: Binning) -> BacktestInput:
    """Read both files and cut the bins.

    Args:
        baseline_path: the rows that count as normal.
        path: the rows to judge.
        named: what the columns are.
        binning: how finely the baseline is cut.

    Raises:
        InputError: a file cannot be read, or the two do not go together.
    """
    normal, judged = _of_one_type(read_table(baseline_path), read_table(path))
    keys, lacking = _segment_keys(named, normal, judged, (baseline_path, path))
    roles = replace(named.checked(), segments=keys)
    _check_given(roles, normal, judged, path, (named.label_time, named.latency, named.status))
    assigned = assign_roles(normal, _within(roles, normal))
    if roles.label is not None and assigned.answer is None:
        raise InputError("labels are the truth about answers; name the column of these with --score or --value, too")
    _check_pair(assigned, normal, judged, (baseline_path, path))
    time = _time_of(judged, roles, assigned)
    columns = _normal_columns(normal, assigned, roles, baseline_path)
    made = provenance(
        rows=columns.rows,
        files=[str(baseline_path)],
        data_sha256=sha256_of_files([baseline_path]),
        span_ms=span_ms(columns),
    )
    whole = baseline_of(columns, BACKTEST_KEY, made, binning, answer_name=assigned.answer_column)
    baseline = with_segments(whole, columns) if keys else whole
    times, wrong = _normal_times(normal, assigned.time)
    return BacktestInput(
        baseline=msgspec.structs.replace(baseline, number=1),
        normal=replace(columns, time_ms=times),
        normal_times=wrong,
        columns=_with_answers(_judged_columns(judged, assigned, baseline), judged, named, path),
        time_ms=None if time is None else _judged_times(judged, time, path),
        notes=assigned.notes + lacking + _left_out(judged, normal, roles, time),
        names=tuple(judged.column_names),
        labels=_labels(judged, assigned, roles, named.label_time, path),
        segments={key: _segment_values(judged, key, column) for key, column in assigned.segments},
    )


def _segment_keys(
    named: ColumnNames, normal: pa.Table, judged: pa.Table, paths: tuple[Path, Path]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that both files have a column of, and what is to be said of the others."""
    lacking: dict[str, Path] = {}
    for table, path in zip((normal, judged), paths, strict=True):
        for key in (key for key in named.segments if not has_segment_column(table, key)):
            if named.needs_segments:
                raise _located(no_such_column(key, table.column_names), path)
            lacking.setdefault(key, path)
    notes = (f"{path} has no column of the segment key {key!r}: it is left out" for key, path in lacking.items())
    return tuple(key for key in named.segments if key not in lacking), tuple(notes)


def _segment_values(judged: pa.Table, key: str, column: str) -> CategoricalColumn:
    """Of a feature from its column; else from `segment.KEY`, or the column of its name, whatever the other file has."""
    own = f"{SEGMENT_PREFIX}{key}"
    name = column if column in judged.column_names else own if own in judged.column_names else key
    return categorical_column(key, judged.column(name))


def _normal_columns(normal: pa.Table, assigned: Assigned, roles: Roles, path: Path) -> PredictionColumns:
    """Of the baseline's file, without its times; labels are read only where they are asked for."""
    named = roles.label if roles.label in normal.column_names else None
    try:
        columns = read_columns(normal, replace(assigned, time=None, label=named))
        if roles.label is not None:
            check_answer(columns)
    except InputError as problem:
        raise _located(problem, path) from problem
    return columns


def _normal_times(normal: pa.Table, time: str | None) -> tuple[npt.NDArray[np.int64] | None, str | None]:
    """Event time of the baseline's rows, None without; and what is wrong with what should be times."""
    if time is None:
        return None, None
    try:
        return time_column_ms(time, normal.column(time)), None
    except InputError as problem:
        return None, f"the baseline's {problem}: how much healthy windows differ is not known"


def _judged_times(judged: pa.Table, time: str, path: Path) -> npt.NDArray[np.int64]:
    try:
        return time_column_ms(time, judged.column(time))
    except InputError as problem:
        raise _located(problem, path) from problem


def _labels(
    judged: pa.Table, assigned: Assigned, roles: Roles, label_time: str | None, path: Path
) -> FileLabels | None:
    if roles.label is None or assigned.answer is None or assigned.answer_column is None:
        return None
    try:
        answers = numeric_column(assigned.answer_column, judged.column(assigned.answer_column))
        check_answer(
            PredictionColumns(rows=judged.num_rows, features=(), answer_column=answers, answer=assigned.answer)
        )
        if roles.label not in judged.column_names:
            return FileLabels(value=np.full(judged.num_rows, np.nan), came_ms=None)
        value = label_values(roles.label, judged.column(roles.label), assigned.answer)
        came = None if label_time is None else label_times_ms(label_time, judged.column(label_time), value)
    except InputError as problem:
        raise _located(problem, path) from problem
    return FileLabels(value=value, came_ms=came)


def _of_one_type(normal: pa.Table, judged: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A column that is empty in one file has the type that it has in the other."""
    for name in set(normal.column_names) & set(judged.column_names):
        one, other = normal.schema.field(name).type, judged.schema.field(name).type
        if kind_of(one) is Kind.EMPTY and one != other:
            normal = _emptied(normal, name, other)
        elif kind_of(other) is Kind.EMPTY and one != other:
            judged = _emptied(judged, name, one)
    return normal, judged


def _emptied(table: pa.Table, name: str, column_type: pa.DataType) -> pa.Table:
    column = pa.chunked_array([pa.nulls(table.num_rows, column_type)])
    return table.set_column(table.column_names.index(name), name, column)


def _check_given(roles: Roles, normal: pa.Table, judged: pa.Table, path: Path, told: tuple[str | None, ...]) -> None:
    """Columns that the caller names must be there: times in the file to judge, others in one of the two."""
    for name in (roles.time, *told):
        if name is not None and name not in judged.column_names:
            raise _located(no_such_column(name, judged.column_names), path)
    for name in [n for n in (roles.label, roles.id, *roles.ignore) if n is not None]:
        if name not in normal.column_names and name not in judged.column_names:
            raise _located(no_such_column(name, judged.column_names), path)


def _within(roles: Roles, table: pa.Table) -> Roles:
    """The roles of the columns that the baseline's file has; the others matter for the judged file only."""

    def held(name: str | None) -> str | None:
        return name if name in table.column_names else None

    return replace(
        roles,
        time=held(roles.time),
        label=held(roles.label),
        id=held(roles.id),
        ignore=tuple(n for n in roles.ignore if n in table.column_names),
    )


def _check_pair(assigned: Assigned, normal: pa.Table, judged: pa.Table, paths: tuple[Path, Path]) -> None:
    answer = () if assigned.answer_column is None else (assigned.answer_column,)
    for name in (*assigned.features, *answer):
        if name not in judged.column_names:
            problem = no_such_column(name, judged.column_names)
            raise InputError(f"{paths[1]}: {problem}; {paths[0]} has it: name the columns to compare with --features")
        one, other = normal.schema.field(name).type, judged.schema.field(name).type
        if name not in assigned.categorical and kind_of(one) is not kind_of(other):
            raise _unlike(name, (one, other), paths)
        if name in assigned.categorical and _is_text(one) != _is_text(other):
            raise _unlike(name, (one, other), paths)


def _is_text(column_type: pa.DataType) -> bool:
    return kind_of(column_type) in (Kind.CATEGORICAL, Kind.EMPTY)


def _unlike(name: str, types: tuple[pa.DataType, pa.DataType], paths: tuple[Path, Path]) -> InputError:
    return InputError(
        f"column {name!r} holds {types[0]} in {paths[0]} and {types[1]} in {paths[1]}; both must hold numbers, or both "
        "text: mend one of the files, or leave the column out with --ignore"
    )


def _judged_columns(table: pa.Table, assigned: Assigned, baseline: Baseline) -> ModelColumns:
    rows = table.num_rows
    columns = [read_column(table, name, name in assigned.categorical) for name in assigned.features]
    if assigned.answer_column is not None:
        columns.append(numeric_column(assigned.answer_column, table.column(assigned.answer_column)))
    numeric = [c.values for c in columns if isinstance(c, NumericColumn)]
    codes = [
        c.recoded(s.categories + s.other_categories)
        for c, s in zip(columns, baseline.series, strict=True)
        if isinstance(c, CategoricalColumn) and isinstance(s, CategoricalSeries)
    ]
    numeric_series = sum(isinstance(s, NumericSeries) for s in baseline.series)
    assert len(numeric) == numeric_series, "columns and series must be of the same kinds"
    return ModelColumns(
        row=np.arange(rows, dtype=np.int64),
        numeric=np.column_stack(numeric) if numeric else np.empty((rows, 0)),
        categorical=np.column_stack(codes) if codes else np.empty((rows, 0), np.int32),
    )


def _with_answers(columns: ModelColumns, table: pa.Table, named: ColumnNames, path: Path) -> ModelColumns:
    """With how long each answer took and how it went, where that is asked for."""
    try:
        if named.latency is not None:
            columns = replace(columns, latency_ms=_latency_ms(named.latency, table.column(named.latency)))
        if named.status is not None:
            columns = replace(columns, status=_status(named.status, table.column(named.status)))
    except InputError as problem:
        raise _located(problem, path) from problem
    return columns


def _latency_ms(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """As the service reads latencies: what is no number is bad, and its row counts all the same."""
    kind = kind_of(column.type)
    if kind is None:
        raise InputError(f"column {name!r} holds {column.type}; a latency must be a number of milliseconds")
    return (number_texts_column if kind is Kind.CATEGORICAL else numeric_column)(name, column).values


def _status(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    if kind_of(column.type) not in (Kind.CATEGORICAL, Kind.EMPTY):
        raise InputError(f"column {name!r} holds {column.type}; a status must be text: ok, or what went wrong")
    texts = categorical_column(name, column)
    of_text = np.array([status_code(text) for text in texts.categories] or [STATUS_OK], np.int8)
    return np.where(texts.codes >= 0, of_text[np.maximum(texts.codes, 0)], STATUS_OK).astype(np.int8)


def _time_of(table: pa.Table, roles: Roles, assigned: Assigned) -> str | None:
    """The column with the rows' event time."""
    taken = {*assigned.features, assigned.answer_column, roles.label, *roles.ignore}
    return roles.time or find_time(table, [n for n in table.column_names if n not in taken])


def _left_out(judged: pa.Table, normal: pa.Table, roles: Roles, time: str | None) -> tuple[str, ...]:
    if roles.features is not None:
        return ()
    known: Sequence[str] = [*normal.column_names, *roles.ignore, time or "", roles.label or "", *roles.segments]
    new = [name for name in judged.column_names if name not in known and not name.startswith(SEGMENT_PREFIX)]
    if not new:
        return ()
    what = f"column {new[0]} is" if len(new) == 1 else f"columns {', '.join(new)} are"
    return (f"{what} not in the baseline and left out",)


def _located(problem: InputError, path: Path) -> InputError:
    return InputError(f"{path}: {problem}")
