"""The part of a backtest's page about data quality and throughput: a picture of whatever alerts, and no other."""

from collections.abc import Sequence

from stream.alerts.quality_rules import QUALITY_CHECKS
from stream.alerts.throughput_rule import THROUGHPUT
from stream.backtest.alerts import AlertResult
from stream.backtest.picture import Axis, limit_line, lines, mark, picture
from stream.backtest.result import WindowResult
from stream.backtest.text import check_words


def quality_section(windows: Sequence[WindowResult], bands: str) -> str:
    """As HTML; `bands` lie behind each picture's lines."""
    alerts = {(a.check, a.subject): a for w in windows for a in w.alerts if a.check in QUALITY_CHECKS}
    parts = [_series(windows, alert, bands) for _, alert in sorted(alerts.items())]
    return "\n".join([*parts, _throughput(windows, bands)])


def _series(windows: Sequence[WindowResult], of: AlertResult, bands: str) -> str:
    """One statistic of one series; where it is not shown it is 0, or there are no rows."""
    values = [w.quality.get(of.check, {}).get(of.subject, 0.0) if w.n else None for w in windows]
    known = [value for value in values if value is not None]
    axis = Axis(len(windows), 0.0, max(known) * 1.1)
    marks = [
        mark(i, a.value, a.severity, f"{w.start}: {a.value:.3g}, {w.n} rows, {a.severity}", axis)
        for i, w in enumerate(windows)
        for a in w.alerts
        if (a.check, a.subject) == (of.check, of.subject)
    ]
    drawn = "".join([bands, lines("line", values, axis), *marks])
    return picture(check_words(of), f"highest {max(known):.3g}", drawn, axis, windows)


def _throughput(windows: Sequence[WindowResult], bands: str) -> str:
    """The rows of the windows, with what is usual; empty where nothing alerts."""
    alerts = [(i, a) for i, w in enumerate(windows) for a in w.alerts if a.check == THROUGHPUT]
    if not alerts:
        return ""
    usual = next((w.usual_rows for w in windows if w.usual_rows is not None), None)
    axis = Axis(len(windows), 0.0, max(1.0, usual or 0.0, *(float(w.n) for w in windows)) * 1.1)
    marks = [mark(i, windows[i].n, a.severity, f"{windows[i].start}: {windows[i].n} rows", axis) for i, a in alerts]
    drawn = [bands, "" if usual is None else limit_line("baseline", usual, axis)]
    drawn += [lines("line", [float(w.n) for w in windows], axis), *marks]
    return picture("throughput", "rows; grey: what is usual", "".join(drawn), axis, windows)
