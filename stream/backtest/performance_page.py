"""The part of a backtest's page that tells of labels: AUC (or MAE) over the windows, and a table of all of them."""

import html
import math
from collections.abc import Callable, Sequence
from typing import Final

from stream.backtest.picture import Axis, limit_line, lines, mark, picture
from stream.backtest.result import BaselineResult, WindowResult
from stream.baselines.performance_evidence import AUC, MAE, WORDS

SURE: Final = 1.96  # standard errors: what sampling leaves open in 95 of 100 windows
Cell = tuple[str, Callable[[WindowResult], float | None]]

OF_SCORE: Final[tuple[Cell, ...]] = (
    ("AUC", lambda w: w.auc),
    ("at least", lambda w: w.auc_low),
    ("at most", lambda w: w.auc_high),
    ("standard error", lambda w: w.auc_se),
    ("estimate", lambda w: w.auc_estimated),
    ("Brier", lambda w: w.brier),
    ("precision", lambda w: w.precision),
    ("recall", lambda w: w.recall),
)
OF_VALUE: Final[tuple[Cell, ...]] = (
    ("MAE", lambda w: w.mae),
    ("RMSE", lambda w: w.rmse),
    ("bias", lambda w: w.bias),
    ("R²", lambda w: w.r2),
)


def performance_section(windows: Sequence[WindowResult], baseline: BaselineResult, *, regression: bool) -> str:
    """As HTML; empty where nobody asked for labels."""
    if all(w.n_labels is None for w in windows):
        return ""
    drawn = _mae_picture(windows, baseline) if regression else _auc_picture(windows, baseline)
    return f"{drawn}\n{_table(windows, OF_VALUE if regression else OF_SCORE)}"


def _auc_picture(windows: Sequence[WindowResult], baseline: BaselineResult) -> str:
    realised, estimated = [w.auc for w in windows], [w.auc_estimated for w in windows]
    sure = [_between(w.auc_low, w.auc_high, SURE * (w.auc_se or 0.0)) for w in windows]
    axis = _axis(len(windows), [*realised, *estimated, *(v for pair in sure if pair for v in pair), baseline.auc])
    if axis is None:
        return "<p>No window has labels of both classes.</p>"
    bounds = [_between(w.auc_low, w.auc_high, 0.0) for w in windows]
    parts = [_band("sampling", sure, axis), _band("bounds", bounds, axis)]
    if baseline.auc is not None:
        parts.append(limit_line("baseline", baseline.auc, axis))
    parts += [lines("estimate", estimated, axis), lines("line", realised, axis), _marks(windows, AUC, axis)]
    legend = (
        "line: realised, in its hard bounds; pale: what sampling leaves open (95 %); dashed: estimate without labels; "
        "grey: baseline"
    )
    return picture("AUC", legend, "".join(parts), axis, windows)


def _mae_picture(windows: Sequence[WindowResult], baseline: BaselineResult) -> str:
    values = [w.mae for w in windows]
    axis = _axis(len(windows), [*values, baseline.mae, 0.0], most=math.inf)
    if axis is None:
        return ""
    before = "" if baseline.mae is None else limit_line("baseline", baseline.mae, axis)
    return picture(
        "MAE", "grey: baseline", before + lines("line", values, axis) + _marks(windows, MAE, axis), axis, windows
    )


def _between(low: float | None, high: float | None, more: float) -> tuple[float, float] | None:
    return None if low is None or high is None else (max(low - more, 0.0), min(high + more, 1.0))


def _axis(windows: int, values: Sequence[float | None], most: float = 1.0) -> Axis | None:
    """From a little below the smallest to a little above the largest; None without a value."""
    known = [v for v in values if v is not None]
    if not known:
        return None
    room = max((max(known) - min(known)) * 0.1, 0.005)
    return Axis(windows, max(min(known) - room, 0.0), min(max(known) + room, most))


def _band(kind: str, spans: Sequence[tuple[float, float] | None], axis: Axis) -> str:
    """An upright stroke for each window."""
    return "".join(
        f'<line class="{kind}" x1="{axis.x(i):.1f}" x2="{axis.x(i):.1f}" y1="{axis.y(span[0]):.1f}" '
        f'y2="{axis.y(span[1]):.1f}"/>'
        for i, span in enumerate(spans)
        if span is not None
    )


def _marks(windows: Sequence[WindowResult], check: str, axis: Axis) -> str:
    return "".join(
        mark(i, alert.value, alert.severity, f"{w.start}: {WORDS[check]} {alert.value:.3g}, {w.n_labels} labels", axis)
        for i, w in enumerate(windows)
        for alert in w.alerts
        if alert.check == check
    )


def _table(windows: Sequence[WindowResult], cells: Sequence[Cell]) -> str:
    names = ["window", "start", "labels", "coverage", *(name for name, _ in cells)]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    rows = "\n".join(_row(w, cells) for w in windows)
    return f"<details open><summary>Every window</summary><table>\n<tr>{head}</tr>\n{rows}\n</table></details>"


def _row(window: WindowResult, cells: Sequence[Cell]) -> str:
    coverage = "-" if window.coverage is None else f"{window.coverage:.1%}"
    shown = [str(window.index), str(window.start), str(window.n_labels), coverage]
    shown += ["-" if (value := read(window)) is None else f"{value:.4g}" for _, read in cells]
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in shown) + "</tr>"
