"""The verdict on an alert: its window read, counted and judged again, and the message made anew.

The new message is made by the same code that made the first one, from another count of the same rows; so whatever a
kind of check writes into its alert is compared, and a new kind of check is verified as soon as there is one.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from detectors import Verdict
from detectors.evidence import INDEPENDENT_ROWS
from stream.alerts.episode import Episode, Reason, State
from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.baselines.evidence import RowsEvidence, SeriesEvidence
from stream.baselines.segment_labels import of_segment
from stream.baselines.segmentation import Segmentation
from stream.durable.log import Log
from stream.evaluate.alert_groups import EVERY, Member, group_content
from stream.evaluate.alert_message import AlertWindow, Content
from stream.evaluate.alert_moves import content_of
from stream.evaluate.evaluator import evaluate_window
from stream.evaluate.label_coverage import LabelCoverage
from stream.evaluate.live_performance import Deviation
from stream.evaluate.performance_evaluator import PerformanceBaseline, evaluate_performance, performance_baseline
from stream.evaluate.performance_evaluator import Span as LabelSpan
from stream.evaluate.performance_report import JudgedPerformance, performance_window
from stream.evaluate.report import Judged
from stream.evaluate.schema_evaluator import evaluate_schema
from stream.evaluate.settings import ModelSettings
from stream.evaluate.traffic_alerts import traffic_window
from stream.evaluate.yardstick import LearnedLive, yardstick_of
from stream.ingest.settings import IngestSettings
from stream.records.outcome import PerformanceDefinition
from stream.records.settings import SegmentSettings
from stream.records.times import epoch_ms
from stream.records.violation import LATENCY_VIOLATION
from stream.verify.claim import Cannot, Claim, LabelClaim, NothingClaimed, claim_of
from stream.verify.compare import Difference, differences
from stream.verify.recount import Recount, recount
from stream.verify.rejoin import Joins, rejoin
from stream.verify.single_answer import reread

COMPARED: Final = ("value", "threshold", "annotations", "evidence")


class Result(enum.StrEnum):
    """What became of the attempt."""

    EQUAL = "equal"
    UNEQUAL = "unequal"
    CANNOT = "cannot"  # be verified
    NOTHING = "nothing"  # to be verified: the message states no number


class Verified(NamedTuple):
    """One message of an alert."""

    alert: Mapping[str, Any]
    result: Result
    reason: str = ""  # why it cannot be verified, or what it says instead of numbers
    recount: Recount | None = None
    differences: Sequence[Difference] = ()


class Learned(NamedTuple):
    """What the service had learned of the model's own windows, as far as the message cites it."""

    live: LearnedLive
    usual_names: tuple[str, ...]  # of features that are not the baseline's, and no news


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What it takes to verify alerts."""

    log: Log
    joins: Joins  # of the same log
    find_baseline: Callable[[str], Baseline | None]
    settings_of: Callable[[str], ModelSettings]
    ingest: IngestSettings
    segments_of: Callable[[str], Mapping[str, SegmentSettings]]  # the parts of a model's traffic
    joins_labels: Callable[[str], bool]  # whether a model's predictions wait for labels

    async def verify(self, alert: dict[str, Any]) -> Verified:
        """Count and judge again what one message of an alert says."""
        if alert["labels"]["check"] == LATENCY_VIOLATION:
            return await self._verify_answer(alert)
        claim = claim_of(alert)
        if isinstance(claim, Cannot):
            return Verified(alert, Result.CANNOT, claim.reason)
        if isinstance(claim, NothingClaimed):
            return Verified(alert, Result.NOTHING, claim.reason)
        if isinstance(claim, LabelClaim):
            return await self._verify_labels(alert, claim)
        return await self._verify_traffic(alert, claim)

    async def _verify_traffic(self, alert: dict[str, Any], claim: Claim) -> Verified:
        definition = self._definition(claim)
        if isinstance(definition, Cannot):
            return Verified(alert, Result.CANNOT, definition.reason)
        model = claim.key.model
        found = await recount(self.log, claim, definition, self.ingest, ids=self.joins_labels(model))
        if isinstance(found, Cannot):
            return Verified(alert, Result.CANNOT, found.reason)
        learned = Learned(_live(alert, definition.layout_of(claim.segment).names), _usual(alert))
        window = _traffic(claim, definition, found, self.settings_of(model), learned)
        return _compared(alert, found, _remade(window, alert, claim.baseline_id))

    async def _verify_answer(self, alert: dict[str, Any]) -> Verified:
        found = await reread(self.log, alert, self.ingest)
        if isinstance(found, Cannot):
            return Verified(alert, Result.CANNOT, found.reason)
        read, unequal = found
        return Verified(alert, Result.UNEQUAL if unequal else Result.EQUAL, "", read, unequal)

    async def _verify_labels(self, alert: dict[str, Any], claim: LabelClaim) -> Verified:
        baseline = self.find_baseline(claim.baseline_id)
        if baseline is None:
            return Verified(alert, Result.CANNOT, _gone(claim.baseline_id).reason)
        joined = await rejoin(self.joins, claim)
        if isinstance(joined, Cannot):
            return Verified(alert, Result.CANNOT, joined.reason)
        definition, found = joined
        segmentation = Segmentation.of(baseline, self.segments_of(claim.key.model))
        if claim.segment:
            baseline = of_segment(baseline, segmentation, claim.segment)
        parts = 1 + (len(segmentation.names) if segmentation.keeps_labels_apart else 0)
        rules = self.settings_of(claim.key.model).performance_at(baseline, definition.pane_ms, parts)
        compared_with = performance_baseline(baseline, definition)
        compared_with = compared_with.learned(_deviations(alert, compared_with))
        window = _labels(claim, definition, found, compared_with, rules)
        remade = _remade(window, alert, claim.baseline_id)
        if isinstance(remade, dict):
            remade["evidence"]["coverage"] = alert["evidence"]["coverage"]  # of cohorts, which are not counted again
        return _compared(alert, found, remade)

    def _definition(self, claim: Claim) -> Definition | Cannot:
        baseline = self.find_baseline(claim.baseline_id)
        if baseline is None:
            return _gone(claim.baseline_id)
        definition = Definition(baseline, claim.counting)
        if definition.id != claim.definition_id:
            return Cannot(
                f"baseline {claim.baseline_id} and the alert's counting settings make definition {definition.id}, the "
                f"alert names {claim.definition_id}: the registry is not the one that it was counted with"
            )
        return definition


def _gone(baseline_id: str) -> Cannot:
    return Cannot(f"baseline {baseline_id} is not in the baselines topic any more")


def _compared(alert: dict[str, Any], found: Recount, remade: dict[str, Any] | Cannot) -> Verified:
    if isinstance(remade, Cannot):
        return Verified(alert, Result.CANNOT, remade.reason, found)
    unequal = [d for name in COMPARED for d in differences(alert[name], remade[name], name)]
    return Verified(alert, Result.UNEQUAL if unequal else Result.EQUAL, "", found, unequal)


def _traffic(
    claim: Claim, definition: Definition, found: Recount, settings: ModelSettings, learned: Learned
) -> AlertWindow:
    """The window judged again."""
    yardstick = yardstick_of(definition, settings, claim.end_ms - claim.start_ms, claim.segment, learned.live)
    evaluation = evaluate_window(
        yardstick,
        found.counts,
        hours=yardstick.hours(lambda: found.rows_by_pane),
        start_ms=claim.start_ms,
        end_ms=claim.end_ms,
        complete=True,  # only complete windows move alerts
    )
    schema = evaluate_schema(yardstick.quality, found.names, learned.usual_names, complete=True)
    evaluation = replace(evaluation, schema=schema)
    return traffic_window(Judged(evaluation, definition, claim.segment), lambda _start_ms, _end_ms: found.spans)


def _labels(
    claim: LabelClaim,
    definition: PerformanceDefinition,
    found: Recount,
    compared_with: PerformanceBaseline,
    rules: PerformanceRules,
) -> AlertWindow:
    """The window of labels judged again."""
    evaluation = evaluate_performance(
        definition,
        found.counts,
        compared_with,
        rules,
        span=LabelSpan(claim.start_ms, claim.end_ms, complete=True),
        coverage=LabelCoverage(predictions=0, labelled=0, bands=(), cohorts=()),
    )
    return performance_window(JudgedPerformance(evaluation, definition, compared_with, claim.outcomes))


def _remade(window: AlertWindow, alert: Mapping[str, Any], baseline_id: str) -> dict[str, Any] | Cannot:
    """The message as it is made of the window that was judged again."""
    name, subject = alert["labels"]["check"], alert["labels"]["subject"]
    episode = _episode(alert, baseline_id)
    content = _content(window, alert, episode)
    if isinstance(content, Cannot):
        return content
    remade = window.message(name, subject, episode, content)
    plain: dict[str, Any] = orjson.loads(orjson.dumps(remade))
    return plain


def _live(alert: Mapping[str, Any], series: Sequence[str]) -> LearnedLive:
    """What the message cites: of each series that it is about how much windows differ, nothing of the others."""
    cited, evidence = _cited(alert), alert["evidence"]
    found = {name: msgspec.convert(one["live"], SeriesEvidence).evidence() for name, one in cited if "live" in one}
    return LearnedLive(
        evidence=tuple(found.get(name, INDEPENDENT_ROWS) for name in series) if found else None,
        alike=evidence.get("overdispersion"),
        rows=msgspec.convert(evidence["live_rows"], RowsEvidence) if "live_rows" in evidence else None,
    )


def _deviations(alert: Mapping[str, Any], compared_with: PerformanceBaseline) -> dict[str, Deviation]:
    """How much live windows differed, if the message was judged by that and not by what its baseline says."""
    check, cited = alert["labels"]["check"], alert["evidence"].get("healthy")
    if cited is None or check in compared_with.healthy:
        return {}
    return {check: Deviation(0, cited["windows"], cited["deviation"], cited["lasting"])}


def _usual(alert: Mapping[str, Any]) -> tuple[str, ...]:
    """The names beside the baseline's that the message says were no news."""
    return tuple(sorted({name for _, evidence in _cited(alert) for name in evidence.get("usual_names", ())}))


def _cited(alert: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The evidence of each subject that the message is about."""
    subject, evidence = alert["labels"]["subject"], alert["evidence"]
    members = evidence["subjects"] if subject == EVERY else [{"subject": subject, "evidence": evidence}]
    return [(member["subject"], member.get("evidence") or {}) for member in members]


def _content(window: AlertWindow, alert: Mapping[str, Any], episode: Episode) -> Content | Cannot:
    """What the message says of its check, or of all that are in its group."""
    name, subject, evidence = alert["labels"]["check"], alert["labels"]["subject"], alert["evidence"]
    checks = {check.subject: check for check in window.checks if check.check == name}
    wanted = [s["subject"] for s in evidence["subjects"]] if subject == EVERY else [subject]
    for missing in (one for one in wanted if one not in checks):
        return Cannot(f"the configuration given does not check {name} of {missing}; give the one of that time by -c")
    if subject != EVERY:
        return content_of(window, episode, checks[subject])
    members = [Member(_episode({**alert, **s}, episode.baseline), checks[s["subject"]]) for s in evidence["subjects"]]
    return group_content(window, members, evidence["apart"], evidence["beyond"])


def _episode(alert: Mapping[str, Any], baseline_id: str) -> Episode:
    """As it was when the message was made."""
    firing, reason = alert["status"] == "firing", alert.get("reason")
    return Episode(
        id=alert["id"],
        severity=Verdict(alert["severity"]),
        starts_at_ms=epoch_ms(alert["startsAt"]),
        state=State.FIRING if firing else State.RESOLVED,
        last_ms=(),
        baseline=baseline_id,
        seq=alert["seq"],
        reason=None if reason is None else Reason(reason),
    )
