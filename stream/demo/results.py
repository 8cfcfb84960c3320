"""What the service published, read back: PSI per series and window, what the labels said, the alerts' episodes.

Everything that the picture and the summary say about windows and alerts comes from here, that is
from the messages in the topics `reports` and `alerts`; nothing is taken from what the demo knows beforehand.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from stream.demo.performance import AUC, BRIER, Performance, PerformanceResults, parse_performance
from stream.records.times import epoch_ms

PSI: Final = "psi"
IN_WORDS: Final = {PSI: "PSI", AUC: "AUC", BRIER: "Brier score"}
SEVERITIES: Final = ("info", "warning", "critical")  # verdicts that alert, the lowest first
PERFORMANCE_SCHEMA: Final = "driftline.performance/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PsiSeries:
    """The PSI of one series, window by window in order of time; every array has shape (windows,)."""

    name: str
    window_end_ms: npt.NDArray[np.int64]
    psi: npt.NDArray[np.float64]  # NaN where it is undefined
    n: npt.NDArray[np.int64]  # rows in the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One evaluation of all series: what the service said about one window."""

    window_start_ms: int
    window_end_ms: int
    n: int  # rows in the window
    complete: bool  # False: the window began before counting did, and is not judged
    psi: dict[str, float]  # by series, NaN where it is undefined
    breaches: frozenset[str]  # series with a verdict that alerts
    auc_estimated: float  # by the scores of these rows alone, before any label; NaN where it is undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One message of the topic `alerts`."""

    id: str
    status: str  # firing | resolved
    severity: str  # info | warning | critical
    check: str  # psi | auc
    subject: str
    window_end_ms: int  # of the window that the message is about
    value: float
    threshold: float
    n: int  # rows, or labels, in that window
    p_value: float | None = None  # None: of the rule `threshold`
    level: float | None = None  # what the budget gave to the test
    current: tuple[int, ...] = ()  # of PSI: the window's rows in the bins that it compares
    count: int | None = None  # of data quality: the rows that it happened to


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A severity that an alert reached."""

    severity: str  # info | warning | critical
    at_ms: int  # end of the window that reached it
    value: float
    threshold: float
    n: int  # rows, or labels, in that window
    p_value: float | None = None
    level: float | None = None
    current: tuple[int, ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert from its first firing message to its resolution."""

    id: str
    check: str
    subject: str
    changes: tuple[Change, ...]  # at least one, in order of time
    resolved_at_ms: int | None  # None: it still fires at the end of the replay

    @property
    def begins(self) -> Change:
        """The first severity that it reached."""
        return self.changes[0]


@dataclass(slots=True)
class Results:
    """All reports and alerts so far, in the order in which they were published."""

    reports: dict[int, Report] = field(default_factory=dict)  # by the window's end; a revision replaces
    alerts: list[AlertMessage] = field(default_factory=list)
    revised: int = 0  # reports that replaced one of the same window
    performance: PerformanceResults = field(default_factory=PerformanceResults)  # what the labels said

    def add_report(self, value: bytes) -> Report | Performance:
        """Take the next message of the topic `reports`."""
        message: dict[str, Any] = orjson.loads(value)
        if message["schema"] == PERFORMANCE_SCHEMA:
            performance = parse_performance(message)
            self.performance.add(performance)
            return performance
        report = parse_report(message)
        self.revised += report.window_end_ms in self.reports
        self.reports[report.window_end_ms] = report
        return report

    def add_alert(self, value: bytes) -> AlertMessage:
        """Take the next message of the topic `alerts`."""
        alert = parse_alert(value)
        self.alerts.append(alert)
        return alert

    def series(self, names: Iterable[str]) -> list[PsiSeries]:
        """The PSI of each series over all complete windows."""
        windows = self.complete_windows()
        ends_ms = np.array([w.window_end_ms for w in windows], np.int64)
        n = np.array([w.n for w in windows], np.int64)
        return [
            PsiSeries(name=name, window_end_ms=ends_ms, psi=np.array([w.psi[name] for w in windows], np.float64), n=n)
            for name in names
        ]

    def estimates(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The estimate of AUC at the end of each complete window: times and values, both of shape (windows,)."""
        windows = self.complete_windows()
        ends_ms = np.array([w.window_end_ms for w in windows], np.int64)
        return ends_ms, np.array([w.auc_estimated for w in windows], np.float64)

    def complete_windows(self) -> list[Report]:
        """The newest report of each window that was counted from its start, in order of time."""
        return [self.reports[end_ms] for end_ms in sorted(self.reports) if self.reports[end_ms].complete]

    def episodes(self, check: str | None = None) -> list[Episode]:
        """The alerts of one check, or all, in the order in which they began to fire."""
        messages: dict[str, list[AlertMessage]] = {}
        for alert in (a for a in self.alerts if check in (None, a.check)):
            messages.setdefault(alert.id, []).append(alert)
        return sorted((_episode(of_one) for of_one in messages.values()), key=lambda e: (e.begins.at_ms, e.subject))


def parse_report(message: dict[str, Any]) -> Report:
    """The part of a drift report that the demo shows."""
    estimated = (message["estimates"] or {}).get(AUC)
    psi = {c["subject"]: c["value"] for c in message["checks"] if c["check"] == PSI}
    return Report(
        window_start_ms=epoch_ms(message["window"]["start"]),
        window_end_ms=epoch_ms(message["window"]["end"]),
        n=message["n"],
        complete=message["complete"],
        psi={name: np.nan if value is None else value for name, value in psi.items()},
        breaches=frozenset(c["subject"] for c in message["checks"] if c["verdict"] in SEVERITIES),
        auc_estimated=np.nan if estimated is None else estimated,
    )


def parse_alert(value: bytes) -> AlertMessage:
    """The part of an alert that the demo shows."""
    message: dict[str, Any] = orjson.loads(value)
    evidence = message["evidence"]
    bins = evidence.get("bins") or {}
    return AlertMessage(
        id=message["id"],
        status=message["status"],
        severity=message["severity"],
        check=message["labels"]["check"],
        subject=message["labels"]["subject"],
        window_end_ms=epoch_ms(evidence["window"]["end"]),
        value=message["value"],
        threshold=message["threshold"],
        n=evidence["n"],
        p_value=evidence.get("p_value"),
        level=evidence.get("level"),
        current=tuple(bins.get("current", ())),
        count=evidence.get("count"),
    )


def _episode(messages: list[AlertMessage]) -> Episode:
    changes: list[Change] = []
    for message in messages:
        if message.status == "firing" and (not changes or changes[-1].severity != message.severity):
            changes.append(
                Change(
                    severity=message.severity,
                    at_ms=message.window_end_ms,
                    value=message.value,
                    threshold=message.threshold,
                    n=message.n,
                    p_value=message.p_value,
                    level=message.level,
                    current=message.current,
                    count=message.count,
                )
            )
    last = messages[-1]
    return Episode(
        id=last.id,
        check=last.check,
        subject=last.subject,
        changes=tuple(changes),
        resolved_at_ms=last.window_end_ms if last.status == "resolved" else None,
    )
