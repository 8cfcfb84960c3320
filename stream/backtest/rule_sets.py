"""How a file is judged: windows and limits, from a configuration and what the caller says instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from detectors import Smoothing
from stream.alerts.rules import (
    THRESHOLD,
    LatencyRule,
    alert_rules_of,
    latency_rule_of,
    performance_rules_of,
    rules_of,
)
from stream.config import AlertKeys, CheckKeys, Config, load_config
from stream.config.durations import format_duration
from stream.config.key_types import LONGEST_LATENCY_MS
from stream.errors import InputError
from stream.evaluate.settings import ModelSettings

DEFAULTS: Final = "defaults"  # the name of the rules without a configuration
MOST_SETS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller says on the command line; None: what the configuration says."""

    chunk_rows: int | None
    window_ms: int | None
    pane_ms: int | None
    model: str | None
    smoothing: str | None
    rule: str | None
    latency: bool  # whether latencies are judged
    sla_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """How the rows are cut: windows of `window` that move on by `pane`.

    In milliseconds of event time, or, without times, in rows.
    """

    window: int
    pane: int
    by_rows: bool  # the row number is the event time

    def __post_init__(self) -> None:
        if self.pane < 1 or self.window < self.pane or self.window % self.pane:
            window, pane = self.words(self.window), self.words(self.pane)
            raise InputError(f"a window must be a whole number of panes, got --window {window} --pane {pane}")

    def words(self, length: int) -> str | int:
        """A length as people write it: a duration, or so many rows."""
        return length if self.by_rows else format_duration(length)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One way to judge a file."""

    name: str
    hop: Hop
    settings: ModelSettings
    latency_sla_ms: int | None  # None: latencies are not judged


def rule_sets(paths: Sequence[Path], asked: Asked) -> list[RuleSet]:
    """One set of rules for each configuration, in their order; without any, that of the defaults.

    Raises:
        InputError: more than two configurations, or one that does not go with what is asked.
    """
    if len(paths) > MOST_SETS:
        raise InputError(f"--config: old and new rules are compared, so two files at most; got {len(paths)}")
    return [_rule_set(path, asked) for path in paths or (None,)]


def _rule_set(path: Path | None, asked: Asked) -> RuleSet:
    config = load_config(path)
    model = _model(config, asked.model)
    hop = _hop(asked, config, model, configured=path is not None)
    checks = config.model(model).checks
    return RuleSet(
        name=DEFAULTS if path is None else str(path),
        hop=hop,
        settings=_settings(config, model, hop, asked),
        latency_sla_ms=_sla_ms(checks, asked),
    )


def _model(config: Config, name: str | None) -> str:
    """The model whose limits count; "" for those that any model has."""
    if name is None:
        return next(iter(config.models)) if len(config.models) == 1 else ""
    if name not in config.models:
        raise InputError(f"--model {name}: the configuration lists {', '.join(config.models) or 'no model'}")
    return name


def _hop(asked: Asked, config: Config, model: str, *, configured: bool) -> Hop:
    rows, window_ms, pane_ms = asked.chunk_rows, asked.window_ms, asked.pane_ms
    if rows is not None:
        if window_ms is not None or pane_ms is not None:
            raise InputError("windows are cut by --chunk-rows or by --window and --pane, not by both; leave one out")
        return Hop(window=rows, pane=rows, by_rows=True)
    if window_ms is None and not configured:
        raise InputError("say how to cut windows: --chunk-rows N, or --window 24h --pane 1h")
    if window_ms is None:
        windows = config.model(model).windows
        window_ms, pane_ms = windows.length, pane_ms or windows.pane
    return Hop(window=window_ms, pane=pane_ms or window_ms, by_rows=False)


def _settings(config: Config, model: str, hop: Hop, asked: Asked) -> ModelSettings:
    of_model = config.model(model)
    checks = of_model.checks
    try:
        smoothing = Smoothing.parse(asked.smoothing or config.smoothing)
    except ValueError as problem:
        raise InputError(f"--smoothing: {problem}") from problem
    return ModelSettings(
        window_ms=hop.window,
        psi=rules_of(checks.psi, THRESHOLD),
        smoothing=smoothing,
        performance=performance_rules_of(checks),
        latency=_latency_rule(checks, asked) if asked.latency else latency_rule_of(checks),
        alerts=alert_rules_of(AlertKeys() if hop.by_rows else of_model.alerts, hop.window),  # holds are no rows
    )


def _latency_rule(checks: CheckKeys, asked: Asked) -> LatencyRule:
    """The configuration's, or the default; the caller's kind of rule, if one was named."""
    rule = latency_rule_of(checks) or LatencyRule()
    return rule if asked.rule is None else replace(rule, rule=asked.rule)


def _sla_ms(checks: CheckKeys, asked: Asked) -> int | None:
    if not asked.latency:
        if asked.sla_ms is not None:
            raise InputError("--sla is the limit of latencies; name their column with --latency, too")
        return None
    limit_ms = asked.sla_ms if asked.sla_ms is not None or checks.latency is None else checks.latency.sla
    if limit_ms is None:
        raise InputError("--latency needs the limit: --sla 250ms, or checks.latency in the configuration")
    if not 1 <= limit_ms < LONGEST_LATENCY_MS:
        raise InputError(f"--sla = {format_duration(limit_ms)}: must be at least 1ms and shorter than 1h; try 250ms")
    return limit_ms
