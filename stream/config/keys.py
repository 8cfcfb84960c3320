"""Every key of the configuration: its type, its default and the rules that it can be judged by alone.

The attribute names are the keys of the YAML file. Durations are whole milliseconds inside
(`windows.pane` is an int), text with a unit outside. Rules that need two keys are in `rules.py`.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from stream.config.durations import DURATION_PATTERN, format_duration, parse_duration_ms
from stream.config.refusals import Refused

TOPIC_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:,\s/]+):[0-9]{1,5}")
SMOOTHING: Final = re.compile(r"half|epsilon:[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")
LONGEST_APP_NAME: Final = 200  # Kafka's 249 for a topic, less the longest suffix of ours
LONGEST_LATENCY_MS: Final = 3_600_000  # latencies from here on are counted together
ENVELOPE: Final = ("prediction_id", "model", "version", "ts", "score", "value", "scores", "features", "latency_ms",
                   "segment", "status", "role", "request_id")  # fmt: skip
"""The fields of a prediction, as a producer names them (schemas/prediction.schema.json)."""


def _duration(value: object) -> object:
    if not isinstance(value, str):
        raise Refused("needs a unit", fix=f"{value}s" if isinstance(value, int) else "30s")
    try:
        return parse_duration_ms(value)
    except ValueError as error:
        raise Refused(str(error), fix=f"{value.strip()}s" if value.strip().isdigit() else "30s") from None


def _not_a_bool(value: object) -> object:
    if isinstance(value, bool):
        raise Refused("must be a number", fix="digits")
    return value


def _topic(name: str) -> str:
    if not TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
        raise Refused(
            "must be a name that Kafka allows: 1 to 249 letters, digits, '.', '_' or '-'",
            fix=re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip(".-")[:249] or "another name",
        )
    return name


def _app(name: str) -> str:
    if len(name) > LONGEST_APP_NAME:
        raise Refused(f"must be at most {LONGEST_APP_NAME} characters long", fix=name[:20])
    return _topic(name)


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


def _unknown_models(value: object) -> object:
    if value == "learn":
        fix = "dead-letter, and register a baseline with `driftline baseline create`"
        raise Refused("learned baselines are not in this version yet", fix=fix)
    return value


def _rule(value: object) -> object:
    if value == "budget":
        raise Refused("the false-alarm budget is not in this version yet", fix="threshold, or leaving `rule` out")
    return value


def _smoothing(text: str) -> str:
    kind, _, epsilon = text.partition(":")
    if not SMOOTHING.fullmatch(text) or (kind == "epsilon" and not 0 < float(epsilon) < 1):
        raise Refused("must be half, or epsilon: with a number between 0 and 1", fix="half or epsilon:1e-8")
    return text


def _field_names(names: dict[str, str]) -> dict[str, str]:
    for name in names:
        if name not in ENVELOPE and not re.fullmatch(r"(features|segment)\.\S+", name):
            raise Refused(f"{name} is no field of a prediction", fix=f"one of {', '.join(ENVELOPE)}, features.NAME")
    return names


def _off(value: object) -> object:
    """`off`, however the reader of the file understood it, switches a check off."""
    if value is None:
        raise Refused("is empty", fix="off, or a limit")
    return None if value is False or value == "off" else value


def _section_or_off(value: object) -> object:
    """A section that may be switched off as a whole; with nothing below it, it has its defaults."""
    return {} if value is None else _off(value)


def _latency_or_off(value: object) -> object:
    """A section that says at least what the SLA is, or `off`."""
    if value is None or (isinstance(value, dict) and "sla" not in value):
        raise Refused("needs `sla`, the longest that an answer may take", fix="{sla: 250ms}, or off")
    return _off(value)


def _sla(sla_ms: int) -> int:
    if not 1 <= sla_ms < LONGEST_LATENCY_MS:
        raise Refused("must be at least 1ms and shorter than 1h", fix="250ms")
    return sla_ms


class _OffAllowed:
    """In the JSON Schema `null` stands for the word `off`."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        schema["anyOf"] = [s for s in schema["anyOf"] if s.get("type") != "null"] + [{"enum": ["off", False]}]
        return schema


DurationMs = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "24h"]}),
]
SlaMs = Annotated[DurationMs, AfterValidator(_sla)]
NUMBER: Final = BeforeValidator(_not_a_bool)
Limit = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER] | None,
    BeforeValidator(_off),
    _OffAllowed(),
]
Topic = Annotated[str, AfterValidator(_topic)]
AppName = Annotated[str, AfterValidator(_app)]
UnknownModels = Annotated[Literal["dead-letter", "ignore"], BeforeValidator(_unknown_models)]
SmoothingName = Annotated[str, AfterValidator(_smoothing)]
FieldNames = Annotated[dict[str, str], AfterValidator(_field_names)]
PANE_MINIMUM_MS: Final = 1_000


def _default(value: str) -> Any:
    """A default in the words of the file, read like them."""
    return Field(default=value, validate_default=True)


class Keys(BaseModel):
    """A section of the configuration: frozen, and it knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return {} if value is None else value  # `web:` with nothing below it


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
    dead_letters: Topic = "dead-letters"


class WebKeys(Keys):
    """Where `/metrics`, `/healthz` and `/readyz` are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535), NUMBER] = 6066  # 0: any free one


class WindowKeys(Keys):
    """Event time: how it is cut into panes, and when a pane closes."""

    pane: DurationMs = _default("1m")
    length: DurationMs = _default("1h")
    allowed_lateness: DurationMs = _default("30s")
    idle: DurationMs = _default("30s")
    max_clock_skew: DurationMs = _default("5m")


class ModelWindowKeys(Keys):
    """What one model has otherwise than `windows`."""

    pane: DurationMs | None = None
    length: DurationMs | None = None


class FeatureLimitKeys(Keys):
    """What one feature has otherwise than its model's check."""

    warning: Limit = None
    critical: Limit = None
    min_count: Annotated[int, Field(ge=1), NUMBER] | None = None


@dataclass(frozen=True, kw_only=True)
class PsiLimits:
    """What PSI is judged with for one series; None: no such limit."""

    warning: float | None  # in nats
    critical: float | None  # in nats
    min_count: int  # predictions in the window


class PsiKeys(Keys):
    """The limits of PSI, in nats, and how many predictions a window must have to be judged."""

    warning: Limit = 0.1
    critical: Limit = 0.25
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200
    features: dict[str, Annotated[FeatureLimitKeys | None, BeforeValidator(_off), _OffAllowed()]] = Field(
        default_factory=dict
    )

    def limits_of(self, series: str) -> PsiLimits | None:
        """The limits of one feature, or of the answer; None if it is switched off.

        >>> PsiKeys.model_validate({"features": {"wind": {"critical": 0.5}, "note": "off"}}).limits_of("wind")
        PsiLimits(warning=0.1, critical=0.5, min_count=200)
        """
        own = self.features.get(series, FeatureLimitKeys())
        if own is None:
            return None
        return PsiLimits(
            warning=own.warning if "warning" in own.model_fields_set else self.warning,
            critical=own.critical if "critical" in own.model_fields_set else self.critical,
            min_count=self.min_count if own.min_count is None else own.min_count,
        )


Tolerance = Annotated[float, Field(gt=0, allow_inf_nan=False), NUMBER]
ShareTolerance = Annotated[float, Field(gt=0, lt=1), NUMBER]


class WorseKeys(Keys):
    """How much worse than its baseline a model may do; needs labels, and a baseline that was made with labels."""

    tolerance: Tolerance
    min_samples: Annotated[int, Field(ge=1), NUMBER] = 200  # labels in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] = 0.001  # of the one-sided test that it is no chance


class AucKeys(WorseKeys):
    """AUC below the baseline's by more than `tolerance`."""

    tolerance: ShareTolerance = 0.05


class BrierKeys(WorseKeys):
    """Brier score above the baseline's by more than `tolerance`."""

    tolerance: ShareTolerance = 0.02


class MaeKeys(WorseKeys):
    """Mean absolute error of a regression above the baseline's by more than this share of it."""

    tolerance: Tolerance = 0.1


class LatencyKeys(Keys):
    """How long a model may take to answer; without the section latencies are not counted."""

    sla: SlaMs  # an answer that takes exactly so long is within it
    quantile: Annotated[float, Field(ge=0.5, lt=1), NUMBER] = 0.99  # the share of answers that must be within it
    min_count: Annotated[int, Field(ge=1), NUMBER] = 200  # answers in the window; with fewer it does not judge
    level: Annotated[float, Field(gt=0, lt=0.5), NUMBER] = 0.001  # of the one-sided test that it is no chance
    rule: Literal["budget", "threshold"] = "budget"  # threshold: the plain "p99 > SLA", without the test


class CheckKeys(Keys):
    """The checks of one model."""

    psi: PsiKeys = PsiKeys()
    auc: Annotated[AucKeys | None, BeforeValidator(_section_or_off), _OffAllowed()] = AucKeys()
    brier: Annotated[BrierKeys | None, BeforeValidator(_section_or_off), _OffAllowed()] = BrierKeys()
    mae: Annotated[MaeKeys | None, BeforeValidator(_section_or_off), _OffAllowed()] = MaeKeys()
    latency: Annotated[LatencyKeys | None, BeforeValidator(_latency_or_off), _OffAllowed()] = None


class LabelKeys(Keys):
    """How predictions wait for their labels."""

    ttl: DurationMs = _default("30d")  # a label later than this after its prediction does not count
    early: DurationMs = _default("5m")  # how long before its prediction a label may lie
    revision: DurationMs = _default("7d")  # without `dedupe`: how long a labelled prediction is kept, to be corrected
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


LabelSection = Annotated[LabelKeys | None, BeforeValidator(_section_or_off), _OffAllowed()]
ModelLabelSection = Annotated[ModelLabelKeys | None, BeforeValidator(_section_or_off), _OffAllowed()]


class ModelKeys(Keys):
    """One model."""

    task: Literal["binary", "regression", "multiclass"] | None = None  # None: as its baseline says
    rule: Annotated[Literal["threshold"], BeforeValidator(_rule)] = "threshold"
    windows: ModelWindowKeys = ModelWindowKeys()
    checks: CheckKeys = CheckKeys()
    labels: ModelLabelSection = ModelLabelKeys()


class CheckpointKeys(Keys):
    """How often state is made durable: whichever of the two comes first."""

    interval: DurationMs = _default("500ms")
    max_bytes: Annotated[int, Field(ge=65_536), NUMBER] = 8_388_608


class LimitKeys(Keys):
    """What may not grow without bound."""

    max_message_bytes: Annotated[int, Field(ge=1_024), NUMBER] = 1_048_576
    max_panes: Annotated[int, Field(ge=1, le=100_000), NUMBER] = 300
