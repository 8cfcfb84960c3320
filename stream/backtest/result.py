"""What a backtest prints: one object, its keys as other programs know them."""

from typing import Any, Self

import msgspec

from detectors import Auc, BinaryMetrics, EstimatedPerformance, RegressionMetrics, Undefined, Verdict
from stream.backtest.windows import JudgedWindow
from stream.baselines.baseline import Baseline
from stream.evaluate.evaluator import Check
from stream.evaluate.labelled_baseline import labelled_baseline
from stream.evaluate.latency_evaluator import LatencyWindow
from stream.evaluate.latency_report import latency_numbers
from stream.evaluate.performance_checks import PerformanceCheck
from stream.evaluate.performance_evaluator import PerformanceEvaluation


class AlertResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one window beyond a limit."""

    check: str
    subject: str  # the series: a column's name
    severity: str  # "warning" | "critical"
    value: float
    threshold: float | None
    p_value: float | None = None  # of "no worse than the baseline", or "no more over the SLA than may"; not of PSI


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


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One window. What is undefined is None, and so is all that needs labels where nobody asked for them."""

    index: int
    start: str | int  # RFC 3339, or a row number where the file has no times
    end: str | int
    n: int
    partial: bool
    psi: dict[str, float | None]  # by column, in nats
    kl: dict[str, float | None]  # KL(current || baseline)
    js: dict[str, float | None]
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
    alerts: tuple[AlertResult, ...] = ()

    def latency_quantile(self, name: str) -> float | None:
        """`p50_ms`, `p95_ms` or `p99_ms`; None where there is none."""
        found: float | None = None if self.latency is None else getattr(self.latency, name)
        return found

    @classmethod
    def of(cls, index: int, window: JudgedWindow, answer: str) -> Self:
        """The result of one judged window; `answer` is the name of the answer's series."""
        checks = window.evaluation.checks
        return cls(
            index=index,
            start=window.start,
            end=window.end,
            n=window.evaluation.n,
            partial=window.partial,
            psi={c.subject: _number(c.value) for c in checks},
            kl={c.subject: _number(c.kl_nats) for c in checks},
            js={c.subject: _number(c.js_nats) for c in checks},
            latency=LatencyResult.of(window.evaluation.latency),
            alerts=_alerts(window, answer),
            **_performance(window),
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


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole backtest, as `--json` prints it."""

    baseline: BaselineResult
    windows: tuple[WindowResult, ...]

    @classmethod
    def of(cls, baseline: Baseline, windows: list[JudgedWindow]) -> Self:
        """The result of all windows, in their order."""
        answer = baseline.series[-1].name
        return cls(
            baseline=BaselineResult.of(baseline),
            windows=tuple(WindowResult.of(i, window, answer) for i, window in enumerate(windows)),
        )

    @property
    def alerting(self) -> bool:
        """Whether any window alerts."""
        return any(window.alerts for window in self.windows)

    def to_json(self) -> str:
        """One JSON object."""
        return msgspec.json.encode(self).decode()


def _number(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) else value


def _auc(found: Auc | Undefined) -> float | None:
    return None if isinstance(found, Undefined) else found.value


def _performance(window: JudgedWindow) -> dict[str, Any]:
    """The fields that need labels, those of the baseline or those of the window."""
    fields: dict[str, Any] = {}
    estimates, found = window.evaluation.estimates, window.performance
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


def _alerts(window: JudgedWindow, answer: str) -> tuple[AlertResult, ...]:
    drifted = [_alert(check) for check in window.evaluation.breaches]
    drifted += _latency_alerts(window.evaluation.latency)
    if window.performance is None or window.partial:
        return tuple(drifted)
    worse = [c for c in window.performance.checks if c.verdict in (Verdict.WARNING, Verdict.CRITICAL)]
    return (*drifted, *(_performance_alert(check, answer) for check in worse))


def _alert(check: Check) -> AlertResult:
    assert not isinstance(check.value, Undefined), "a breach has a value"
    return AlertResult(
        check=check.check,
        subject=check.subject,
        severity=str(Verdict(check.verdict)),
        value=check.value,
        threshold=check.threshold.limit_of(check.verdict),
    )


def _latency_alerts(found: LatencyWindow | None) -> list[AlertResult]:
    check = None if found is None else found.check
    if check is None or check.verdict not in (Verdict.WARNING, Verdict.CRITICAL):
        return []
    assert not isinstance(check.value, Undefined), "a breach has a value"
    return [
        AlertResult(
            check=check.check,
            subject=check.subject,
            severity=str(check.verdict),
            value=check.value,
            threshold=check.limit_of(check.verdict),
            p_value=_number(check.p_value),
        )
    ]


def _performance_alert(check: PerformanceCheck, answer: str) -> AlertResult:
    """With the answer's series named by its column, like every other."""
    assert not isinstance(check.value, Undefined), "a breach has a value"
    return AlertResult(
        check=check.check,
        subject=answer,
        severity=str(Verdict(check.verdict)),
        value=check.value,
        threshold=check.limit_of(check.verdict),
        p_value=_number(check.p_value),
    )
