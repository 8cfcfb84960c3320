"""Learning how much healthy windows of single segments differ, as `learning` does for the whole.

Of a segment that it was not learned for, the whole's evidence has to do, and its alerts are provisional.
Cost: as the whole for each value, though of fewer rows; it stops when `MOST_BYTES` would be stored.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.evidence_learning import LEAST_ROWS
from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import SegmentedBaseline, SegmentValue
from stream.baselines.columns import CategoricalColumn, Column, NumericColumn
from stream.baselines.create import PredictionColumns
from stream.baselines.evidence import WindowEvidence
from stream.baselines.learning import Learned, Windows, learn_window
from stream.baselines.segmentation import segment_name

MOST_BYTES: Final = 300_000  # of a topic's 1 MB


def with_segment_evidence(
    baseline: Baseline, columns: PredictionColumns, windows: Windows, judged: Collection[str] | None = None
) -> Learned:
    """The baseline with the evidence of each segment that it knows, the most frequent values first.

    `judged`: the segments whose alerts there can be, which the notes are about; None: all of them.
    """
    if columns.time_ms is None or not baseline.segments:
        return Learned(baseline, ())
    by_key = {column.name: column for column in columns.segments}
    room = MOST_BYTES
    unsure: list[str] = []
    keys: list[SegmentedBaseline] = []
    for key in baseline.segments:
        values: list[SegmentValue] = []
        for value in key.values:
            found = tuple(_evidence(baseline, columns, by_key[key.key], value, windows)) if room > 0 else ()
            room -= len(msgspec.json.encode(found))
            if len(found) < len(windows.lengths_ms) or any(one.provisional for one in found):
                unsure.append(segment_name(key.key, value.value))
            values.append(msgspec.structs.replace(value, evidence=found))
        keys.append(msgspec.structs.replace(key, values=tuple(values)))
    told = unsure if judged is None else [name for name in unsure if name in judged]
    return Learned(msgspec.structs.replace(baseline, segments=tuple(keys)), _notes(told))


def _evidence(
    baseline: Baseline, columns: PredictionColumns, key: CategoricalColumn, value: SegmentValue, windows: Windows
) -> Iterator[WindowEvidence]:
    if value.rows < 2 * LEAST_ROWS:
        return
    mine = rows_where(columns, key.codes == key.categories.index(value.value))
    for window_ms in windows.lengths_ms:
        one = learn_window(baseline, mine, windows, window_ms, None)
        if one.blocks >= 2:
            yield one


def rows_where(columns: PredictionColumns, wanted: npt.NDArray[np.bool_]) -> PredictionColumns:
    """Features, answers, labels and times of some rows."""
    answer = columns.answer_column
    return PredictionColumns(
        rows=int(wanted.sum()),
        features=tuple(_where(column, wanted) for column in columns.features),
        answer_column=None if answer is None else replace(answer, values=answer.values[wanted]),
        answer=columns.answer,
        time_ms=None if columns.time_ms is None else columns.time_ms[wanted],
        labels=None if columns.labels is None else columns.labels[wanted],
        classes=columns.classes,
        class_columns=tuple(replace(one, values=one.values[wanted]) for one in columns.class_columns),
    )


def _where(column: Column, wanted: npt.NDArray[np.bool_]) -> Column:
    if isinstance(column, NumericColumn):
        return replace(column, values=column.values[wanted])
    return replace(column, codes=column.codes[wanted])


def _notes(unsure: list[str]) -> tuple[str, ...]:
    if not unsure:
        return ()
    named = ", ".join(unsure[:5]) + (f" and {len(unsure) - 5} more" if len(unsure) > 5 else "")
    return (f"too few windows are known of {named}: their alerts are provisional",)
