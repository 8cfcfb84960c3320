"""The service as one crash run deploys it: topics of its own, configuration files, baselines."""

import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.baselines.registry import register
from stream.config import Config, load_config
from stream.records.source import Source
from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from tests.crash.models import (
    HARD_LIMIT_MS,
    LEARNED,
    PARTS,
    SEGMENTED,
    SLA_MS,
    Model,
    make_baseline,
    make_models,
)
from tests.crash.scenario import (
    ALLOWED_LATENESS_MS,
    COHORT_MS,
    EARLY_S,
    LABEL_PARTITIONS,
    PANE_MS,
    PARTITIONS,
    REVISION_S,
    TTL_S,
    WINDOW_PANES,
    Scenario,
)

MIN_COUNT: Final = 50
MIN_LABELS: Final = 100
TOLERANCE: Final = 0.15  # of AUC and Brier: no healthy window comes near, so that chance decides nothing
LEVEL: Final = 0.001  # panes are seconds long here: what a month's budget gives to one of them, no hundred labels show
LEARNED_ROWS: Final = 200
MAX_PER_PANE: Final = 2  # single slow answers of one partition: there are panes with more
QUANTILE: Final = 0.9  # of answers that must be within the SLA: fewer are, in every window
MAY_FAIL, MAY_FAIL_AT_MOST = 0.05, 0.2  # shares: beyond the first where a model drifts, beyond the second in the middle
REPOSITORY: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Deployment:
    """One app: a consumer group with its topics. Several may read the same predictions."""

    config: Config
    file: Path

    @classmethod
    def write(
        cls, folder: Path, bootstrap_servers: str, run: str, name: str, scenario: Scenario, *, idle_s: int
    ) -> Self:
        """A configuration in the folder; apps of one run share predictions and labels."""
        app = f"{run}-{name}"
        settings: dict[str, Any] = {
            "kafka": {"bootstrap_servers": bootstrap_servers},
            "app": app,
            "topics": {
                "predictions": f"{run}-predictions",
                "labels": f"{run}-labels",
                "baselines": f"{app}.baselines",
                "alerts": f"{app}.alerts",
                "reports": f"{app}.reports",
                "silences": f"{app}.silences",
                "dead_letters": f"{app}.dead-letters",
            },
            "web": {"port": 0},
            "windows": {
                "pane": f"{PANE_MS}ms",
                "length": f"{WINDOW_PANES * PANE_MS}ms",
                "allowed_lateness": f"{ALLOWED_LATENESS_MS}ms",
                "idle": f"{idle_s}s",
            },
            "unknown_models": scenario.unknown_models,
            "learning": {"rows": LEARNED_ROWS},
            "labels": {
                "ttl": f"{TTL_S}s",
                "early": f"{EARLY_S}s",
                "revision": f"{REVISION_S}s",
                "cohort": f"{COHORT_MS}ms",
            },
            "models": {
                **{model.name: _labelled(model) for model in make_models(scenario.models)},
                SEGMENTED.name: {**_unlabelled(), "segments": {"c": {"top": 2}, "site": {"values": [*PARTS["site"]]}}},
                LEARNED.name: _unlabelled(),
            },
        }
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        return cls(load_config(file), file)

    @property
    def written_topics(self) -> list[str]:
        """What the app writes, the changelogs included."""
        topics = self.config.topics
        own = [self.outcomes, self.partials, *self.changelogs]
        return [*own, topics.alerts, topics.reports, topics.dead_letters, topics.baselines]

    @property
    def changelogs(self) -> list[str]:
        """State of all owners."""
        return [self.count_changelog, self.labels_changelog, self.join_changelog, self.evaluate_changelog]

    @property
    def outcomes(self) -> str:
        """From count and labels to join."""
        return self.config.internal_topic("outcomes")

    @property
    def partials(self) -> str:
        """From count and join to evaluate."""
        return self.config.internal_topic("partials")

    @property
    def count_changelog(self) -> str:
        """State of count."""
        return self.config.internal_topic("count-changelog")

    @property
    def labels_changelog(self) -> str:
        """State of labels."""
        return self.config.internal_topic("labels-changelog")

    @property
    def join_changelog(self) -> str:
        """State of join."""
        return self.config.internal_topic("join-changelog")

    @property
    def evaluate_changelog(self) -> str:
        """State of evaluate."""
        return self.config.internal_topic("evaluate-changelog")

    def create_topics(self) -> None:
        """As an operator makes them; what is there stays."""
        command = ["topics", "create", "-c", str(self.file), "--partitions", str(PARTITIONS)]
        subprocess.run([sys.executable, "-m", "stream", *command], cwd=REPOSITORY, check=True, capture_output=True)


def _labelled(model: Model) -> dict[str, Any]:
    return {
        "checks": {
            "psi": {"rule": "budget" if model.is_budgeted else "threshold", "min_count": MIN_COUNT},
            "auc": {"tolerance": TOLERANCE, "min_samples": MIN_LABELS, "level": LEVEL},
            "brier": {"tolerance": TOLERANCE, "min_samples": MIN_LABELS, "level": LEVEL},
            "latency": {
                "sla": f"{SLA_MS}ms",
                "hard_limit": f"{HARD_LIMIT_MS}ms",
                "max_per_pane": MAX_PER_PANE,
                "quantile": QUANTILE,
                "level": LEVEL,
            },
            "errors": {"warning": MAY_FAIL, "critical": MAY_FAIL_AT_MOST, "level": LEVEL},
        }
    }


def _unlabelled() -> dict[str, Any]:
    return {"labels": "off", "checks": {"psi": {"rule": "budget", "min_count": MIN_COUNT}}}


def new_run_name() -> str:
    """A prefix that no other run on this Kafka has."""
    return f"crash-{uuid.uuid4().hex[:8]}"


async def create_labels(config: Config) -> None:
    """The topic of the labels, with a number of partitions of its own."""
    admin = AIOKafkaAdminClient(**client_arguments(config.kafka))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(config.topics.labels, LABEL_PARTITIONS, 1)])
    finally:
        await admin.close()


async def register_baselines(log: KafkaLog, config: Config, scenario: Scenario) -> None:
    """One baseline for every model, before anybody counts."""
    for model in [*make_models(scenario.models), SEGMENTED]:
        await register(log, Source(config.topics.baselines, 0), make_baseline(model))
