"""A backtest as text: one line a window."""

from collections.abc import Callable
from typing import Final

from stream.alerts.rules import LATENCY_SLA, PSI
from stream.backtest.result import AlertResult, BacktestResult, WindowResult
from stream.evaluate.performance_report import WORDS

Cell = Callable[[WindowResult], str]

DRIFT: Final[tuple[tuple[str, Cell], ...]] = (
    ("window", lambda w: str(w.index)),
    ("start", lambda w: str(w.start)),
    ("rows", lambda w: f"{w.n} (partial)" if w.partial else str(w.n)),
    ("highest PSI", lambda w: _highest(w)),
)
LABELS: Final[tuple[tuple[str, Cell], ...]] = (
    ("labels", lambda w: str(w.n_labels)),
    ("coverage", lambda w: _number(w.coverage, ".0%")),
)
SCORE: Final[tuple[tuple[str, Cell], ...]] = (
    ("AUC", lambda w: _number(w.auc)),
    ("+- s.e.", lambda w: _number(w.auc_se)),
    ("estimate", lambda w: _number(w.auc_estimated)),
    ("Brier", lambda w: _number(w.brier)),
)
VALUE: Final[tuple[tuple[str, Cell], ...]] = (("MAE", lambda w: _number(w.mae, ".4g")),)
LATENCY: Final[tuple[tuple[str, Cell], ...]] = (
    ("p50 ms", lambda w: _number(w.latency_quantile("p50_ms"), ".4g")),
    ("p95 ms", lambda w: _number(w.latency_quantile("p95_ms"), ".4g")),
    ("p99 ms", lambda w: _number(w.latency_quantile("p99_ms"), ".4g")),
    ("over SLA", lambda w: "-" if w.latency is None else str(w.latency.violations)),
)
ALERTS: Final[tuple[tuple[str, Cell], ...]] = (("alerts", lambda w: ", ".join(map(alert_words, w.alerts))),)


def text(result: BacktestResult, *, regression: bool) -> str:
    """The whole table, and how many windows alert."""
    labelled = any(w.n_labels is not None for w in result.windows)
    performance = (*LABELS, *(VALUE if regression else SCORE)) if labelled else ()
    latency = LATENCY if any(w.latency is not None for w in result.windows) else ()
    columns = (*DRIFT, *performance, *latency, *ALERTS)
    rows = [[name for name, _ in columns], *([cell(w) for _, cell in columns] for w in result.windows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    alerting = sum(bool(w.alerts) for w in result.windows)
    return "\n".join([*lines, f"{alerting} of {len(result.windows)} windows alert"])


def alert_words(alert: AlertResult) -> str:
    """What an alert is about, and how bad it is.

    >>> alert_words(AlertResult(check="auc", subject="score", severity="critical", value=0.6, threshold=0.7))
    'AUC of score critical'
    """
    return f"{check_words(alert)} {alert.severity}"


def check_words(alert: AlertResult) -> str:
    """The series of a PSI; of what labels say, the statistic too."""
    if alert.check == PSI:
        return alert.subject
    if alert.check == LATENCY_SLA:
        return "latency SLA"
    return f"{WORDS.get(alert.check, alert.check)} of {alert.subject}"


def _highest(window: WindowResult) -> str:
    known = [(value, subject) for subject, value in window.psi.items() if value is not None]
    return "{0[0]:.3f} {0[1]}".format(max(known)) if known else "undefined"


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)
