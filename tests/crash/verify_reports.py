"""Reports and alerts: against windows summed and PSI computed here, and against an uncrashed run."""

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from tests.crash.deployment import MIN_COUNT, Deployment
from tests.crash.findings import Findings
from tests.crash.models import COARSE, SCORE_START, WIDTH, Model, baseline_counts
from tests.crash.scenario import PANE_MS, WINDOW_PANES
from tests.crash.tail import Tail
from tests.crash.truth import Integers, PaneId, Truth

WARNING, CRITICAL = 0.1, 0.25  # the configuration's defaults
PSEUDO_COUNT: Final = 0.5
REPORT_SCHEMA: Final = "driftline.report/1"
WINDOW_MS: Final = WINDOW_PANES * PANE_MS
SEVERITIES: Final = ("info", "warning", "critical")

Report = dict[str, Any]
Windows = dict[tuple[str, int], Report]
"""The last report of each model key and window end."""
Alerts = dict[tuple[str, int], bytes]
"""Each message of each alert, by id and seq."""


class Life(NamedTuple):
    """One message of an alert."""

    key: str
    subject: str
    seq: int
    status: str
    severity: str
    window_end: str


def read_windows(deployment: Deployment, tail: Tail, findings: Findings) -> Windows:
    """The last report of every window; a repeat after a crash must be the same bytes."""
    windows: Windows = {}
    copies: dict[tuple[str, int, int], bytes] = {}
    for _, value in records_of(tail, deployment.config.topics.reports):
        report = orjson.loads(value)
        if report["schema"] != REPORT_SCHEMA:
            continue  # of labels
        key, end_ms = f"{report['model']}@{report['version']}", unix_ms(report["window"]["end"])
        copy = key, end_ms, report["revision"]
        if copy in copies:
            findings.numbers["ignored duplicates: reports"] += 1
            findings.expect("repeated reports", value, copies[copy], copy)
        copies[copy] = value
        held = windows.get((key, end_ms))
        if held is None or report["revision"] >= held["revision"]:
            windows[key, end_ms] = report
    findings.numbers["reports"] = len(windows)
    findings.numbers["revisions"] = sum(revision > 0 for *_, revision in copies)
    return windows


def check_reports(truth: Truth, models: list[Model], windows: Windows, findings: Findings) -> None:
    """Each window that there must be, once, with the exact counts and the PSI that follows from them."""
    ends = truth.window_ends_ms()
    expected = {(model.key, end_ms) for model in models for end_ms in ends}
    findings.expect("windows reported", sorted(windows.keys() ^ expected), [])
    for i, model in enumerate(models):
        for end_ms in ends:
            report = windows.get((model.key, end_ms))
            if report is not None:
                _check_report(
                    report, window_counts(truth, i, end_ms), end_ms - WINDOW_MS >= ends[0] - PANE_MS, findings
                )


def window_counts(truth: Truth, model: int, end_ms: int) -> Integers:
    """The window's counts over all partitions, shape (WIDTH,)."""
    starts = range(end_ms - WINDOW_MS, end_ms, PANE_MS)
    return sum((truth.panes.get(PaneId(model, s), 0) for s in starts), start=np.zeros(WIDTH, np.int64))


def _check_report(report: Report, counts: Integers, complete: bool, findings: Findings) -> None:
    where = report["model"], report["version"], report["window"]["end"]
    n = int(counts[SCORE_START:].sum())
    findings.expect("n of a window", report["n"], n, where)
    findings.expect("complete windows", report["complete"], complete, where)
    findings.expect("series of a report", [check["subject"] for check in report["checks"]], list(COARSE), where)
    for check in report["checks"]:
        subject = check["subject"]
        coarse = [int(counts[first:last].sum()) for first, last in COARSE[subject]]
        findings.expect("counts of a window", check["evidence"]["current"], coarse, (*where, subject))
        expected = psi(baseline_coarse(subject), coarse)
        close = math.isclose(check["value"], expected, rel_tol=1e-9, abs_tol=1e-12)
        findings.expect("PSI", check["value"] if not close else expected, expected, (*where, subject))
        verdict = _verdict(expected) if complete and n >= MIN_COUNT else "undefined"
        findings.expect("verdicts", check["verdict"], verdict, (*where, subject))


def baseline_coarse(subject: str) -> list[int]:
    """The baseline's counts in the bins that PSI compares."""
    counts = baseline_counts()
    return [int(counts[first:last].sum()) for first, last in COARSE[subject]]


def psi(baseline: list[int], current: list[int]) -> float:
    """PSI with half a count in every bin that is not empty on both sides.

    >>> round(psi([50, 50], [75, 25]), 3)
    0.269
    """
    used = [(b + PSEUDO_COUNT, c + PSEUDO_COUNT) for b, c in zip(baseline, current, strict=True) if b or c]
    b_total, c_total = (sum(side) for side in zip(*used, strict=True))
    shares = [(b / b_total, c / c_total) for b, c in used]
    return math.fsum((c - b) * math.log(c / b) for b, c in shares)


def read_alerts(deployment: Deployment, tail: Tail, findings: Findings) -> Alerts:
    """Every message of every alert, by id and seq; a repeat must be the same bytes."""
    alerts: Alerts = {}
    for topic_key, value in records_of(tail, deployment.config.topics.alerts):
        alert = orjson.loads(value)
        key = alert["id"], alert["seq"]
        if key in alerts:
            findings.numbers["ignored duplicates: alerts"] += 1
            findings.expect("repeated alerts", value, alerts[key], key)
        findings.expect("keys of alerts", topic_key, alert["id"].encode())
        alerts[key] = value
    findings.numbers["alert messages"] = len(alerts)
    return alerts


def check_alerts(
    models: list[Model], windows: Windows, alerts: dict[tuple[str, int], bytes], findings: Findings
) -> None:
    """The life of each alert is what the verdicts of its windows, in order, make of it."""
    of_drift = [value for value in alerts.values() if orjson.loads(value)["labels"]["check"] == "psi"]
    found = sorted(life_of(orjson.loads(value)) for value in of_drift)
    findings.expect("lives of alerts", found, sorted(_expected_lives(models, windows)))
    findings.numbers["alerts"] = len({orjson.loads(value)["id"] for value in of_drift})
    if not of_drift:
        findings.problem("alerts", "none, although the traffic drifts: the run proves nothing about them")


def compare_runs(crashed: Windows, calm: Windows, findings: Findings) -> None:
    """The last report of each window, bit for bit but for how often it was revised, and what labels told meanwhile."""
    findings.expect("windows of both runs", sorted(crashed.keys() ^ calm.keys()), [])
    for key in sorted(crashed.keys() & calm.keys()):
        mine, other = (_settled(windows[key]) for windows in (crashed, calm))
        findings.expect("reports of both runs", orjson.dumps(mine), orjson.dumps(other), key)


def _settled(report: Report) -> Report:
    estimates = {**report["estimates"], "reliable": None}  # whether labels agree with them is known some time later
    return {**report, "revision": 0, "estimates": estimates}


def _expected_lives(models: list[Model], windows: Windows) -> Iterator[Life]:
    for model in models:
        mine = [report for (key, _), report in sorted(windows.items()) if key == model.key]
        for n, subject in enumerate(COARSE):
            yield from lives(model.key, subject, [(w["checks"][n]["verdict"], w["window"]["end"]) for w in mine])


def lives(key: str, subject: str, verdicts: list[tuple[str, str]]) -> Iterator[Life]:
    """The messages of one check's alerts; `verdicts` are those of its windows with their ends, in order.

    An alert is as bad as the worst window of the last WINDOW_MS, and over when none of them was in breach.
    """
    severity, seq = "", 0
    breaches: list[tuple[int, str]] = []
    for verdict, end in verdicts:
        if verdict == "undefined":
            continue
        breaches = [(end_ms, before) for end_ms, before in breaches if unix_ms(end) - end_ms < WINDOW_MS]
        if verdict != "ok":
            breaches.append((unix_ms(end), verdict))
        worst = max((before for _, before in breaches), key=SEVERITIES.index, default="")
        if worst != severity:
            seq = seq + 1 if severity else 1
            yield Life(key, subject, seq, "firing" if worst else "resolved", worst or severity, end)
        severity = worst


def life_of(alert: dict[str, Any]) -> Life:
    """A message of an alert, as `lives` expects it."""
    labels = alert["labels"]
    key = f"{labels['model']}@{labels['version']}"
    end = alert["evidence"]["window"]["end"]
    return Life(key, labels["subject"], alert["seq"], alert["status"], alert["severity"], end)


def _verdict(value: float) -> str:
    if value > CRITICAL:
        return "critical"
    return "warning" if value > WARNING else "ok"


def records_of(tail: Tail, topic: str) -> Iterator[tuple[bytes | None, bytes]]:
    """Key and value of each record of a topic."""
    for records in tail.of(topic).values():
        for record in records:
            assert record.value is not None
            yield record.key, record.value


def unix_ms(time: str) -> int:
    """RFC 3339 to milliseconds."""
    return int(datetime.fromisoformat(time).timestamp() * 1_000)
