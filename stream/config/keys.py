"""Every key of the configuration: its type, its default and the rules that it can be judged by alone.

The attribute names are the keys of the YAML file. Durations are whole milliseconds inside
(`windows.pane` is an int), text with a unit outside. Rules that need two keys are in `rules.py`;
the keys of a model's checks in `check_keys.py`.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from stream.config.alert_keys import ModelAlertKeys
from stream.config.budget_keys import ModelFalseAlarmSection, Rule
from stream.config.check_keys import CheckKeys
from stream.config.key_types import NUMBER, DurationMs, Keys, OffAllowed, Topic, default, section_or_off
from stream.config.refusals import Refused
from stream.config.season_keys import SeasonName, TimeZone
from stream.config.segment_keys import SegmentSections

ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:,\s/]+):[0-9]{1,5}")


def _addresses(value: object) -> object:
    text = ",".join(str(v) for v in value) if isinstance(value, list) else value
    if not isinstance(text, str):
        return text
    servers = [s.strip() for s in text.split(",")]
    for server in servers:
        if not ADDRESS.fullmatch(server) or not 0 < int(server.rsplit(":", 1)[1]) < 2**16:
            fix = f"{server}:9092" if re.fullmatch(r"[\w.-]+", server) else "localhost:9092"
            raise Refused("must be host:port, several ones with commas between", fix=fix)
    return ",".join(servers)


class KafkaKeys(Keys):
    """How to reach Kafka. A secret comes from the environment or a file, and is never shown."""

    bootstrap_servers: Annotated[
        str,
        BeforeValidator(_addresses),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ] = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"


class TopicKeys(Keys):
    """The topics that other programs see."""

    predictions: Topic = "predictions"
    labels: Topic = "labels"
    baselines: Topic = "baselines"
    alerts: Topic = "alerts"
    reports: Topic = "reports"
    silences: Topic = "silences"
    dead_letters: Topic = "dead-letters"


class WebKeys(Keys):
    """Where `/metrics`, `/healthz` and `/readyz` are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535), NUMBER] = 6066  # 0: any free one


class WindowKeys(Keys):
    """Event time: how it is cut into panes, and when a pane closes."""

    pane: DurationMs = default("1m")
    length: DurationMs = default("1h")
    allowed_lateness: DurationMs = default("30s")
    idle: DurationMs = default("30s")
    max_clock_skew: DurationMs = default("5m")


class ModelWindowKeys(Keys):
    """What one model has otherwise than `windows`."""

    pane: DurationMs | None = None
    length: DurationMs | None = None


class LabelKeys(Keys):
    """How predictions wait for their labels."""

    ttl: DurationMs = default("30d")  # a label later than this after its prediction does not count
    early: DurationMs = default("5m")  # how long before its prediction a label may lie
    revision: DurationMs = default("7d")  # without `dedupe`: how long a labelled prediction is kept, to be corrected
    cohort: DurationMs | None = None  # panes by prediction time; None: a day, or the fewest panes that cover one
    sample: Annotated[float, Field(gt=0, le=1), NUMBER] = 1.0  # share of the ids that are joined, by hash
    dedupe: bool = True  # a prediction that comes again within `ttl` counts once
    max_waiting: Annotated[int, Field(ge=1), NUMBER] = 10_000_000  # predictions of one model; more are refused


class ModelLabelKeys(Keys):
    """What one model has otherwise than `labels`."""

    ttl: DurationMs | None = None
    revision: DurationMs | None = None
    cohort: DurationMs | None = None
    sample: Annotated[float, Field(gt=0, le=1), NUMBER] | None = None
    dedupe: bool | None = None
    max_waiting: Annotated[int, Field(ge=1), NUMBER] | None = None


LabelSection = Annotated[LabelKeys | None, BeforeValidator(section_or_off), OffAllowed()]
ModelLabelSection = Annotated[ModelLabelKeys | None, BeforeValidator(section_or_off), OffAllowed()]


class ModelKeys(Keys):
    """One model."""

    task: Literal["binary", "regression", "multiclass"] | None = None  # None: as its baseline says
    rule: Rule | None = None  # None: `rule` of all models
    false_alarms: ModelFalseAlarmSection = None  # None: `false_alarms` of all models
    windows: ModelWindowKeys = ModelWindowKeys()
    season: SeasonName | None = None  # none: never; a season: only that one; None: as its baseline says
    timezone: TimeZone = "UTC"  # by whose clock `baseline create` cuts a season
    checks: CheckKeys = CheckKeys()
    labels: ModelLabelSection = ModelLabelKeys()
    alerts: ModelAlertKeys = ModelAlertKeys()
    segments: SegmentSections = Field(default_factory=dict)  # by key: a categorical feature, or a field of `segment`


class CheckpointKeys(Keys):
    """How often state is made durable: whichever of the two comes first."""

    interval: DurationMs = default("500ms")
    max_bytes: Annotated[int, Field(ge=65_536), NUMBER] = 8_388_608


class LimitKeys(Keys):
    """What may not grow without bound."""

    max_message_bytes: Annotated[int, Field(ge=1_024), NUMBER] = 1_048_576
    max_panes: Annotated[int, Field(ge=1, le=100_000), NUMBER] = 300
    max_segments: Annotated[int, Field(ge=1, le=10_000), NUMBER] = 100  # of one model, those of `other` included
