"""A page of a backtest: what the labels say, PSI over the windows, then data quality where it alerts; alerts marked.

Self-contained: one file, no script, nothing is loaded from elsewhere.
"""

import html
from collections.abc import Sequence
from typing import Final

from stream.alerts.rules import LATENCY_SLA, PSI
from stream.backtest.alerts import AlertResult
from stream.backtest.comparison_page import comparison_section, incident_bands
from stream.backtest.performance_page import performance_section
from stream.backtest.picture import Axis, limit_line, lines, mark, picture
from stream.backtest.quality_page import quality_section
from stream.backtest.result import BacktestResult, WindowResult
from stream.backtest.segment_page import segment_section
from stream.backtest.text import check_words
from stream.baselines.performance_evidence import AUC
from stream.evaluate.settings import ModelSettings

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1a1a1a; }
h2 { font-size: 1rem; margin: 1.5rem 0 .2rem; } h2 small { font-weight: normal; color: #666; }
svg { width: 100%; height: auto; } text { font: 11px system-ui, sans-serif; fill: #666; }
.line { fill: none; stroke: #2458a6; stroke-width: 1.5; } .axis { stroke: #bbb; }
.estimate { fill: none; stroke: #2458a6; stroke-dasharray: 5 4; } .dot { fill: #2458a6; }
.sampling { stroke: #2458a6; stroke-opacity: .18; stroke-width: 5; } .bounds { stroke: #2458a6; stroke-width: 5; }
.incident { fill: #2a8a4a; fill-opacity: .13; }
.warning { fill: #c77700; } .critical { fill: #c0182a; }
.limit { stroke-dasharray: 4 3; stroke: #c77700; } .limit.critical { stroke: #c0182a; }
.limit.baseline { stroke: #888; stroke-dasharray: none; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
"""

Alerts = list[tuple[str | int, AlertResult]]  # with the start of its window


def page(result: BacktestResult, settings: ModelSettings, title: str, *, regression: bool) -> str:
    """The page as HTML."""
    subjects = list(result.windows[0].psi) if result.windows else []
    # The series that moved most come first: a page of 200 features is read from the top.
    subjects.sort(key=lambda s: -_highest(result.windows, s))
    bands = incident_bands(result, Axis(len(result.windows), 0.0, 1.0))
    pictures = "\n".join(_series(result.windows, subject, settings, bands) for subject in subjects)
    dashed = "limits" if result.rules.false_alarms is None else "the effect that an alert needs beside its evidence"
    legend = f"dashed: {dashed}; shaded: incidents" if bands else f"dashed: {dashed}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
<p>{len(result.windows)} windows against {result.baseline.rows:,} baseline rows. PSI in nats; {legend}.</p>
{comparison_section(result)}
{_alert_table(result.windows)}
{_latency(result.windows)}
{performance_section(result.windows, result.baseline, regression=regression)}
{pictures}
{quality_section(result.windows, bands)}
{segment_section(result.windows, bands)}
</body>
</html>
"""


def _highest(windows: Sequence[WindowResult], subject: str) -> float:
    return max((value for w in windows if (value := w.psi[subject]) is not None), default=0.0)


def _series(windows: Sequence[WindowResult], subject: str, settings: ModelSettings, bands: str) -> str:
    highest = _highest(windows, subject)
    limits = settings.psi.limits(subject)
    drawn = [(kind, limit) for kind, limit in (("warning", limits.warning), ("critical", limits.critical)) if limit]
    axis = Axis(len(windows), 0.0, max(highest, 0.01, *(limit for _, limit in drawn)) * 1.1)
    marks = [
        mark(i, alert.value, alert.severity, f"{w.start}: PSI {alert.value:.3g}, {w.n} rows, {alert.severity}", axis)
        for i, w in enumerate(windows)
        for alert in w.alerts
        if (alert.check, alert.subject) == (PSI, subject)
    ]
    parts = [bands, *(limit_line(kind, limit, axis) for kind, limit in drawn)]
    parts += [lines("line", [w.psi[subject] for w in windows], axis), *marks]
    return picture(subject, f"highest PSI {highest:.3g}", "".join(parts), axis, windows)


def _latency(windows: Sequence[WindowResult]) -> str:
    """p99 over the windows, p50 dashed, with the SLA; empty where nobody asked for latencies."""
    found = [w.latency for w in windows if w.latency is not None]
    if not found:
        return ""
    p50s, p99s = ([w.latency_quantile(name) for w in windows] for name in ("p50_ms", "p99_ms"))
    sla_ms = found[0].sla_ms
    axis = Axis(len(windows), 0.0, max(sla_ms, *(v for v in p99s if v is not None)) * 1.1)
    marks = [
        mark(i, p99s[i] or 0.0, alert.severity, f"{w.start}: {w.latency.violations} answers over the SLA", axis)
        for i, w in enumerate(windows)
        for alert in w.alerts
        if alert.check == LATENCY_SLA and w.latency is not None
    ]
    drawn = [limit_line("critical", sla_ms, axis), lines("estimate", p50s, axis), lines("line", p99s, axis), *marks]
    return picture("latency", f"line: p99, dashed: p50, in ms; SLA {sla_ms:g} ms", "".join(drawn), axis, windows)


def _alert_table(windows: Sequence[WindowResult]) -> str:
    rows = [
        f"<tr><td>{html.escape(subject)}</td><td>{len(alerts)}</td>"
        f"<td>{sum(a.severity == 'critical' for _, a in alerts)}</td>"
        f"<td>{html.escape(str(alerts[0][0]))}</td><td>{_worst(alerts):.3g}</td></tr>"
        for subject, alerts in _alerts_by_subject(windows).items()
    ]
    if not rows:
        return "<p>No window alerts.</p>"
    head = "<tr><th>series</th><th>windows in alert</th><th>critical</th><th>first</th><th>worst value</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _worst(alerts: Alerts) -> float:
    """The highest PSI, Brier score or MAE; the lowest AUC."""
    values = [a.value for _, a in alerts]
    return min(values) if alerts[0][1].check == AUC else max(values)


def _alerts_by_subject(windows: Sequence[WindowResult]) -> dict[str, Alerts]:
    found: dict[str, Alerts] = {}
    for window in windows:
        for alert in window.every_alert():
            found.setdefault(check_words(alert), []).append((window.start, alert))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))
