"""A backtest as text: one line a window, one an episode, one an incident."""

from collections.abc import Callable
from typing import Final

from stream.alerts.rules import ERROR_RATE, LATENCY_SLA, PSI
from stream.alerts.throughput_rule import THROUGHPUT
from stream.backtest.alerts import AlertResult, within
from stream.backtest.comparison import (
    Table,
    both,
    episode_table,
    in_alert,
    incident_table,
    segment_table,
    summary_table,
)
from stream.backtest.result import BacktestResult, EpisodeResult, WindowResult
from stream.baselines.performance_evidence import WORDS
from stream.evaluate.alert_groups import EVERY, MOST_NAMED, listed

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
ERRORS: Final[tuple[tuple[str, Cell], ...]] = (("failed", lambda w: "-" if w.errors is None else str(w.errors.failed)),)
ALERTS: Final[tuple[tuple[str, Cell], ...]] = (("alerts", lambda w: _alerts(w)),)


def text(result: BacktestResult, *, regression: bool) -> str:
    """One line a window, the episodes, and how many there are; beside the old rules and the incidents, if given."""
    results = both(result)
    parts = [aligned(_window_table(result, regression=regression))]
    for one in results:
        if one.episodes:
            title = f"would-be alerts by {one.rules.name}:" if len(results) > 1 else "would-be alerts:"
            parts.append([title, *aligned(episode_table(one, check_words))])
    parts += [aligned(segment_table(result)), aligned(incident_table(results))]
    told_apart = len(results) > 1 or result.incidents is not None
    parts.append(aligned(summary_table(results)) if told_apart else [_in_short(result)])
    return "\n\n".join("\n".join(part) for part in parts if part)


def aligned(table: Table) -> list[str]:
    """One line a row, its columns below each other.

    >>> aligned([["window", "rows"], ["0", "912"]])
    ['window  rows', '0       912']
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]


def _window_table(result: BacktestResult, *, regression: bool) -> Table:
    labelled = any(w.n_labels is not None for w in result.windows)
    performance = (*LABELS, *(VALUE if regression else SCORE)) if labelled else ()
    latency = LATENCY if any(w.latency is not None for w in result.windows) else ()
    errors = ERRORS if any(w.errors is not None for w in result.windows) else ()
    columns = (*DRIFT, *performance, *latency, *errors, *ALERTS)
    return [[name for name, _ in columns], *([cell(w) for _, cell in columns] for w in result.windows)]


def _in_short(result: BacktestResult) -> str:
    n, often = len(result.episodes), result.episodes_per_month
    said = f"{in_alert(result)} of {len(result.windows)} windows alert"
    if not n:
        return said
    over = "" if often is None else f" in {result.judged_days:.3g} days, {often:.2g} a month"
    return f"{said}: {n} episode{'' if n == 1 else 's'}{over}"


def alert_words(alert: AlertResult) -> str:
    """What an alert is about, and how bad it is.

    >>> alert_words(AlertResult(check="auc", subject="score", severity="critical", value=0.6, threshold=0.7))
    'AUC of score critical'
    """
    return f"{check_words(alert)} {alert.severity}"


def check_words(alert: AlertResult | EpisodeResult) -> str:
    """The series of a PSI; of other checks the statistic too; and the segment.

    >>> check_words(AlertResult(check="missing", subject="a", segment="p=x", severity="info", value=0.5, threshold=0.1))
    'missing of a in p=x'
    """
    if alert.check == LATENCY_SLA:
        return within("latency SLA", alert.segment)
    if alert.check == ERROR_RATE:
        return within("error rate", alert.segment)
    if alert.check == THROUGHPUT:
        return THROUGHPUT
    subject = alert.subject
    if isinstance(alert, EpisodeResult) and alert.subject == EVERY:
        subject = listed(alert.subjects, len(alert.subjects))
    return within(subject if alert.check == PSI else f"{_statistic(alert.check)} of {subject}", alert.segment)


def _statistic(check: str) -> str:
    return WORDS.get(check, check.replace("_", " "))


def _alerts(window: WindowResult) -> str:
    found = window.every_alert()
    return listed([alert_words(alert) for alert in found[:MOST_NAMED]], len(found))


def _highest(window: WindowResult) -> str:
    known = [(value, subject) for subject, value in window.psi.items() if value is not None]
    return "{0[0]:.3f} {0[1]}".format(max(known)) if known else "undefined"


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)
