"""A page of a backtest: PSI over the windows, one picture per series, alerts marked.

Self-contained: one file, no script, nothing is loaded from elsewhere.
"""

import html
from collections.abc import Sequence
from typing import Final

from stream.backtest.result import AlertResult, BacktestResult, WindowResult
from stream.evaluate.settings import ModelSettings

WIDTH: Final = 720  # of a picture, in its own units
HEIGHT: Final = 120
MARGIN: Final = 44  # left of the axis, for its numbers

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1a1a1a; }
h2 { font-size: 1rem; margin: 1.5rem 0 .2rem; } h2 small { font-weight: normal; color: #666; }
svg { width: 100%; height: auto; } text { font: 11px system-ui, sans-serif; fill: #666; }
.line { fill: none; stroke: #2458a6; stroke-width: 1.5; } .axis { stroke: #bbb; }
.warning { fill: #c77700; } .critical { fill: #c0182a; }
.limit { stroke-dasharray: 4 3; stroke: #c77700; } .limit.critical { stroke: #c0182a; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
"""


def page(result: BacktestResult, settings: ModelSettings, title: str) -> str:
    """The page as HTML."""
    subjects = list(result.windows[0].psi) if result.windows else []
    # The series that moved most come first: a page of 200 features is read from the top.
    subjects.sort(key=lambda s: -_highest(result.windows, s))
    pictures = "\n".join(_series(result.windows, subject, settings) for subject in subjects)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
<p>{len(result.windows)} windows against {result.baseline.rows:,} baseline rows. PSI in nats; dashed: limits.</p>
{_alert_table(result.windows)}
{pictures}
</body>
</html>
"""


def _highest(windows: Sequence[WindowResult], subject: str) -> float:
    return max((value for w in windows if (value := w.psi[subject]) is not None), default=0.0)


def _series(windows: Sequence[WindowResult], subject: str, settings: ModelSettings) -> str:
    highest = _highest(windows, subject)
    limits = settings.psi.limits(subject)
    drawn = [("warning", limits.warning), ("critical", limits.critical)]
    top = max(highest, *(limit for _, limit in drawn if limit is not None), 0.01) * 1.1
    lines = [_limit(kind, limit, top) for kind, limit in drawn if limit is not None]
    marks = [
        _mark(i, len(windows), alert, top, window)
        for i, window in enumerate(windows)
        for alert in window.alerts
        if alert.subject == subject
    ]
    return f"""<h2>{html.escape(subject)} <small>highest PSI {highest:.3g}</small></h2>
<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="PSI of {html.escape(subject, quote=True)}">
<line class="axis" x1="{MARGIN}" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/>
<text x="0" y="12">{top:.2g}</text><text x="0" y="{HEIGHT}">0</text>
{"".join(lines)}{_polylines(windows, subject, top)}{"".join(marks)}
<text x="{MARGIN}" y="{HEIGHT + 14}">{html.escape(str(windows[0].start))}</text>
<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{html.escape(str(windows[-1].end))}</text>
</svg>"""


def _polylines(windows: Sequence[WindowResult], subject: str, top: float) -> str:
    """The curve, interrupted where PSI is undefined."""
    pieces: list[list[str]] = [[]]
    for i, window in enumerate(windows):
        value = window.psi[subject]
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{_x(i, len(windows)):.1f},{_y(value, top):.1f}")
    drawn = []
    for piece in pieces:
        if len(piece) == 1:  # a line needs two points
            x, y = piece[0].split(",")
            drawn.append(f'<circle cx="{x}" cy="{y}" r="1.5" fill="#2458a6"/>')
        elif piece:
            drawn.append(f'<polyline class="line" points="{" ".join(piece)}"/>')
    return "".join(drawn)


def _limit(kind: str, limit: float, top: float) -> str:
    y = f"{_y(limit, top):.1f}"
    return f'<line class="limit {kind}" x1="{MARGIN}" y1="{y}" x2="{WIDTH}" y2="{y}"/>'


def _mark(index: int, windows: int, alert: AlertResult, top: float, window: WindowResult) -> str:
    x, y = _x(index, windows), _y(alert.value, top)
    title = html.escape(f"{window.start}: PSI {alert.value:.3g}, {window.n} rows, {alert.severity}")
    return f'<circle class="{alert.severity}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{title}</title></circle>'


def _x(index: int, windows: int) -> float:
    return MARGIN + (WIDTH - MARGIN - 4) * (index / (windows - 1) if windows > 1 else 0.5)


def _y(value: float, top: float) -> float:
    return HEIGHT * (1 - min(value / top, 1))


def _alert_table(windows: Sequence[WindowResult]) -> str:
    rows = [
        f"<tr><td>{html.escape(subject)}</td><td>{len(alerts)}</td>"
        f"<td>{sum(a.severity == 'critical' for _, a in alerts)}</td>"
        f"<td>{html.escape(str(alerts[0][0]))}</td><td>{max(a.value for _, a in alerts):.3g}</td></tr>"
        for subject, alerts in _alerts_by_subject(windows).items()
    ]
    if not rows:
        return "<p>No window alerts.</p>"
    head = "<tr><th>series</th><th>windows in alert</th><th>critical</th><th>first</th><th>highest PSI</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _alerts_by_subject(windows: Sequence[WindowResult]) -> dict[str, list[tuple[str | int, AlertResult]]]:
    found: dict[str, list[tuple[str | int, AlertResult]]] = {}
    for window in windows:
        for alert in window.alerts:
            found.setdefault(alert.subject, []).append((window.start, alert))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
