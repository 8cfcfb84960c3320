"""Which broker the tests run on: the ladder. The same suite runs on every rung.

1. `KAFKA_BOOTSTRAP_SERVERS`, if it is set: somebody's Kafka, or the one of `tools/real_kafka.py`.
2. Docker, if it answers: a container of Apache Kafka.
3. The embedded broker.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from stream.config import KafkaKeys
from stream.service.embedded import EmbeddedBroker

KAFKA_IMAGE = "apache/kafka:4.4.0"


class Rung(StrEnum):
    """Where the broker comes from."""

    GIVEN = "given by KAFKA_BOOTSTRAP_SERVERS"
    DOCKER = "a container of Apache Kafka"
    EMBEDDED = "embedded"


@dataclass(frozen=True)
class Broker:
    """A broker that answers."""

    bootstrap_servers: str
    rung: Rung

    @property
    def is_real(self) -> bool:
        """Whether it is Apache Kafka, so that transactions and DeleteRecords work."""
        return self.rung is not Rung.EMBEDDED

    @property
    def kafka(self) -> KafkaKeys:
        """The `kafka:` section of a configuration that reaches it."""
        return KafkaKeys(bootstrap_servers=self.bootstrap_servers)


@cache
def rung() -> Rung:
    """The rung that this run stands on."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return Rung.GIVEN
    return Rung.DOCKER if _docker_answers() else Rung.EMBEDDED


@contextmanager
def running_broker() -> Iterator[Broker]:
    """The broker of this run's rung."""
    match rung():
        case Rung.GIVEN:
            yield Broker(os.environ["KAFKA_BOOTSTRAP_SERVERS"], Rung.GIVEN)
        case Rung.DOCKER:
            with _container() as bootstrap_servers:
                yield Broker(bootstrap_servers, Rung.DOCKER)
        case Rung.EMBEDDED:
            with EmbeddedBroker() as embedded:
                yield Broker(embedded.bootstrap_servers, Rung.EMBEDDED)


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return asked.returncode == 0


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs

    port = _free_port()
    container: Any = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://localhost:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    for name, value in settings.items():
        container = container.with_env(name, value)
    with container:
        wait_for_logs(container, "Kafka Server started", timeout=120)
        yield f"localhost:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
