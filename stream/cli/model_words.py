"""What is in effect for one model, in words: some lines of `driftline check`."""

from collections.abc import Iterator, Mapping

from stream.alerts.quality_rules import quality_rule_of
from stream.alerts.rules import THRESHOLD, alert_rules_of
from stream.config import LatencyKeys, ModelConfig
from stream.config.durations import format_duration
from stream.config.quality_keys import QualityKeys, RiseKeys
from stream.config.segment_keys import SegmentKeys


def model_in_words(model: ModelConfig) -> Iterator[str]:
    """Windows, budget, drift, labels and latency; the other checks; alerts; segments, if there are any."""
    windows, psi = model.windows, model.checks.psi
    own = f", {len(psi.features)} features of their own" if psi.features else ""
    limits = f"PSI warning {_limit(psi.warning)}, critical {_limit(psi.critical)}, from {psi.min_count} rows{own}"
    labels = "no labels" if model.labels is None else f"labels within {format_duration(model.labels.ttl)}"
    yield (
        f"windows of {format_duration(windows.length)} in panes of {format_duration(windows.pane)}, "
        f"{_season(model)}, {_rule(model)}, {limits}, {labels}{_latency(model.checks.latency, model.rule)}"
    )
    checks = f"throughput {_limits(model.checks.throughput)}, errors {_limits(model.checks.errors)}"
    yield f"warning/critical: {checks}, {_quality(model)}"
    yield _alerts(model)
    if model.segments:
        yield f"segments: {_segments(model.segments)}"


def _season(model: ModelConfig) -> str:
    if model.season == "none":
        return "never by season"
    return "by season if the baseline has one" if model.season is None else f"by {model.season} ({model.timezone})"


def _rule(model: ModelConfig) -> str:
    if (model.checks.psi.rule or model.rule) == THRESHOLD:
        return "plain limits"
    return f"{model.false_alarms.budget} false alarms"


def _latency(check: LatencyKeys | None, rule: str) -> str:
    if check is None:
        return ""
    how = "without a test"
    if (check.rule or rule) != THRESHOLD:
        how = "a share of the false alarms" if check.level is None else f"p < {check.level:g}"
    single = ""
    if check.hard_limit is not None:
        single = f", each over {format_duration(check.hard_limit)} told, {check.max_per_pane} a pane at most"
    sla = format_duration(check.sla)
    return f", {100 * check.quantile:g}% of the answers within {sla} ({how}, from {check.min_count} answers{single})"


def _quality(model: ModelConfig) -> str:
    keys, rule = model.checks.quality, quality_rule_of(model.checks, model.rule)
    if keys is None or rule is None:
        return "quality off"
    limits = ", ".join(f"{name} {one.warning:g}/{one.critical:g}" for name, one in rule.limits.items())
    off = ", ".join([*_off(keys), *(f"feature {name}" for name in sorted(rule.off))])
    return f"quality from {rule.min_count} rows: {limits}" + (f"; off: {off}" if off else "")


def _off(keys: QualityKeys) -> Iterator[str]:
    """The checks that are off, by the key as a file has it."""
    for name, field in QualityKeys.model_fields.items():
        if getattr(keys, name) is None and name not in ("level", "rule"):
            yield field.alias or name


def _alerts(model: ModelConfig) -> str:
    rules = alert_rules_of(model.alerts, model.windows.length)
    pending, resolve, cooldown = map(format_duration, rules.holds)
    group = "off" if rules.group_above is None else rules.group_above
    return f"alerts: pending {pending}, resolve {resolve}, cooldown {cooldown}, group_above {group}"


def _segments(segments: Mapping[str, SegmentKeys]) -> str:
    return ", ".join(
        f"{key} (top {one.top})" if one.top else f"{key} ({', '.join(one.values)})" for key, one in segments.items()
    )


def _limits(keys: RiseKeys | None) -> str:
    return "off" if keys is None else f"{keys.warning:g}/{keys.critical:g}"


def _limit(limit: float | None) -> str:
    return "off" if limit is None else f"{limit:g}"
