"""What the rows of a baseline say of single segments.

Promise: the same rows in any order give the same counts.
Cost: about 0.05 s per million rows and series.
"""

from collections.abc import Iterator

import msgspec

from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import Counts, segmented
from stream.baselines.columns import CategoricalColumn
from stream.baselines.create import PredictionColumns
from stream.baselines.layout import Layout
from stream.baselines.learning import values_of


def with_segments(baseline: Baseline, columns: PredictionColumns) -> Baseline:
    """The baseline with its rows, the `columns`, kept apart by the value of each segment key."""
    by_key = tuple(
        segmented(column.name, column.codes, column.categories, _bins(baseline, columns))
        for column in _by_name(columns.segments)
    )
    return msgspec.structs.replace(baseline, segments=by_key)


def _by_name(columns: tuple[CategoricalColumn, ...]) -> list[CategoricalColumn]:
    return sorted(columns, key=lambda column: column.name)


def _bins(baseline: Baseline, columns: PredictionColumns) -> Iterator[tuple[Counts, int]]:
    """Of each series the bin that PSI compares in which each row lies, and how many bins there are."""
    layout = Layout(baseline)
    for j, (column, series) in enumerate(zip(columns.series, layout.series, strict=True)):
        yield layout.compared_bins(j, values_of(column, series)), layout.series_widths[j]
