"""Reports and alerts: against windows summed and PSI computed here, and against an uncrashed run."""

import math
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from tests.crash.deployment import MIN_COUNT, Deployment
from tests.crash.findings import Findings
from tests.crash.models import COARSE, LEARNED, SCORE_START, SEGMENTED, SEGMENTS, WIDTH, Model, segment_counts
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
"""The last report of each window: by its end and `model@version`, with `/segment` behind it where there is one."""
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
        key, end_ms = key_of(report), unix_ms(report["window"]["end"])
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
    known = [model for model in models if model != LEARNED]
    expected = {(model.key, end_ms) for model in known for end_ms in ends}
    parts = [(SEGMENTED, segment) for segment in SEGMENTS]
    for model, segment in [*((model, "") for model in known), *parts]:
        for end_ms in ends:
            counts = window_counts(truth, models.index(model), end_ms, segment)
            if segment and counts.any():
                expected.add((f"{model.key}/{segment}", end_ms))
            report = windows.get((f"{model.key}/{segment}" if segment else model.key, end_ms))
            if report is not None:
                _check_report(report, counts, end_ms - WINDOW_MS >= ends[0] - PANE_MS, model.is_budgeted, findings)
    of_known = {window for window in windows if window[0] != LEARNED.key}
    findings.expect("windows reported", sorted(of_known ^ expected), [])
    if LEARNED in models:
        _check_learned(truth, models.index(LEARNED), windows, findings)


def _check_learned(truth: Truth, learned: int, windows: Windows, findings: Findings) -> None:
    """Of the model that was learned: each complete window has every row."""
    for (key, end_ms), report in windows.items():
        if key == LEARNED.key and report["complete"]:
            n = int(window_counts(truth, learned, end_ms)[SCORE_START:].sum())
            findings.expect("n of a window of the learned model", report["n"], n, end_ms)
            findings.numbers["complete windows of the learned model"] += 1


def window_counts(truth: Truth, model: int, end_ms: int, segment: str = "") -> Integers:
    """The window's counts over all partitions, as those of its panes; shape (WIDTH,) without any."""
    starts = range(end_ms - WINDOW_MS, end_ms, PANE_MS)
    panes = [truth.panes[pane] for s in starts if (pane := PaneId(model, s, segment)) in truth.panes]
    return np.sum(panes, axis=0) if panes else np.zeros(WIDTH, np.int64)


def _check_report(report: Report, counts: Integers, complete: bool, budgeted: bool, findings: Findings) -> None:
    """What the budget makes of the counts is left to the comparison with an uncrashed run."""
    where = report["model"], report["version"], report["segment"], report["window"]["end"]
    n = int(counts[SCORE_START:WIDTH].sum())
    findings.expect("n of a window", report["n"], n, where)
    findings.expect("complete windows", report["complete"], complete, where)
    findings.expect("series of a report", [check["subject"] for check in report["checks"]], list(COARSE), where)
    for check in report["checks"]:
        subject = check["subject"]
        coarse = [int(counts[first:last].sum()) for first, last in COARSE[subject]]
        findings.expect("counts of a window", check["evidence"]["current"], coarse, (*where, subject))
        expected = psi(baseline_coarse(subject, report["segment"]), coarse)
        close = math.isclose(check["value"], expected, rel_tol=1e-9, abs_tol=1e-12)
        findings.expect("PSI", check["value"] if not close else expected, expected, (*where, subject))
        verdict = _verdict(expected) if complete and n >= MIN_COUNT else "undefined"
        if budgeted and verdict != "undefined":
            findings.numbers[f"verdicts by the budget: {check['verdict']}"] += 1
            continue
        findings.expect("verdicts", check["verdict"], verdict, (*where, subject))


def baseline_coarse(subject: str, segment: str) -> list[int]:
    """The baseline's counts in the bins that PSI compares."""
    counts = segment_counts(segment)
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


def check_alerts(windows: Windows, alerts: Alerts, findings: Findings, *, silenced: Collection[str]) -> None:
    """The life of each alert is what the verdicts of its windows, in order, make of it.

    Of models in `silenced` some of it was not told, and what was told then is of the state that it was in.
    """
    of_drift = [orjson.loads(value) for value in alerts.values()]
    of_drift = [alert for alert in of_drift if alert["labels"]["check"] == "psi"]
    open_ones = [alert for alert in of_drift if alert["labels"]["model"] not in silenced]
    expected = [life for key, subject, verdicts in _verdicts(windows) for life in lives(key, subject, verdicts)]
    not_silenced = [life for life in expected if life.key.partition("@")[0] not in silenced]
    findings.expect("lives of alerts", sorted(map(life_of, open_ones)), sorted(not_silenced))
    findings.numbers["alerts"] = len({alert["id"] for alert in of_drift})
    findings.numbers["alerts of segments"] = len({a["id"] for a in of_drift if a["labels"]["segment"]})
    if not open_ones:
        findings.problem("alerts", "none, although the traffic drifts: the run proves nothing about them")
    silent_ones = [life_of(alert) for alert in of_drift if alert["labels"]["model"] in silenced]
    _check_silenced(silent_ones, windows, findings, silenced=silenced)


def _check_silenced(found: list[Life], windows: Windows, findings: Findings, *, silenced: Collection[str]) -> None:
    """What was told of silenced models is true of the window that it is about, and in the end people know how it is."""
    states = {
        (key, subject, end): severity
        for key, subject, verdicts in _verdicts(windows)
        for end, severity, _ in severities(verdicts)
        if key.partition("@")[0] in silenced
    }
    told = {(key, subject): "" for key, subject, _ in states}
    for life in sorted(found, key=lambda life: life.window_end):
        told[life.key, life.subject] = now = life.severity if life.status == "firing" else ""
        findings.expect("what was told of silenced models", now, states[life.key, life.subject, life.window_end], life)
    ends = {(key, subject): severity for (key, subject, _), severity in states.items()}
    findings.expect("what people know of silenced models in the end", told, ends)


def compare_runs(crashed: Windows, calm: Windows, findings: Findings, *, silenced: Collection[str]) -> None:
    """The last report of each window, bit for bit but for how often it was revised, and what labels told meanwhile.

    Of models that were silenced in one of the runs: but for which alerts people knew of. From where on the learned
    model is counted differs from run to run: of it nothing is compared.
    """
    known = [{window for window in windows if window[0] != LEARNED.key} for windows in (crashed, calm)]
    findings.expect("windows of both runs", sorted(known[0] ^ known[1]), [])
    for key in sorted(known[0] & known[1]):
        mine, other = (_settled(windows[key], silenced) for windows in (crashed, calm))
        findings.expect("reports of both runs", orjson.dumps(mine), orjson.dumps(other), key)


def _settled(report: Report, silenced: Collection[str]) -> Report:
    estimates = {**report["estimates"], "reliable": None}  # whether labels agree with them is known some time later
    told = dict.fromkeys(("alerts_firing", "alerts_silenced")) if report["model"] in silenced else {}
    return {**report, "revision": 0, "estimates": estimates, **told}


def _verdicts(windows: Windows) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Of each series of each model and segment the verdicts of its windows with their ends, in order."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (key, _), report in sorted(windows.items()):
        for check in report["checks"]:
            found.setdefault((key, check["subject"]), []).append((check["verdict"], report["window"]["end"]))
    for (key, subject), verdicts in found.items():
        yield key, subject, verdicts


def lives(key: str, subject: str, verdicts: list[tuple[str, str]]) -> Iterator[Life]:
    """The messages of one check's alerts; `verdicts` are those of its windows with their ends, in order."""
    seq = 0
    for end, severity, before in severities(verdicts):
        if severity != before:
            seq = seq + 1 if before else 1
            yield Life(key, subject, seq, "firing" if severity else "resolved", severity or before, end)


def severities(verdicts: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Of each window its end, how bad the alert is after it, and before it; `""`: there is none.

    An alert is as bad as the worst window of the last WINDOW_MS, which it becomes with a window that is as bad itself,
    and over when none of them was in breach.
    """
    severity = ""
    breaches: list[tuple[int, str]] = []
    for verdict, end in verdicts:
        before = severity
        if verdict != "undefined":
            breaches = [(end_ms, known) for end_ms, known in breaches if unix_ms(end) - end_ms < WINDOW_MS]
            if verdict != "ok":
                breaches.append((unix_ms(end), verdict))
            worst = max((known for _, known in breaches), key=SEVERITIES.index, default="")
            if worst in ("", verdict) or not severity:
                severity = worst
        yield end, severity, before


def key_of(record: dict[str, Any]) -> str:
    """Of a report, or of an alert's labels: `model@version`, with `/segment` behind it where there is one."""
    segment = record["segment"]
    return f"{record['model']}@{record['version']}" + (f"/{segment}" if segment else "")


def life_of(alert: dict[str, Any]) -> Life:
    """A message of an alert, as `lives` expects it."""
    labels = alert["labels"]
    end = alert["evidence"]["window"]["end"]
    return Life(key_of(labels), labels["subject"], alert["seq"], alert["status"], alert["severity"], end)


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
    return round(datetime.fromisoformat(time).timestamp() * 1_000)
