"""Reports and alerts of performance: against AUC worked out here from raw scores, and against an uncrashed run.

What of a report depends on how far labels were read ahead of the event time that it is about, and is
compared neither with the truth nor between runs: coverage and cohorts of windows, whatever has been
said of labels that come later, and which alerts fire while a revision is published.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson

from tests.crash.deployment import TOLERANCE, Deployment
from tests.crash.findings import Findings
from tests.crash.join_truth import Integers, PairPane, Settled
from tests.crash.models import LEARNED, MEANS, SCORES, Model, labelled_scores
from tests.crash.scenario import COHORT_MS, PANE_MS, WINDOW_PANES
from tests.crash.tail import Tail
from tests.crash.verify_reports import Alerts, Life, Report, Windows, life_of, lives, records_of, unix_ms

SCHEMA: Final = "driftline.performance/1"
WINDOW_MS: Final = WINDOW_PANES * PANE_MS
OF_THE_MOMENT: Final = ("revision", "coverage", "cohorts")
CLOSE: Final = 1e-12

OF_LABELS = {"auc", "brier", "mae"}


@dataclass
class PerformanceWindows:
    """The reports of one run by model key and window end."""

    first: Windows = field(default_factory=dict)  # as it was when alerts were moved
    last: Windows = field(default_factory=dict)


def read_performance(deployment: Deployment, tail: Tail, findings: Findings) -> PerformanceWindows:
    """The reports of every window; a repeat after a crash must be the same bytes."""
    windows = PerformanceWindows()
    copies: dict[tuple[str, int, int], bytes] = {}
    for topic_key, value in records_of(tail, deployment.config.topics.reports):
        report = orjson.loads(value)
        if report["schema"] != SCHEMA:
            continue
        key, end_ms = f"{report['model']}@{report['version']}", unix_ms(report["window"]["end"])
        findings.expect("keys of performance reports", topic_key, f"{key}/performance".encode())
        copy = key, end_ms, report["revision"]
        if copy in copies:
            findings.numbers["ignored duplicates: performance reports"] += 1
            findings.expect("repeated performance reports", value, copies[copy], copy)
        copies[copy] = value
        if report["revision"] == 0:
            windows.first[key, end_ms] = report
        held = windows.last.get((key, end_ms))
        if held is None or report["revision"] >= held["revision"]:
            windows.last[key, end_ms] = report
    findings.numbers["performance reports"] = len(windows.last)
    findings.numbers["performance revisions"] = sum(revision > 0 for *_, revision in copies)
    return windows


@dataclass
class PerformanceCheck:
    """Compares one app's reports and alerts of performance with the truth."""

    settled: Settled
    watermark_ms: int
    models: list[Model]
    findings: Findings

    def run(self, windows: PerformanceWindows, alerts: Alerts) -> None:
        """Each window that there must be, with the exact counts and the AUC that follows from them; then the alerts."""
        ends: set[tuple[str, int]] = set()
        for i, model in enumerate(self.models):
            first_ms, by_pane = self.settled.classes(i)
            to_ms = self.watermark_ms // PANE_MS * PANE_MS
            for end_ms in range(first_ms + PANE_MS, to_ms + 1, PANE_MS):
                start = (end_ms - WINDOW_MS - first_ms) // PANE_MS
                counts = by_pane[max(start, 0) : start + WINDOW_PANES].sum(axis=0)
                ends.add((model.key, end_ms))
                report = windows.last.get((model.key, end_ms))
                if report is not None:
                    self._check_report(report, counts, complete=start >= 0)
            if (model.key, to_ms) in windows.last:
                self._check_cohorts(i, windows.last[model.key, to_ms])
        self.findings.expect("performance windows reported", sorted(windows.last.keys() ^ ends), [])
        self._check_alerts(windows.first, alerts)

    def _check_report(self, report: Report, counts: Integers, *, complete: bool) -> None:
        """Counts, shape (scores, classes), against what the report says."""
        expect, metrics = self.findings.expect, report["metrics"]
        where = report["model"], report["version"], report["window"]["end"]
        negatives, positives = (counts[:, label] for label in (0, 1))
        n, n_positive = int(counts.sum()), int(positives.sum())
        expect("labels of a window", report["n"], n, where)
        expect("complete windows of labels", report["complete"], complete, where)
        expect("positives of a window", metrics["positives"] or 0, n_positive, where)
        if not 0 < n_positive < n:
            expect("AUC of one class", metrics["auc"], None, where)
            return
        by_bin = [column.reshape(-1, 2).sum(axis=1) for column in (negatives, positives)]
        exact, binned = auc(negatives, positives), auc(*by_bin)
        close = math.isclose(metrics["auc"], binned, abs_tol=CLOSE)
        expect("AUC", binned if close else metrics["auc"], binned, where)
        inside = metrics["auc_low"] - CLOSE <= exact <= metrics["auc_high"] + CLOSE
        expect("AUC of raw scores within the bounds", inside, True, (where, exact))
        means = np.array(MEANS)
        brier = float(by_bin[0] @ means**2 + by_bin[1] @ (1 - means) ** 2) / n
        expect("Brier", math.isclose(metrics["brier"], brier, rel_tol=1e-9) or metrics["brier"], True, (where, brier))
        half = len(SCORES) // 2
        confusion = {"tp": positives[half:], "fp": negatives[half:], "tn": negatives[:half], "fn": positives[:half]}
        expect("confusion", metrics["confusion"], {k: int(v.sum()) for k, v in confusion.items()}, where)

    def _check_cohorts(self, model: int, report: Report) -> None:
        """The newest report's cohorts that are over: how many predictions, how many of them labelled."""
        for cohort in report["cohorts"]:
            start_ms, end_ms = unix_ms(cohort["start"]), unix_ms(cohort["end"])
            if end_ms > self.watermark_ms // PANE_MS * PANE_MS:
                continue
            self.findings.expect("length of a cohort", end_ms - start_ms, COHORT_MS)
            panes = self.settled.panes
            keys = [pane for pane in panes if pane[1:] == PairPane(0, model, True, start_ms)[1:]]
            total = sum((panes[pane] for pane in keys), start=np.zeros(1, np.int64))
            bins = len(MEANS)
            expected = int(total[:bins].sum()), int(total[bins : 3 * bins].sum())
            found = cohort["predictions"], cohort["labelled"]
            self.findings.expect("cohorts of the newest window", found, expected, (report["model"], cohort["start"]))

    def _check_alerts(self, first: Windows, alerts: Alerts) -> None:
        """They follow from the first report of each window, and fire where the scores say the opposite."""
        mine = of_performance(alerts)
        expected: list[Life] = []
        for model in self.models:
            reports = [report for (key, _), report in sorted(first.items()) if key == model.key]
            for n, check in enumerate(("auc", "brier")):
                verdicts = [(report["checks"][n]["verdict"], report["window"]["end"]) for report in reports]
                expected += [life._replace(subject=check) for life in lives(model.key, "score", verdicts)]
        found = [life_of(alert)._replace(subject=alert["labels"]["check"]) for alert in mine]
        self.findings.expect("lives of performance alerts", sorted(found), sorted(expected))
        fired = {(life.key, life.subject, life.severity) for life in found}
        hurt = {(model.key, "auc", "critical") for model in self.models if model.hurts}
        self.findings.expect("models that hurt without a critical alert", sorted(hurt - fired), [])
        well = {model.key for model in self.models if not model.hurts}
        self.findings.expect("alerts of models that do not hurt", sorted(f for f in fired if f[0] in well), [])
        limit = auc(*(np.array(side) for side in labelled_scores_of_both())) - TOLERANCE
        for alert in mine:
            if alert["labels"]["check"] == "auc" and alert["severity"] == "warning" and alert["status"] == "firing":
                self.findings.expect("threshold of AUC", round(alert["threshold"], 12), round(limit, 12))
        self.findings.numbers["performance alerts"] = len({alert["id"] for alert in mine})


def of_performance(alerts: Alerts) -> list[dict[str, Any]]:
    """Those on what labels say."""
    decoded = [orjson.loads(value) for value in alerts.values()]
    return [alert for alert in decoded if alert["labels"]["check"] in OF_LABELS]


def compare_performance(crashed: PerformanceWindows, calm: PerformanceWindows, findings: Findings) -> None:
    """The last report of each window, bit for bit but for what is of the moment."""
    findings.expect("performance windows of both runs", sorted(crashed.last.keys() ^ calm.last.keys()), [])
    for key in sorted(crashed.last.keys() & calm.last.keys()):
        mine, other = (_settled(windows.last[key]) for windows in (crashed, calm))
        findings.expect("performance reports of both runs", orjson.dumps(mine), orjson.dumps(other), key)


def comparable(alerts: Alerts, *, silenced: Collection[str]) -> Alerts:
    """Alerts without what is of the moment: coverage, and offsets in a log of which every app has its own.

    Without those of the learned model, of drift of models in `silenced`, and on the silence at the end: after how long
    a partition is silent differs between the runs.
    """
    found: Alerts = {}
    for key, value in alerts.items():
        alert = orjson.loads(value)
        model, is_drift = alert["labels"]["model"], alert["labels"]["check"] == "psi"
        if model == LEARNED.name or (is_drift and model in silenced) or alert["evidence"].get("silent_ms") is not None:
            continue
        if alert["labels"]["check"] in OF_LABELS:
            alert["evidence"] |= {"coverage": None, "outcomes": None}
        found[key] = orjson.dumps(alert)
    return found


def _settled(report: Report) -> Report:
    undefined = {k: v for k, v in report["undefined"].items() if not k.startswith("coverage")}
    return {**report, **dict.fromkeys((*OF_THE_MOMENT, "alerts_firing")), "undefined": undefined}


def labelled_scores_of_both() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What baselines know of both classes."""
    known = labelled_scores()
    return known.negatives, known.positives


def auc(negatives: Integers, positives: Integers) -> float:
    """Probability that a positive scores above a negative, ties one half.

    Args:
        negatives: by score, ascending, shape (scores,).
        positives: likewise.

    >>> auc(np.array([2, 1]), np.array([1, 2]))
    0.6666666666666666
    """
    below = np.cumsum(negatives) - negatives
    wins = 2 * int(positives @ below) + int(positives @ negatives)
    return wins / (2 * int(negatives.sum()) * int(positives.sum()))
