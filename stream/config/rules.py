"""Rules that need more than one key: each refuses with the key that has to change."""

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from stream.config.alert_rules import alert_rules
from stream.config.budget_rules import budget_rules
from stream.config.check_keys import PsiKeys, PsiLimits
from stream.config.durations import format_duration
from stream.config.key_types import PANE_MINIMUM_MS
from stream.config.keys import KafkaKeys, WindowKeys
from stream.config.label_rules import label_rules
from stream.config.learning_keys import learning_rules
from stream.config.season_keys import season_rules
from stream.config.segment_keys import SegmentKeys
from stream.errors import ABSENT, ConfigError

if TYPE_CHECKING:
    from stream.config import Config

INTERNAL_TOPICS: Final = (
    *("outcomes", "partials"),
    *("count-changelog", "labels-changelog", "join-changelog", "evaluate-changelog"),
)


def broken_rules(config: "Config") -> Iterator[ConfigError]:
    """Every rule that the settings break, in the order of the file."""
    yield from _kafka(config.kafka)
    yield from _topics(config)
    yield from _times(config.windows)
    if config.checkpoint.interval < 1:
        yield _duration_error("checkpoint.interval", 0, "must be longer than nothing", "500ms")
    yield from _panes("windows", config.windows, config.limits.max_panes)
    for name in config.models:
        model = config.model(name)
        yield from _panes(_key_of_panes(config, name), model.windows, config.limits.max_panes)
        yield from _limits(f"models.{name}.checks.psi", model.checks.psi)
        yield from _segments(f"models.{name}.segments", model.segments, config.limits.max_segments)
        yield from season_rules(name, model.season, model.windows)
    yield from label_rules(config)
    yield from budget_rules(config)
    yield from alert_rules(config)
    yield from learning_rules(config)
    for name in config.fields.keys() & config.constants.keys():
        yield ConfigError(f"constants.{name}", config.constants[name], "is also in `fields`", fix="one of the two")


def _kafka(kafka: KafkaKeys) -> Iterator[ConfigError]:
    sasl = kafka.security_protocol.startswith("SASL")
    if sasl and kafka.sasl_mechanism is None:
        rule = f"is needed with security_protocol {kafka.security_protocol}"
        yield ConfigError("kafka.sasl_mechanism", ABSENT, rule, fix="SCRAM-SHA-512, or what your brokers ask for")
    if sasl and kafka.sasl_username is None:
        yield ConfigError("kafka.sasl_username", ABSENT, "is needed with SASL", fix="DRIFTLINE_KAFKA__SASL_USERNAME=…")
    if sasl and kafka.sasl_password is None and kafka.sasl_password_file is None:
        yield ConfigError("kafka.sasl_password", ABSENT, "is needed with SASL", fix="DRIFTLINE_KAFKA__SASL_PASSWORD=…")
    if not sasl and kafka.sasl_mechanism is not None:
        rule = f"has no effect with security_protocol {kafka.security_protocol}"
        yield ConfigError("kafka.sasl_mechanism", kafka.sasl_mechanism, rule, fix="security_protocol: SASL_SSL")
    if kafka.sasl_password is not None and kafka.sasl_password_file is not None:
        rule = "is given beside sasl_password"
        yield ConfigError("kafka.sasl_password_file", kafka.sasl_password_file, rule, fix="one of the two")
    if (kafka.ssl_keyfile is None) != (kafka.ssl_certfile is None):
        missing = "ssl_keyfile" if kafka.ssl_keyfile is None else "ssl_certfile"
        yield ConfigError(f"kafka.{missing}", ABSENT, "is needed beside the other one", fix="both, or none of them")


def _topics(config: "Config") -> Iterator[ConfigError]:
    taken = {config.internal_topic(role): f"an internal topic of app {config.app}" for role in INTERNAL_TOPICS}
    for role, topic in config.topics.model_dump().items():
        if topic in taken:
            yield ConfigError(f"topics.{role}", topic, f"is already {taken[topic]}", fix="another name")
        taken[topic] = f"topics.{role}"


def _times(windows: WindowKeys) -> Iterator[ConfigError]:
    for key, fix in (("allowed_lateness", "30s"), ("idle", "30s"), ("max_clock_skew", "5m")):
        if getattr(windows, key) < 1:
            yield _duration_error(f"windows.{key}", 0, "must be longer than nothing", fix)


def _key_of_panes(config: "Config", model: str) -> str:
    own = config.models[model].windows
    return "windows" if own.pane is None and own.length is None else f"models.{model}.windows"


def _panes(key: str, windows: WindowKeys, max_panes: int) -> Iterator[ConfigError]:
    pane, length = windows.pane, windows.length
    if pane < PANE_MINIMUM_MS:
        yield _duration_error(f"{key}.pane", pane, "must be at least 1s", "1s")
    elif length < pane or length % pane:
        nearest = format_duration(max(1, round(length / pane)) * pane)
        rule = f"must be a whole number of panes ({format_duration(pane)})"
        yield _duration_error(f"{key}.length", length, rule, nearest)
    elif length // pane > max_panes:
        rule = f"is {length // pane} panes of {format_duration(pane)}, more than limits.max_panes ({max_panes})"
        yield _duration_error(f"{key}.length", length, rule, f"a pane of {_pane_that_fits(length, max_panes)}")


def _pane_that_fits(length_ms: int, max_panes: int) -> str:
    """The shortest pane that cuts the window evenly into few enough.

    >>> _pane_that_fits(86_400_000, 300)
    '5m'
    """
    usual = [s * 1_000 for s in (1, 5, 10, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400)]
    fitting = [pane for pane in usual if length_ms % pane == 0 and length_ms // pane <= max_panes]
    return format_duration(fitting[0] if fitting else length_ms)


def _limits(key: str, psi: PsiKeys) -> Iterator[ConfigError]:
    yield from _ordered(key, psi.default_limits)
    for name, own in psi.features.items():
        limits = psi.limits_of(name)
        if limits and own and own.model_fields_set & {"notice", "warning", "critical"}:
            yield from _ordered(f"{key}.features.{name}", limits)


def _segments(key: str, segments: Mapping[str, SegmentKeys], most: int) -> Iterator[ConfigError]:
    made = sum(section.most for section in segments.values())
    if made > most:
        rule = f"make {made} segments, those of `other` included, more than limits.max_segments ({most})"
        yield ConfigError(
            key, ABSENT, rule, fix="fewer values, or a higher limit: each segment costs what the model does"
        )


def _ordered(key: str, limits: PsiLimits) -> Iterator[ConfigError]:
    ascending = [("notice", limits.notice), ("warning", limits.warning), ("critical", limits.critical)]
    given = [(name, limit) for name, limit in ascending if limit is not None]
    for (lower, below), (name, limit) in itertools.pairwise(given):
        if below > limit:
            rule = f"must be at least the {lower} limit ({below})"
            yield ConfigError(f"{key}.{name}", limit, rule, fix=f"a {lower} limit of at most {limit} beside it")


def _duration_error(key: str, duration_ms: int, rule: str, fix: str) -> ConfigError:
    return ConfigError(key, format_duration(duration_ms), rule, fix=fix)
