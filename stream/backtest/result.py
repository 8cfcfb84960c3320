"""What a backtest prints: one object, its keys as other programs know them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import msgspec

from detectors import Auc, BinaryMetrics, EstimatedPerformance, RegressionMetrics, Undefined, Verdict
from stream.backtest.alerts import AlertResult, Naming
from stream.backtest.course import JudgedPart
from stream.backtest.episodes import MONTH_MS, Episodes, FileEpisode, judged_ms
from stream.backtest.incidents import Incident
from stream.backtest.rule_sets import RuleSet
from stream.backtest.score import ScoreResult, blamed_on, score
from stream.backtest.windows import FileWindow, JudgedWindow, moment
from stream.baselines.baseline import Baseline
from stream.evaluate.error_evaluator import ErrorWindow
from stream.evaluate.evaluator import Evaluation
from stream.evaluate.labelled_baseline import labelled_baseline
from stream.evaluate.latency_evaluator import LatencyWindow
from stream.evaluate.latency_report import latency_numbers
from stream.evaluate.performance_evaluator import PerformanceEvaluation
from stream.evaluate.quality_evaluator import QualityWindow
from stream.evaluate.throughput_evaluator import ThroughputCheck

DAY_MS: Final = 86_400_000


class LatencyResult(msgspec.Struct, frozen=True, kw_only=True):
    """How long the answers of one window took; quantiles within 1 %."""

    n: int  # rows with a usable latency
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    sla_ms: float
    violations: int  # over the SLA, exactly
    missing: int
    bad: int  # below 0, or no number

    @classmethod
    def of(cls, found: LatencyWindow | None) -> Self | None:
        """The result of one window; None where nobody asked for latencies."""
        return None if found is None else cls(**latency_numbers(found), missing=found.missing, bad=found.bad)


class ErrorResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers of one window went."""

    n: int  # rows with a status, or none: ok
    failed: int
    bad: int  # rows with a status that is no text

    @classmethod
    def of(cls, found: ErrorWindow | None) -> Self | None:
        """The result of one window; None where nobody asked for errors."""
        return None if found is None else cls(n=found.counts.known, failed=found.counts.failed, bad=found.counts.bad)


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One window, or a segment of it. What is undefined is None, and so is what needs labels where nobody asked."""

    index: int
    segment: str = ""  # "" for the whole traffic
    start: str | int  # RFC 3339, or a row number where the file has no times
    end: str | int
    n: int
    partial: bool
    psi: dict[str, float | None]  # by column, in nats
    kl: dict[str, float | None]  # KL(current || baseline)
    js: dict[str, float | None]
    # By the rule `budget`, else empty; by column:
    p_value: dict[str, float | None] = msgspec.field(default_factory=dict)  # of "healthy windows differ as much"
    psi_corrected: dict[str, float | None] = msgspec.field(default_factory=dict)  # what the limits are held against
    minimum_detectable: dict[str, float | None] = msgspec.field(default_factory=dict)  # PSI, at so many rows
    # Of a model with a score:
    auc: float | None = None
    auc_low: float | None = None  # hard bounds of binning
    auc_high: float | None = None
    auc_se: float | None = None  # standard error by sampling
    auc_estimated: float | None = None  # without labels, of all predictions of the window
    estimate_reliable: bool | None = None  # False: the labels say that the estimate is off by more than chance
    brier: float | None = None
    log_loss: float | None = None
    ece: float | None = None
    ks: float | None = None
    pr_auc: float | None = None
    precision: float | None = None
    recall: float | None = None
    # Of one with a value:
    mae: float | None = None
    rmse: float | None = None
    bias: float | None = None
    r2: float | None = None
    # Of both:
    n_labels: int | None = None  # that came in the window
    coverage: float | None = None  # share of the predictions made in it whose label had come by its end
    latency: LatencyResult | None = None
    errors: ErrorResult | None = None
    # Of the whole traffic, where they are judged:
    quality: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)  # by check and column; shares of 0 not
    usual_rows: float | None = None  # of a healthy window
    alerts: tuple[AlertResult, ...] = ()
    segments: tuple[Self, ...] = ()  # those that have rows or labels in the window

    def every_alert(self) -> list[AlertResult]:
        """Of the whole traffic, then of its segments."""
        return [*self.alerts, *(alert for segment in self.segments for alert in segment.alerts)]

    def latency_quantile(self, name: str) -> float | None:
        """`p50_ms`, `p95_ms` or `p99_ms`; None where there is none."""
        found: float | None = None if self.latency is None else getattr(self.latency, name)
        return found

    @classmethod
    def of(cls, index: int, window: FileWindow, part: JudgedPart, alerts: Sequence[AlertResult]) -> Self:
        """The result of one part of a window; `alerts`: its checks beyond a limit."""
        found = part.evaluation
        return cls(
            index=index,
            segment=part.segment,
            start=window.start,
            end=window.end,
            n=found.n,
            partial=window.partial,
            psi={c.subject: _number(c.value) for c in found.checks},
            kl={c.subject: _number(c.kl_nats) for c in found.checks},
            js={c.subject: _number(c.js_nats) for c in found.checks},
            latency=LatencyResult.of(found.latency),
            errors=ErrorResult.of(found.errors),
            quality=_quality(found.quality),
            usual_rows=_usual(found.throughput),
            alerts=tuple(alerts),
            **_tests(found),
            **_performance(part),
        )


class BaselineResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the windows were compared with; what needs labels is left out where it has none."""

    rows: int
    n_labels: int | None = None
    auc: float | None = None
    brier: float | None = None
    mae: float | None = None

    @classmethod
    def of(cls, baseline: Baseline) -> Self:
        """What a baseline says of itself."""
        values, scores = baseline.labelled_values, labelled_baseline(baseline)
        if values is not None:
            return cls(rows=baseline.rows, n_labels=values.n, mae=values.mae)
        if scores is None or scores.known is None:
            return cls(rows=baseline.rows)
        known = scores.known.metrics
        return cls(rows=baseline.rows, n_labels=known.n, auc=_auc(known.auc), brier=known.brier)


class EpisodeResult(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that would have been sent: it fires, and is resolved."""

    check: str
    subject: str  # a column's name; `*` where many fire at once
    subjects: tuple[str, ...]  # all that it told of
    segment: str  # "" for the whole traffic
    severity: str  # the highest that it reached
    start: str | int  # end of the window that began it; RFC 3339, or a row number where the file has no times
    end: str | int | None  # None: it fires at the end of the file
    value: float  # in the first window of that severity
    threshold: float | None
    p_value: float | None
    level: float | None
    psi_corrected: float | None
    provisional: bool
    incidents: tuple[str, ...] | None  # that it began for; empty: it is false; None: nobody marked incidents

    @classmethod
    def of(cls, episode: FileEpisode, incidents: Sequence[Incident] | None) -> Self:
        """The result of one episode."""
        timed, worst = episode.told[0].window.timed, episode.worst
        return cls(
            check=episode.check,
            subject=episode.subject,
            subjects=tuple(episode.subjects),
            segment=episode.segment,
            severity=worst.severity,
            start=moment(episode.begin_at, timed=timed),
            end=None if episode.end_at is None else moment(episode.end_at, timed=timed),
            value=worst.value,
            threshold=worst.threshold,
            p_value=worst.p_value,
            level=worst.level,
            psi_corrected=worst.psi_corrected,
            provisional=worst.provisional,
            incidents=None if incidents is None else tuple(blamed_on(episode, incidents)),
        )


class RulesResult(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules judged."""

    name: str  # the configuration's file; "defaults" without one
    rule: str  # of drift: "budget" | "threshold"
    false_alarms: str | None  # the budget of all checks together; None: of the rule `threshold`
    season: str | None  # `hour-of-day UTC`: whose hours windows are compared with; None: with the whole baseline
    window: str | int  # a duration, or so many rows
    pane: str | int

    @classmethod
    def of(cls, rules: RuleSet) -> Self:
        """What a set of rules says of itself."""
        return cls(
            name=rules.name,
            rule=rules.settings.psi.rule,
            false_alarms=str(rules.settings.budget.budget) if rules.by_budget else None,
            season=None if rules.season is None else rules.season.name,
            window=rules.hop.words(rules.hop.window),
            pane=rules.hop.words(rules.hop.pane),
        )


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole backtest by one set of rules, as `--json` prints it."""

    baseline: BaselineResult
    windows: tuple[WindowResult, ...]
    rules: RulesResult
    judged_days: float | None  # that the verdicts cover; None: the file has no times
    episodes: tuple[EpisodeResult, ...]
    episodes_per_month: float | None  # of 30 days
    incidents: ScoreResult | None  # None: nobody marked any
    compared_with: Self | None = None  # the same by the rules of before; None: there is one set

    @classmethod
    def of(
        cls,
        baseline: Baseline,
        rules: RuleSet,
        windows: Iterable[JudgedWindow],
        incidents: Sequence[Incident] | None = None,
    ) -> Self:
        """The result of all windows, in their order; of what was judged it keeps no more than it tells."""
        naming = Naming(answer=baseline.series[-1].name, settings=rules.settings)
        episodes, results, places = Episodes(naming), list[WindowResult](), list[FileWindow]()
        for index, window in enumerate(windows):
            parts = []
            for part in window.parts:
                alerts = naming.alerts(part)
                episodes.take(window.at, part, alerts)
                parts.append(WindowResult.of(index, window.at, part, alerts))
            results.append(msgspec.structs.replace(parts[0], segments=tuple(parts[1:])))
            places.append(window.at)
        found, covered = episodes.found, judged_ms(places, rules.hop.pane)
        return cls(
            baseline=BaselineResult.of(baseline),
            windows=tuple(results),
            rules=RulesResult.of(rules),
            judged_days=None if covered is None else covered / DAY_MS,
            episodes=tuple(EpisodeResult.of(episode, incidents) for episode in found),
            episodes_per_month=len(found) * MONTH_MS / covered if covered else None,
            incidents=None if incidents is None else score(incidents, places, found),
        )

    @property
    def alerting(self) -> bool:
        """Whether any window alerts with more than a notice."""
        return any(alert.severity != Verdict.NOTICE for window in self.windows for alert in window.every_alert())

    def to_json(self) -> str:
        """One JSON object."""
        return msgspec.json.encode(self).decode()


def beside(results: Sequence[BacktestResult]) -> BacktestResult:
    """The last one, and with it the one before, if there are two: the new rules beside the old ones."""
    *before, last = results
    return msgspec.structs.replace(last, compared_with=before[-1]) if before else last


def _number(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) else value


def _auc(found: Auc | Undefined) -> float | None:
    return None if isinstance(found, Undefined) else found.value


def _quality(found: QualityWindow | None) -> dict[str, dict[str, float]]:
    """What the limits are held against; most shares are 0, and those are left out."""
    values: dict[str, dict[str, float]] = {}
    for check in found.checks if found is not None else ():
        if not isinstance(check.value, Undefined) and check.value != 0:
            values.setdefault(check.check, {})[check.subject] = check.value
    return values


def _usual(found: ThroughputCheck | None) -> float | None:
    return None if found is None else found.usual


def _tests(found: Evaluation) -> dict[str, Any]:
    """What the tests of drift say; infinite is what no window would show, such as drift of a series that is off."""
    tested = {c.subject: c.test for c in found.checks if c.test is not None}
    numbers = {
        name: [_finite(t.p_value), _finite(t.psi_corrected), _finite(t.detectable_psi)] for name, t in tested.items()
    }
    names = ("p_value", "psi_corrected", "minimum_detectable")
    return {name: {subject: of[i] for subject, of in numbers.items()} for i, name in enumerate(names)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _performance(part: JudgedPart) -> dict[str, Any]:
    """The fields that need labels, those of the baseline or those of the window."""
    fields: dict[str, Any] = {}
    estimates, found = part.evaluation.estimates, part.performance
    if isinstance(estimates, EstimatedPerformance):
        fields["auc_estimated"] = _number(estimates.auc)
    if found is not None:
        fields |= {"n_labels": found.n, "coverage": _number(found.coverage.ratio)}
        fields |= _binary(found) if found.regression is None else _regression(found.regression)
    return fields


def _binary(found: PerformanceEvaluation) -> dict[str, Any]:
    fields: dict[str, Any] = {"estimate_reliable": found.reliable}
    if isinstance(found.auc, Auc):
        area = found.auc
        fields |= {"auc": area.value, "auc_low": area.low, "auc_high": area.high, "auc_se": area.se}
    if isinstance(found.binary, BinaryMetrics):
        names = ("brier", "log_loss", "ece", "ks", "pr_auc", "precision", "recall")
        fields |= {name: _number(getattr(found.binary, name)) for name in names}
    return fields


def _regression(found: RegressionMetrics | Undefined) -> dict[str, Any]:
    if isinstance(found, Undefined):
        return {}
    return {name: _number(getattr(found, name)) for name in ("mae", "rmse", "bias", "r2")}
