"""`driftline check`: is the configuration good, and what is in effect?"""

import json
from collections.abc import Iterator
from itertools import zip_longest

import click

from stream.cli import config_option, json_option
from stream.cli.memory import Rates, WaitingMemory, megabytes, memory_by_model, read_rates
from stream.cli.model_words import model_in_words
from stream.config import Config, LatencyKeys, ModelConfig, WorseKeys
from stream.config.durations import format_duration
from stream.config.quality_keys import ErrorKeys, QualityKeys, ThroughputKeys
from stream.records.settings import OutcomeSettings, outcome_settings


@click.command(name="check")
@click.option(
    "--rate",
    "rates",
    metavar="[MODEL=]N",
    multiple=True,
    callback=read_rates,
    help="Predictions a second, of each model or of one: print the memory that waiting for labels needs.",
)
@config_option
@json_option
def command(config: Config, as_json: bool, rates: Rates) -> None:
    """Validate the configuration and show the settings that are in effect.

    Exit code 0: it is good. 2: it is refused, one line per key. Nothing is contacted.
    """
    click.echo(_json(config, rates) if as_json else _text(config, rates))


def _json(config: Config, rates: Rates) -> str:
    found = json.loads(config.model_dump_json()) | {"models": {name: _model(config, name) for name in config.models}}
    if rates:
        memory = memory_by_model(config, rates)
        found["memory"] = {
            "total_bytes": sum(one.bytes for one in memory.values()),
            "models": {name: _memory(one) for name, one in memory.items()},
        }
    return json.dumps(found, indent=2)


def _memory(one: WaitingMemory) -> dict[str, object]:
    return {
        "rate": one.rate,
        "waiting": one.waiting,
        "max_waiting": one.max_waiting,
        "refused": one.waiting - one.held,
        "bytes": one.bytes,
    }


def _model(config: Config, name: str) -> dict[str, object]:
    model = config.model(name)
    psi = model.checks.psi
    limits = {feature: psi.limits_of(feature) for feature in psi.features}
    return {
        "task": model.task,
        "rule": model.rule,
        "false_alarms": model.false_alarms.model_dump(),
        "windows": json.loads(model.windows.model_dump_json()),
        "season": model.season,
        "timezone": model.timezone,
        "segments": {
            key: one.model_dump(mode="json", include={"top" if one.top else "values"})
            for key, one in model.segments.items()
        },
        "alerts": _alerts(model),
        "labels": _labels(outcome_settings(model)),
        "checks": {
            "psi": {
                "rule": psi.rule or model.rule,
                "notice": psi.default_limits.notice,
                "warning": psi.warning,
                "critical": psi.critical,
                "min_count": psi.min_count,
                "features": {feature: "off" if own is None else vars(own) for feature, own in limits.items()},
            },
            "auc": _tested(model.checks.auc, model.rule),
            "brier": _tested(model.checks.brier, model.rule),
            "mae": _tested(model.checks.mae, model.rule),
            "latency": _tested(model.checks.latency, model.rule),
            "errors": _tested(model.checks.errors, model.rule),
            "throughput": _tested(model.checks.throughput, model.rule),
            "quality": _quality(model.checks.quality, model.rule),
        },
    }


def _labels(outcomes: OutcomeSettings | None) -> object:
    if outcomes is None:
        return "off"
    return {
        "ttl": format_duration(outcomes.ttl_ms),
        "early": format_duration(outcomes.early_ms),
        "revision": format_duration(outcomes.revision_ms),
        "cohort": format_duration(outcomes.cohort_ms),
        "sample": outcomes.sample,
        "dedupe": outcomes.dedupe,
        "max_waiting": outcomes.max_waiting,
    }


def _alerts(model: ModelConfig) -> dict[str, object]:
    resolve = model.windows.length if model.alerts.resolve is None else model.alerts.resolve
    return {
        "pending": format_duration(model.alerts.pending),
        "resolve": format_duration(resolve),
        "cooldown": format_duration(model.alerts.cooldown),
        "group_above": model.alerts.group_above or "off",
    }


def _quality(check: QualityKeys | None, rule: str) -> object:
    """Each check of it with its limits, or `off`."""
    if check is None:
        return "off"
    said = check.model_dump(mode="json", by_alias=True)
    limits = {name: "off" if one is None else one for name, one in said.items() if name != "level"}
    return {**limits, "level": check.level, "rule": check.rule or rule}


def _tested(check: WorseKeys | LatencyKeys | ErrorKeys | ThroughputKeys | None, rule: str) -> object:
    """With the model's rule where it has none; a level of null is what the budget gives."""
    return "off" if check is None else {**check.model_dump(mode="json"), "rule": check.rule or rule}


def _text(config: Config, rates: Rates) -> str:
    topics = config.topics
    lines = [
        ("kafka", f"{config.kafka.bootstrap_servers} ({config.kafka.security_protocol})"),
        ("app", config.app),
        ("reads", f"{topics.predictions}, {topics.labels}, {topics.baselines}"),
        ("writes", f"{topics.alerts}, {topics.reports}, {topics.dead_letters}, {config.internal_topic('*')}"),
        ("web", f"http://{config.web.host}:{config.web.port}"),
        *_model_in_words("any model", config.model("")),
        *(line for name in config.models for line in _model_in_words(f"model {name}", config.model(name))),
        ("unknown models", config.unknown_models),
        *_memory_in_words(config, rates),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join([*(f"{name:<{width}}  {value}" for name, value in lines), "the configuration is good"])


def _model_in_words(title: str, model: ModelConfig) -> Iterator[tuple[str, str]]:
    """The title beside the first line only."""
    yield from zip_longest((title,), model_in_words(model), fillvalue="")


def _memory_in_words(config: Config, rates: Rates) -> list[tuple[str, str]]:
    if not rates:
        return []
    memory = memory_by_model(config, rates)
    total = sum(one.bytes for one in memory.values())
    lines = [(f"waiting {name}".rstrip(), one.words) for name, one in memory.items()]
    return [*lines, ("memory", f"{megabytes(total)} for predictions that wait for labels, over all workers")]
