"""How much healthy windows differ, learned from the baseline's file for each length of window that is cut by time."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import pyarrow as pa

from stream.backtest.rule_sets import Hop
from stream.baselines.baseline import Baseline
from stream.baselines.columns import time_column_ms
from stream.baselines.create import PredictionColumns
from stream.baselines.evidence import WindowEvidence
from stream.baselines.learning import Windows, learn
from stream.errors import InputError


def with_evidence(
    baseline: Baseline, columns: PredictionColumns, normal: pa.Table, time: str | None, hops: Iterable[Hop]
) -> tuple[Baseline, tuple[str, ...]]:
    """The baseline with what its rows say of each window length, and what could not be learned.

    Args:
        baseline: of the columns.
        columns: the baseline's rows.
        normal: the same rows as a table.
        time: the column with their event time; None: there is none.
        hops: how the other file's rows are cut.
    """
    timed = [hop for hop in hops if not hop.by_rows]
    if not timed:
        return baseline, (_BY_ROWS,)
    try:
        times = None if time is None else time_column_ms(time, normal.column(time))
    except InputError as problem:
        return baseline, (f"the baseline's {problem}: how much healthy windows differ is not known",)
    found: dict[int, WindowEvidence] = {}
    notes: dict[str, None] = {}
    for hop in timed:
        learned = learn(baseline, replace(columns, time_ms=times), Windows((hop.window,), hop.pane))
        found |= {one.window_ms: one for one in learned.baseline.evidence if one.window_ms not in found}
        notes |= dict.fromkeys(learned.notes)
    return msgspec.structs.replace(baseline, evidence=tuple(found.values())), tuple(notes)


_BY_ROWS = (
    "windows are cut by rows, so how much healthy windows differ is not learned and alerts are provisional; "
    "cut them by time with --window"
)
