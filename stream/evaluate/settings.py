"""How a model's windows are judged. Unlike a definition, this may change without counting anew."""

from dataclasses import dataclass, field

from detectors import Smoothing
from stream.alerts.episode import AlertRules
from stream.alerts.rules import LatencyRule, PerformanceRules, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """One model's window and limits."""

    window_ms: int  # a whole number of panes
    psi: Rules
    smoothing: Smoothing
    performance: PerformanceRules = field(default_factory=PerformanceRules)
    latency: LatencyRule | None = None  # None: not checked
    alerts: AlertRules = field(default_factory=AlertRules)
