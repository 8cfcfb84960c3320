"""How a file is judged: windows and limits, from a configuration and what the caller says instead."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from detectors import Smoothing
from detectors.budget import FalseAlarmBudget
from stream.alerts.error_rule import ErrorRule
from stream.alerts.rules import BUDGET, LatencyRule, alert_rules_of
from stream.baselines.baseline import Baseline
from stream.baselines.season import Season, SeasonKind, timezone_complaint
from stream.baselines.segmentation import Segmentation
from stream.config import AlertKeys, CheckKeys, Config, LatencyKeys, ModelConfig, PsiKeys, WorseKeys, load_config
from stream.config.budget_keys import Rule
from stream.config.durations import format_duration
from stream.config.key_types import LONGEST_LATENCY_MS
from stream.config.quality_keys import ErrorKeys, QualityKeys, ThroughputKeys
from stream.errors import InputError
from stream.evaluate.settings import ModelSettings, model_settings
from stream.records.settings import CountingSettings, SegmentSettings, segment_settings

DEFAULTS: Final = "defaults"  # the name of the rules without a configuration
MOST_SETS: Final = 2
NO_SEASON: Final = "none"
MOST_FREQUENT: Final = 10  # values of a key that have a segment of their own, unless the configuration says which


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the caller says on the command line; None: what the configuration says."""

    chunk_rows: int | None
    window_ms: int | None
    pane_ms: int | None
    model: str | None
    smoothing: str | None
    rule: Rule | None  # of every check
    false_alarms: FalseAlarmBudget | None
    season: str | None
    timezone: str | None
    latency: bool  # whether latencies are judged
    sla_ms: int | None
    segments: tuple[str, ...] | None = None  # keys
    status: bool = False  # whether errors are judged


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
    season: Season | None  # whose hours windows are compared with; None: with the whole baseline
    segments: Mapping[str, SegmentSettings]  # by key: the parts of the traffic that are judged beside the whole
    errors: bool = False  # whether answers that failed are judged
    budget_from: str | None = None  # the option, or the key of the configuration, that gives the budget; None: nobody

    @property
    def counting(self) -> CountingSettings:
        """What is counted where; in a file nothing is late."""
        return CountingSettings(
            pane_ms=self.hop.pane,
            allowed_lateness_ms=0,
            max_clock_skew_ms=0,
            latency_sla_ms=self.latency_sla_ms,
            segments=dict(self.segments),
            errors=self.errors,
        )

    @property
    def by_budget(self) -> bool:
        """Whether drift needs evidence, at a level that the false-alarm budget gives."""
        return self.settings.psi.rule == BUDGET

    def having(self, keys: Collection[str]) -> Self:
        """The rules without the segments of other keys: the files have no column of those."""
        return replace(self, segments={key: one for key, one in self.segments.items() if key in keys})

    def refuse(self, baseline: Baseline) -> None:
        """Refuse a budget that was asked for and that the tests of this baseline's series cannot meet.

        Raises:
            InputError: with what gives the budget, the reason, and a budget that would do.
        """
        if self.hop.by_rows or self.budget_from is None:
            return
        parts = 1 + len(Segmentation.of(baseline, self.segments).names)
        if complaint := self.settings.budget_complaint(baseline, self.hop.pane, parts):
            raise InputError(f"{self.budget_from}: {complaint}")


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
    of_model = config.model(model)
    return RuleSet(
        name=DEFAULTS if path is None else str(path),
        hop=hop,
        settings=_settings(of_model, config.smoothing, hop, asked),
        latency_sla_ms=_sla_ms(of_model.checks, asked),
        season=_season(of_model, hop, asked),
        segments=_segments(of_model, asked),
        errors=asked.status,
        budget_from=_budget_from(path, of_model, asked),
    )


def _budget_from(path: Path | None, of_model: ModelConfig, asked: Asked) -> str | None:
    if asked.false_alarms is not None:
        return "--false-alarms"
    return of_model.budget_key if path is None or of_model.budget_key is None else f"{path}: {of_model.budget_key}"


def _segments(of_model: ModelConfig, asked: Asked) -> dict[str, SegmentSettings]:
    configured = segment_settings(of_model)
    if asked.segments is None:
        return configured
    return {key: configured.get(key, SegmentSettings(top=MOST_FREQUENT)) for key in sorted(asked.segments)}


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


def _settings(of_model: ModelConfig, smoothing: str, hop: Hop, asked: Asked) -> ModelSettings:
    try:
        parsed = Smoothing.parse(asked.smoothing or smoothing)
    except ValueError as problem:
        raise InputError(f"--smoothing: {problem}") from problem
    settings = model_settings(_by_rule(of_model, asked.rule), parsed, hop.window)
    if asked.latency and settings.latency is None:
        settings = replace(settings, latency=LatencyRule(rule=asked.rule or of_model.rule))
    if asked.status and settings.errors is None:
        settings = replace(settings, errors=ErrorRule(rule=asked.rule or of_model.rule))
    if hop.by_rows:  # holds are times, so only what follows from the window is kept; so many rows are no throughput
        alerts = AlertKeys(group_above=of_model.alerts.group_above)
        settings = replace(settings, alerts=alert_rules_of(alerts, hop.window), throughput=None)
    if asked.season is not None:
        settings = replace(settings, season=asked.season)
    if asked.false_alarms is None:
        return settings
    return replace(settings, budget=replace(settings.budget, budget=asked.false_alarms))


def _season(of_model: ModelConfig, hop: Hop, asked: Asked) -> Season | None:
    kind, timezone = asked.season or of_model.season or NO_SEASON, asked.timezone or of_model.timezone
    if wrong := timezone_complaint(timezone):
        raise InputError(f"--timezone: {wrong}")
    return None if kind == NO_SEASON or hop.by_rows else Season(SeasonKind(kind), timezone)


def _by_rule(of_model: ModelConfig, rule: Rule | None) -> ModelConfig:
    """The model with the kind of rule that the caller wants for all of its checks."""
    if rule is None:
        return of_model
    checks = {
        name: keys.model_copy(update={"rule": rule})
        for name, keys in of_model.checks
        if isinstance(keys, PsiKeys | WorseKeys | LatencyKeys | QualityKeys | ErrorKeys | ThroughputKeys)
    }
    return replace(of_model, rule=rule, checks=of_model.checks.model_copy(update=checks))


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
