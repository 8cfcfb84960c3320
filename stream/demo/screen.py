"""What the demo shows while it runs: two bars, an evaluation a week, every alert."""

from types import TracebackType
from typing import Final, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from stream.demo.flights import HOUR_MS
from stream.demo.results import AlertMessage, Report, utc
from stream.demo.settings import ALERTED, WANDERING

HOURS_PER_LINE: Final = 7 * 24  # of event time, between two evaluations that are printed
STYLE: Final = {"warning": "yellow", "critical": "bold red", "resolved": "green"}


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
        self._published = self._progress.add_task("published", total=None, what="predictions")
        self._evaluated = self._progress.add_task("evaluated", total=None, what="")
        self._from_ms = self._next_line_ms = 0

    def expect(self, messages: int, from_ms: int, to_ms: int) -> None:
        """How much is coming: messages, and event time as the ends of the first and the last window."""
        self._from_ms = self._next_line_ms = from_ms
        self._progress.update(self._published, total=messages)
        self._progress.update(self._evaluated, total=(to_ms - from_ms) // HOUR_MS, what="windows")

    def published(self, messages: int) -> None:
        """So many messages are in Kafka."""
        self._progress.update(self._published, completed=messages)

    def report(self, report: Report) -> None:
        """An evaluation came."""
        hours = (report.window_end_ms - self._from_ms) // HOUR_MS
        self._progress.update(self._evaluated, completed=hours)
        if report.complete and report.window_end_ms >= self._next_line_ms:
            self._next_line_ms = report.window_end_ms + HOURS_PER_LINE * HOUR_MS
            self._print(evaluation_line(report), "")

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

    >>> psi = {"distance": 0.021, "hour": float("nan")}
    >>> evaluation_line(Report(window_start_ms=0, window_end_ms=86_400_000, n=953, complete=True, psi=psi))
    '1970-01-02 00:00   953 rows  PSI distance 0.021'
    """
    shown = [(name, report.psi.get(name, np.nan)) for name in (*ALERTED, WANDERING[0])]
    values = "  ".join(f"{name} {psi:.3f}" for name, psi in shown if not np.isnan(psi))
    return f"{utc(report.window_end_ms)} {report.n:5,} rows  PSI {values or 'not defined yet'}"


def alert_line(alert: AlertMessage) -> str:
    """One message of an alert on one line."""
    what = alert.severity if alert.status == "firing" else "resolved"
    return (
        f"{utc(alert.window_end_ms)} {alert.n:5,} rows  {what.upper():8} {alert.subject}: PSI {alert.value:.3f} "
        f"(limit {alert.threshold:g})"
    )
