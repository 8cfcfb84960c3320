"""Configuration: the YAML file, the environment and the command line become one checked, frozen value.

Promise: what `load_config` returns is complete and consistent; everything else it refuses
with the key, the value, the rule and the fix, all refused keys at once. Secrets are never shown.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from stream.config.alert_keys import AlertKeys
from stream.config.budget_keys import FalseAlarmKeys, FalseAlarmSection, Rule
from stream.config.check_keys import CheckKeys, LatencyKeys, PsiKeys, PsiLimits, WorseKeys
from stream.config.key_types import AppName, FieldConstants, FieldPaths, Keys, SmoothingName, UnknownModels
from stream.config.keys import (
    CheckpointKeys,
    KafkaKeys,
    LabelKeys,
    LabelSection,
    LimitKeys,
    ModelKeys,
    TopicKeys,
    WebKeys,
    WindowKeys,
)
from stream.config.learning_keys import LearningKeys
from stream.config.refusals import refusals
from stream.config.rules import broken_rules
from stream.config.segment_keys import SegmentKeys
from stream.config.sources import Sources, read_sources
from stream.errors import ConfigError, InputError

__all__ = ["AlertKeys", "CheckKeys", "Config", "FalseAlarmKeys", "KafkaKeys", "LabelKeys", "LatencyKeys",
           "ModelConfig", "PsiKeys", "PsiLimits", "TopicKeys", "WebKeys", "WindowKeys", "WorseKeys", "load_config",
           "sasl_password"]  # fmt: skip

OTHER_NAMES: Final = {
    "label_ttl": "labels: {ttl: 30d}",
    "label_sample": "labels: {sample: 0.1}",
    "revision_window": "labels: {revision: 7d}",
    "latency": "checks: {latency: {sla: 250ms}}",
    "sla": "checks: {latency: {sla: 250ms}}",
    "hard_limit": "checks: {latency: {sla: 250ms, hard_limit: 2s}}",
    "errors": "checks: {errors: {warning: 0.01}}",
    "throughput": "checks: {throughput: {warning: 0.5}}",
    "quality": "checks: {quality: {missing: {warning: 0.01}}}",
}
"""What people call a key: what is written instead."""

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """One model's settings with everything that it inherits filled in."""

    name: str
    task: str | None  # None: as its baseline says
    rule: Rule  # of each check that has none of its own
    false_alarms: FalseAlarmKeys
    windows: WindowKeys
    season: str | None  # none, or the only one to be used; None: as its baseline says
    timezone: str  # by whose clock `baseline create` cuts a season
    checks: CheckKeys
    labels: LabelKeys | None  # None: off, nothing waits for a label
    alerts: AlertKeys
    segments: Mapping[str, SegmentKeys] = field(default_factory=dict)
    budget_key: str | None = None  # that gives the false-alarm budget; None: it is the default

    @property
    def cohort_ms(self) -> int:
        """The panes by prediction time: a day in whole panes unless told.

        >>> Config().model("fraud").cohort_ms
        86400000
        """
        if self.labels is not None and self.labels.cohort is not None:
            return self.labels.cohort
        return -(-DAY_MS // self.windows.pane) * self.windows.pane


class Config(Keys):
    """All settings. Durations are integer milliseconds."""

    kafka: KafkaKeys = KafkaKeys()
    app: AppName = "driftline"
    topics: TopicKeys = TopicKeys()
    web: WebKeys = WebKeys()
    windows: WindowKeys = WindowKeys()
    unknown_models: UnknownModels = "learn"
    learning: LearningKeys = LearningKeys()
    checkpoint: CheckpointKeys = CheckpointKeys()
    limits: LimitKeys = LimitKeys()
    fields: FieldPaths = Field(default_factory=dict)
    constants: FieldConstants = Field(default_factory=dict)
    smoothing: SmoothingName = "half"
    rule: Rule = "budget"
    false_alarms: FalseAlarmSection = FalseAlarmKeys()
    labels: LabelSection = LabelKeys()
    alerts: AlertKeys = AlertKeys()
    models: dict[str, ModelKeys] = Field(default_factory=dict)

    def model(self, name: str) -> ModelConfig:
        """The settings of one model, listed or not.

        >>> Config().model("fraud").windows.length
        3600000
        """
        own = self.models.get(name, ModelKeys())
        windows = self.windows.model_copy(update=own.windows.model_dump(exclude_none=True))
        labels = None
        if self.labels is not None and own.labels is not None:
            labels = self.labels.model_copy(update=own.labels.model_dump(exclude_none=True))
        return ModelConfig(
            name=name,
            task=own.task,
            rule=own.rule or self.rule,
            false_alarms=self._false_alarms(own),
            windows=windows,
            season=own.season,
            timezone=own.timezone,
            checks=own.checks,
            labels=labels,
            alerts=own.alerts.over(self.alerts),
            segments=own.segments,
            budget_key=self._budget_key(name, own),
        )

    def _false_alarms(self, own: ModelKeys) -> FalseAlarmKeys:
        """What a model says of the budget, the rest from what is said for all."""
        if own.false_alarms is None:
            return self.false_alarms
        said = own.false_alarms.model_fields_set
        return self.false_alarms.model_copy(update={name: getattr(own.false_alarms, name) for name in said})

    def _budget_key(self, name: str, own: ModelKeys) -> str | None:
        if own.false_alarms is not None and "budget" in own.false_alarms.model_fields_set:
            return f"models.{name}.false_alarms.budget"
        return "false_alarms.budget" if "budget" in self.false_alarms.model_fields_set else None

    def internal_topic(self, role: str) -> str:
        """The name of a topic of our own.

        >>> Config().internal_topic("partials")
        'driftline.partials'
        """
        return f"{self.app}.{role}"


def load_config(
    path: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The checked settings: defaults, then the file, then the environment, then `overrides`.

    Args:
        path: YAML file; None for none.
        overrides: dotted key -> text (`{"windows.pane": "1h"}`).
        environment: variables (`DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS`); None for the process's own.

    Raises:
        ConfigError: the first key that is refused; the rest in its `others`.
        InputError: the file cannot be read.
    """
    variables = os.environ if environment is None else environment
    sources = read_sources(path, variables, overrides or {}, Config.model_fields)
    try:
        config = Config.model_validate(sources.tree)
    except ValidationError as error:
        raise _first(refusals(error, Config, OTHER_NAMES), sources, path) from None
    broken = list(broken_rules(config))
    if broken:
        raise _first(broken, sources, path)
    return config


def sasl_password(kafka: KafkaKeys) -> str | None:
    """The password in clear, from wherever the configuration says.

    Raises:
        InputError: the file that should hold it cannot be read.
    """
    if kafka.sasl_password is not None:
        return kafka.sasl_password.get_secret_value()
    if kafka.sasl_password_file is None:
        return None
    try:
        return Path(kafka.sasl_password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        where = f"kafka.sasl_password_file ({kafka.sasl_password_file})"
        raise InputError(f"cannot read {where}; give a text file that this user may read") from error


def _first(errors: list[ConfigError], sources: Sources, path: Path | None) -> ConfigError:
    located = [e.located(sources.origin(e.key) or (str(path) if path else "")) for e in errors]
    located[0].others = tuple(located[1:])
    return located[0]
