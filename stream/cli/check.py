"""`driftline check`: is the configuration good, and what is in effect?"""

import json

import click

from stream.cli import config_option, json_option
from stream.config import Config
from stream.config.durations import format_duration


@click.command(name="check")
@config_option
@json_option
def command(config: Config, as_json: bool) -> None:
    """Validate the configuration and show the settings that are in effect.

    Exit code 0: it is good. 2: it is refused, one line per key. Nothing is contacted.
    """
    click.echo(_json(config) if as_json else _text(config))


def _json(config: Config) -> str:
    models = {name: _model(config, name) for name in config.models}
    return json.dumps(json.loads(config.model_dump_json()) | {"models": models}, indent=2)


def _model(config: Config, name: str) -> dict[str, object]:
    model = config.model(name)
    psi = model.checks.psi
    limits = {feature: psi.limits_of(feature) for feature in psi.features}
    return {
        "task": model.task,
        "rule": model.rule,
        "windows": json.loads(model.windows.model_dump_json()),
        "checks": {
            "psi": {
                "warning": psi.warning,
                "critical": psi.critical,
                "min_count": psi.min_count,
                "features": {feature: "off" if own is None else vars(own) for feature, own in limits.items()},
            }
        },
    }


def _text(config: Config) -> str:
    topics = config.topics
    lines = [
        ("kafka", f"{config.kafka.bootstrap_servers} ({config.kafka.security_protocol})"),
        ("app", config.app),
        ("reads", f"{topics.predictions}, {topics.baselines}"),
        ("writes", f"{topics.alerts}, {topics.reports}, {topics.dead_letters}, {config.internal_topic('*')}"),
        ("web", f"http://{config.web.host}:{config.web.port}"),
        ("any model", _limits_in_words(config, "")),
        *((f"model {name}", _limits_in_words(config, name)) for name in config.models),
        ("unknown models", config.unknown_models),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join([*(f"{name:<{width}}  {value}" for name, value in lines), "the configuration is good"])


def _limits_in_words(config: Config, name: str) -> str:
    model = config.model(name)
    psi = model.checks.psi
    own = f", {len(psi.features)} features of their own" if psi.features else ""
    return (
        f"windows of {format_duration(model.windows.length)} in panes of {format_duration(model.windows.pane)}, "
        f"PSI warning {_limit(psi.warning)}, critical {_limit(psi.critical)}, from {psi.min_count} rows{own}"
    )


def _limit(limit: float | None) -> str:
    return "off" if limit is None else f"{limit:g}"
