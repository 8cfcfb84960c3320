"""Answers themselves: latency and errors in reports, alerts on errors, and every single slow answer."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tests.crash.deployment import MAX_PER_PANE, MAY_FAIL, MAY_FAIL_AT_MOST, MIN_COUNT, Deployment
from tests.crash.findings import Findings
from tests.crash.fleet import Samples
from tests.crash.models import (
    HARD_LIMIT_MS,
    LATENCIES,
    LATENCY_BINS,
    LATENCY_VALUES,
    SLA_MS,
    STATUS_START,
    WIDTH,
    Model,
)
from tests.crash.scenario import PANE_MS
from tests.crash.truth import NO_ELEMENT, Integers, PartitionTruth, Truth
from tests.crash.verify_reports import Alerts, Life, Report, Windows, life_of, lives, unix_ms, window_counts

ONE_ANSWER: Final = "latency_sla_violation"
METRICS: Final = {
    "over_sla": "driftline_latency_sla_violations_total",
    "over_hard_limit": "driftline_latency_hard_limit_violations_total",
    "failed": "driftline_errors_total",
}


@dataclass
class AnswerCheck:
    """Compares what one app told of answers with the truth."""

    truth: Truth
    models: list[Model]  # those that are checked for latency and errors
    silenced: Collection[str]  # names of models of which no alert on a window is told
    deployment: Deployment
    findings: Findings

    def run(self, windows: Windows, alerts: Alerts) -> None:
        """All comparisons."""
        index = {model.key: i for i, model in enumerate(self.models)}
        for (key, end_ms), report in windows.items():
            if key in index:
                self._check_report(report, window_counts(self.truth, index[key], end_ms))
        told = [orjson.loads(value) for value in alerts.values()]
        self._check_lives(windows, [alert for alert in told if alert["labels"]["check"] == "error_rate"])
        self._check_slow([alert for alert in told if alert["labels"]["check"] == ONE_ANSWER])

    def _check_report(self, report: Report, counts: Integers) -> None:
        where = report["model"], report["version"], report["window"]["end"]
        latency, errors = report["latency"], report["operations"]["errors"]
        longer = latency["violations"], latency["hard_limit"]["violations"]
        took = latency["n"], *longer, latency["missing"], latency["bad"]
        missing, bad = counts[WIDTH + LATENCY_BINS : STATUS_START].tolist()
        slower = [_slower(counts, than_ms) for than_ms in (0, SLA_MS, HARD_LIMIT_MS)]
        self.findings.expect("latency of a window", took, (*slower, missing, bad), where)
        ok, failed, unknown = counts[STATUS_START:].tolist()
        went = errors["n"], errors["failed"], errors["bad"]
        self.findings.expect("errors of a window", went, (ok + failed, failed, unknown), where)
        may_say = _verdicts(failed, ok + failed, complete=report["complete"])
        verdict = errors["check"]["verdict"]
        self.findings.expect("verdicts on errors", verdict in may_say, True, (*where, verdict, may_say))

    def _check_lives(self, windows: Windows, alerts: list[dict[str, Any]]) -> None:
        """The life of each alert on errors is what the verdicts of its windows make of it."""
        expected: list[Life] = []
        alerts = [alert for alert in alerts if alert["labels"]["model"] not in self.silenced]
        for model in [model for model in self.models if model.name not in self.silenced]:
            mine = [report for (key, _), report in sorted(windows.items()) if key == model.key]
            verdicts = [(w["operations"]["errors"]["check"]["verdict"], w["window"]["end"]) for w in mine]
            expected += lives(model.key, "status", verdicts)
        self.findings.expect("lives of alerts on errors", sorted(map(life_of, alerts)), sorted(expected))
        self.findings.numbers["alerts on errors"] = len({alert["id"] for alert in alerts})

    def _check_slow(self, told: list[dict[str, Any]]) -> None:
        """Of each pane in each partition the first over the hard limit are told, each once, and no others."""
        topic = self.deployment.config.topics.predictions
        expected = {
            one["id"]: one
            for p, truth in enumerate(self.truth.partitions)
            for one in _slow_answers(truth, f"{topic}/{p}", self.models)
        }
        found = {alert["id"]: _compared(alert) for alert in told}
        self.findings.expect("single slow answers that are none", sorted(found.keys() - expected.keys()), [])
        self.findings.expect("single slow answers not told", sorted(expected.keys() - found.keys()), [])
        for key in found.keys() & expected.keys():
            self.findings.expect("single slow answers", found[key], expected[key], key)
        self.findings.numbers["single slow answers told"] = len(found)


def check_answer_metrics(samples: Samples, truth: Truth, models: list[Model], findings: Findings) -> None:
    """The sums over the workers are those of what was sent."""
    for name, metric in METRICS.items():
        found: Counter[str] = Counter()
        for (model, _, _, version), value in samples.get(metric, {}).items():
            found[f"{model}@{version}"] += int(value)
        expected: Counter[str] = Counter()
        for partition in truth.partitions:
            sums = partition.answers(partition.next_offset)[name]
            expected.update({models[index].key: count for index, count in sums.items()})
        findings.expect("metrics of answers", found, expected, name)


def _verdicts(failed: int, n: int, *, complete: bool) -> set[str]:
    """Which there may be: beyond the limit chance may have made it."""
    if not complete or n < MIN_COUNT:
        return {"undefined"}
    if failed <= MAY_FAIL * n:
        return {"ok"}
    return {"undefined", "critical" if failed > MAY_FAIL_AT_MOST * n else "warning"}


def _slower(counts: Integers, than_ms: float) -> int:
    """How many of a window took longer; all that are known for 0."""
    counters = [counter for (_, counter), (_, ms) in zip(LATENCY_VALUES, LATENCIES, strict=False) if ms > than_ms]
    return int(counts[[WIDTH + counter for counter in sorted(set(counters))]].sum())


def _slow_answers(truth: PartitionTruth, source: str, models: list[Model]) -> Iterator[dict[str, Any]]:
    """What must be told of one partition, in log order."""
    rank: Counter[tuple[int, int]] = Counter()
    columns = [truth.column(name) for name in ("offset", "element", "model", "time_ms")]
    over = ~truth.is_late & (truth.latency_ms > HARD_LIMIT_MS)
    rows = zip(*(column[over].tolist() for column in columns), truth.latency_ms[over].tolist(), strict=True)
    for offset, element, index, time_ms, latency_ms in rows:
        start_ms = time_ms // PANE_MS * PANE_MS
        rank[index, start_ms] += 1
        if rank[index, start_ms] <= MAX_PER_PANE:
            place = f"{source}/{offset}" + ("" if element == NO_ELEMENT else f"/{element}")
            model = models[index]
            identity = orjson.dumps([model.name, model.version, ONE_ANSWER, place, "", start_ms])
            yield {
                "id": hashlib.sha256(identity).hexdigest()[:16],
                "model": model.key,
                "status": "event",
                "value": latency_ms,
                "at_ms": time_ms,
                "place": place,
                "rank": rank[index, start_ms],
                "pane_ms": start_ms,
            }


def _compared(alert: dict[str, Any]) -> dict[str, Any]:
    labels, evidence = alert["labels"], alert["evidence"]
    element = "" if evidence["index"] is None else f"/{evidence['index']}"
    return {
        "id": alert["id"],
        "model": f"{labels['model']}@{labels['version']}",
        "status": alert["status"],
        "value": alert["value"],
        "at_ms": unix_ms(alert["startsAt"]),
        "place": f"{evidence['source']}/{evidence['offset']}{element}",
        "rank": evidence["rank"],
        "pane_ms": unix_ms(evidence["pane"]["start"]),
    }
