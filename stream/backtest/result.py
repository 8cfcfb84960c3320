"""What a backtest prints: one object, its keys as other programs know them."""

from typing import Self

import msgspec

from detectors import Undefined, Verdict
from stream.backtest.windows import JudgedWindow
from stream.baselines.baseline import Baseline
from stream.evaluate.evaluator import Check, Evaluation


class AlertResult(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one window beyond a limit."""

    check: str
    subject: str  # the series: a column's name
    severity: str  # "warning" | "critical"
    value: float
    threshold: float | None


class WindowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One window. What is undefined is None; what needs labels is None until labels are joined."""

    index: int
    start: str | int  # RFC 3339, or a row number where the file has no times
    end: str | int
    n: int
    partial: bool
    psi: dict[str, float | None]  # by column, in nats
    kl: dict[str, float | None]  # KL(current || baseline)
    js: dict[str, float | None]
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    auc_se: float | None = None
    auc_estimated: float | None = None
    brier: float | None = None
    n_labels: int | None = None
    coverage: float | None = None
    alerts: tuple[AlertResult, ...] = ()

    @classmethod
    def of(cls, index: int, window: JudgedWindow) -> Self:
        """The result of one judged window."""
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
            alerts=_alerts(window.evaluation),
        )


class BaselineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the windows were compared with."""

    rows: int


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole backtest, as `--json` prints it."""

    baseline: BaselineResult
    windows: tuple[WindowResult, ...]

    @classmethod
    def of(cls, baseline: Baseline, windows: list[JudgedWindow]) -> Self:
        """The result of all windows, in their order."""
        return cls(
            baseline=BaselineResult(rows=baseline.rows),
            windows=tuple(WindowResult.of(i, window) for i, window in enumerate(windows)),
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


def _alerts(evaluation: Evaluation) -> tuple[AlertResult, ...]:
    return tuple(_alert(check) for check in evaluation.breaches)


def _alert(check: Check) -> AlertResult:
    assert not isinstance(check.value, Undefined), "a breach has a value"
    return AlertResult(
        check=check.check,
        subject=check.subject,
        severity=str(Verdict(check.verdict)),
        value=check.value,
        threshold=check.threshold.limit_of(check.verdict),
    )
