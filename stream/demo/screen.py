"""What the demo shows while it runs: three bars, an evaluation a week of rows and of labels, every alert."""

from types import TracebackType
from typing import Final, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from stream.demo.flights import HOUR_MS
from stream.demo.performance import AUC, Performance
from stream.demo.results import IN_WORDS, AlertMessage, Report
from stream.demo.settings import SHOWN
from stream.demo.times import utc

HOURS_PER_LINE: Final = 7 * 24  # of event time, between two evaluations that are printed
STYLE: Final = {"info": "cyan", "warning": "yellow", "critical": "bold red", "resolved": "green"}


class Screen:
    """Lines above, bars below; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[what]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._published = self._progress.add_task("published", total=None, what="predictions and labels")
        self._evaluated = self._progress.add_task("drift", total=None, what="")
        self._labelled = self._progress.add_task("labels", total=None, what="")
        self._from_ms = self._next_line_ms = self._next_labels_ms = 0

    def expect(self, messages: int, from_ms: int, to_ms: int) -> None:
        """How much is coming: messages, and event time as the ends of the first and the last window."""
        self._from_ms = self._next_line_ms = self._next_labels_ms = from_ms
        self._progress.update(self._published, total=messages)
        for task in (self._evaluated, self._labelled):
            self._progress.update(task, total=(to_ms - from_ms) // HOUR_MS + 1, what="windows")

    def published(self, messages: int) -> None:
        """So many messages are in Kafka."""
        self._progress.update(self._published, completed=messages)

    def report(self, report: Report) -> None:
        """An evaluation of predictions came."""
        hours = (report.window_end_ms - self._from_ms) // HOUR_MS + 1
        self._progress.update(self._evaluated, completed=hours)
        if report.complete and report.window_end_ms >= self._next_line_ms:
            self._next_line_ms = report.window_end_ms + HOURS_PER_LINE * HOUR_MS
            self._print(evaluation_line(report), "")

    def performance(self, performance: Performance) -> None:
        """An evaluation of labels came."""
        hours = (performance.window_end_ms - self._from_ms) // HOUR_MS + 1
        self._progress.update(self._labelled, completed=hours)
        if performance.complete and performance.window_end_ms >= self._next_labels_ms:
            self._next_labels_ms = performance.window_end_ms + HOURS_PER_LINE * HOUR_MS
            self._print(performance_line(performance), "")

    def alert(self, alert: AlertMessage) -> None:
        """An alert came."""
        self._print(alert_line(alert), STYLE[alert.severity if alert.status == "firing" else alert.status])

    def _print(self, line: str, style: str) -> None:
        self._progress.console.print(Text(line, style), soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def evaluation_line(report: Report) -> str:
    """One evaluation on one line.

    >>> psi = {"distance": 0.021, "temp": float("nan")}
    >>> evaluation_line(Report(window_start_ms=0, window_end_ms=86_400_000, n=953, complete=True, psi=psi,
    ...                        breaches=frozenset(), auc_estimated=0.9))
    '1970-01-02 00:00   953 rows    PSI distance 0.021'
    """
    shown = [(name, report.psi.get(name, np.nan)) for name in SHOWN]
    values = "  ".join(f"{name} {psi:.3f}" for name, psi in shown if not np.isnan(psi))
    return f"{utc(report.window_end_ms)} {report.n:5,} rows    PSI {values or 'not defined yet'}"


def performance_line(found: Performance) -> str:
    """What the labels of one window say, on one line: AUC with its hard bounds and its standard error."""
    if np.isnan(found.auc):
        return f"{utc(found.window_end_ms)} {found.n:5,} labels  AUC not defined"
    doubt = ", in doubt" if found.reliable is False else ""
    return (
        f"{utc(found.window_end_ms)} {found.n:5,} labels  AUC {found.auc:.3f} [{found.auc_low:.4f}, "
        f"{found.auc_high:.4f}] se {found.auc_se:.3f}, estimated {found.estimated:.3f}{doubt}; "
        f"coverage {found.coverage:.1%}"
    )


def alert_line(alert: AlertMessage) -> str:
    """One message of an alert on one line."""
    what = alert.severity if alert.status == "firing" else "resolved"
    of_what = "labels" if alert.check == AUC else "rows  "
    return (
        f"{utc(alert.window_end_ms)} {alert.n:5,} {of_what}  {what.upper():8} {alert.subject}: "
        f"{IN_WORDS.get(alert.check, alert.check)} {alert.value:.3f} (limit {alert.threshold:.3g})"
    )
