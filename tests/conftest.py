"""Fixtures of all tests: the session's broker, and topics that no other test uses."""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker, Rung, rung, running_broker

settings.register_profile("any machine", deadline=None)  # a loaded one is no failure
settings.load_profile("any machine")

MakeTopic = Callable[..., Awaitable[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of the simulation is run."""
    parser.addoption("--schedules", type=int, default=0, help="simulation: how many schedules of each kind of world")
    parser.addoption("--first-seed", type=int, default=0, help="simulation: the first schedule's seed")


class OneFileOneProcess(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """How processes share the tests: a file, and so its service, stays with one; the simulation is spread out."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/simulation/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneFileOneProcess:
    """Called where there are several processes."""
    return OneFileOneProcess(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes the broker is marked `embedded`; what is marked `kafka` needs a real one."""
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("embedded")
        if item.get_closest_marker("kafka") and rung() is Rung.EMBEDDED:
            item.add_marker(pytest.mark.skip(reason="needs Apache Kafka: `make kafka`"))


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One broker for the whole run."""
    with running_broker() as running:
        yield running


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name that no other test has, for topics and consumer groups."""
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:60].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def make_topic(broker: Broker, unique: str) -> AsyncIterator[MakeTopic]:
    """`await make_topic("in", partitions=4, **topic_settings)` -> the new topic's name."""
    admin = AIOKafkaAdminClient(**client_arguments(broker.kafka))
    await admin.start()

    async def make(role: str = "log", *, partitions: int = 1, **settings: str) -> str:
        name = f"{unique}-{role}"
        dotted = {key.replace("_", "."): value for key, value in settings.items()}
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dotted)])
        assert all(error[1] == 0 for error in answer.topic_errors), answer
        return name

    yield make
    await admin.close()


@pytest.fixture
async def kafka_log(broker: Broker) -> AsyncIterator[KafkaLog]:
    """A connected log."""
    async with KafkaLog.connect(broker.kafka) as log:
        yield log
