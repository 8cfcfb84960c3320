"""The table of topics: complete, in an order in which it can be made, and the same as in README."""

from pathlib import Path

import pytest

from stream.config import Config, TopicKeys
from stream.service.topics import (
    LARGE_MESSAGE_BYTES,
    TOPICS,
    Cleanup,
    TopicSpec,
    wanted_partitions,
    wanted_replicas,
    wanted_settings,
)

README = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")


def test_every_topic_of_the_configuration_is_declared() -> None:
    assert {spec.role for spec in TOPICS if not spec.internal} == set(TopicKeys.model_fields)


@pytest.mark.parametrize("spec", TOPICS, ids=lambda spec: spec.role)
def test_readme_has_each_topic(spec: TopicSpec) -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `") and f"`{spec.name(Config())}`" in line]
    assert rows, f"README's table lacks {spec.name(Config())}"
    assert any("(compacted)" in row for row in rows) == (spec.cleanup is Cleanup.COMPACT)


def test_a_topic_comes_after_the_one_whose_partitions_it_copies() -> None:
    existing: dict[str, int] = {}
    for spec in TOPICS:
        existing[spec.name(Config())] = wanted_partitions(spec, Config(), existing, given=3)
    assert set(existing.values()) == {1, 3}


@pytest.mark.parametrize(
    ("brokers", "replicas", "settings"),
    [
        (1, 1, {}),
        (2, 1, {}),  # with two replicas and two in sync, either broker's death would stop us
        (3, 3, {"min.insync.replicas": "2"}),
        (9, 3, {"min.insync.replicas": "2"}),
    ],
)
def test_replication_follows_the_number_of_brokers(brokers: int, replicas: int, settings: dict[str, str]) -> None:
    [alerts] = [spec for spec in TOPICS if spec.role == "alerts"]
    assert wanted_replicas(brokers) == replicas
    assert wanted_settings(alerts, brokers) == {"cleanup.policy": "delete", **settings}


def test_changelogs_are_kept_for_ever_and_never_compacted() -> None:
    for spec in TOPICS:
        if spec.role.endswith("changelog"):
            settings = wanted_settings(spec, brokers=1)
            assert settings.pop("max.message.bytes") == str(LARGE_MESSAGE_BYTES)
            assert settings == {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
