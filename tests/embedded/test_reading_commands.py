"""`driftline dead-letters list` and `driftline alerts tail`, as a user calls them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.cli import EXIT_CALLER, EXIT_FINE, main
from stream.config import Config, TopicKeys
from stream.durable.log import Outgoing
from stream.ingest.dead_letter import dead_letter
from stream.records.rejection import Rejection
from stream.records.source import Source
from stream.service.admin import create_topics
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker
from tests.conditions import eventually
from tests.embedded.command_line import driftline

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config(broker: Broker, unique: str) -> Config:
    """A configuration whose topics nobody else has."""
    topics = TopicKeys(**{role: f"{unique}-{role}" for role in TopicKeys.model_fields})
    return Config(app=unique, kafka=broker.kafka, topics=topics)


@pytest.fixture
def config_file(config: Config, tmp_path: Path) -> str:
    """The same as a file."""
    file = tmp_path / "driftline.yaml"
    file.write_text(config.model_dump_json())
    return str(file)


def letters(config: Config) -> list[Outgoing]:
    """Three rejections of two partitions."""
    rejections = [
        (0, Rejection(reason="not_json", detail="unexpected end", offset=4, index=None, value=b"{\x1b[31m")),
        (1, Rejection(reason="future", detail="an hour ahead", offset=9, index=2, value=b'{"model": "fraud"}')),
        (0, Rejection(reason="not_json", detail="not UTF-8", offset=5, index=None, value=b"\xff\xfe")),
    ]
    return [
        dead_letter(
            rejection, Source(config.topics.predictions, p), Source(config.topics.dead_letters, p), max_bytes=1_000
        )
        for p, rejection in rejections
    ]


async def prepare(config: Config) -> None:
    """Topics, and dead letters in them."""
    async with KafkaLog.connect(config.kafka) as log:
        await create_topics(config, log, partitions=2)
        for letter in letters(config):  # one by one, so that their timestamps tell their order
            await log.send([letter])


def test_dead_letters_are_listed_with_reason_origin_and_bytes(
    config: Config, config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(prepare(config))

    assert main(["dead-letters", "list", "-c", config_file, "--json"]) == EXIT_FINE
    listed = json.loads(capsys.readouterr().out)["dead_letters"]

    assert sorted((d["reason"], d["partition"], d["offset"], d["index"]) for d in listed) == [
        ("future", 1, 9, 2), ("not_json", 0, 4, None), ("not_json", 0, 5, None),
    ]  # fmt: skip
    by_offset = {d["offset"]: d for d in listed}
    assert by_offset[9]["value"] == '{"model": "fraud"}'
    assert by_offset[9]["size"] == 18
    assert by_offset[5]["value_base64"] == "//4="
    assert by_offset[4]["topic"] == config.topics.predictions


def test_dead_letters_can_be_chosen_by_reason_and_number(
    config: Config, config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(prepare(config))

    assert main(["dead-letters", "list", "-c", config_file, "--reason", "not_json", "--last", "1"]) == EXIT_FINE
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == 1
    assert f"{config.topics.predictions}/0/5  not_json: not UTF-8" in lines[0]


def test_what_a_producer_sent_cannot_write_to_the_terminal(
    config: Config, config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(prepare(config))

    assert main(["dead-letters", "list", "-c", config_file]) == EXIT_FINE

    assert "\x1b" not in capsys.readouterr().out


def test_without_the_topic_the_command_names_the_one_that_makes_it(
    config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead-letters", "list", "-c", config_file]) == EXIT_CALLER
    assert "driftline topics create" in capsys.readouterr().err


def alert(number: int) -> dict[str, Any]:
    """As much of an alert as the command shows."""
    return {
        "id": "9f2c0a1b2c3d4e5f",
        "status": "firing",
        "severity": "warning",
        "startsAt": "2013-10-02T00:00:00Z",
        "endsAt": None,
        "labels": {"model": "flight-delay", "version": "3"},
        "annotations": {"summary": f"distance drifted {number}"},
    }


@pytest.fixture
def tails() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended after the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_alerts_are_shown_from_the_beginning_and_as_they_come(
    config: Config, config_file: str, kafka_log: KafkaLog, tails: list[subprocess.Popen[str]]
) -> None:
    await create_topics(config, kafka_log)
    to = Source(config.topics.alerts, 0)
    await kafka_log.send([Outgoing(to=to, value=json.dumps(alert(1)).encode())])
    code = "import sys; from stream.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["alerts", "tail", "--from-beginning", "-c", config_file]
    tail = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    tails.append(tail)
    lines: list[str] = []

    def listen() -> None:
        assert tail.stdout is not None
        for line in tail.stdout:
            lines.append(line)

    listening = asyncio.get_running_loop().run_in_executor(None, listen)
    await eventually(lambda: len(lines) == 1, "the alert that was there")
    await kafka_log.send([Outgoing(to=to, value=json.dumps(alert(2)).encode())])
    await eventually(lambda: len(lines) == 2, "the alert that came")
    tail.kill()
    await listening

    assert (
        lines[0] == "2013-10-02T00:00:00Z  firing    warning   9f2c0a1b2c3d4e5f  flight-delay@3  distance drifted 1\n"
    )
    assert lines[1].endswith("distance drifted 2\n")


async def test_alerts_can_be_chosen_and_listed_to_the_end_of_the_topic(
    config: Config, config_file: str, kafka_log: KafkaLog
) -> None:
    await create_topics(config, kafka_log)
    told = [alert(1), alert(2) | {"status": "resolved"}, alert(3) | {"severity": "critical"}]
    to = Source(config.topics.alerts, 0)
    await kafka_log.send([Outgoing(to=to, value=json.dumps(one).encode()) for one in told])

    def listed(*options: str) -> list[str]:
        arguments = ["alerts", "tail", "--from-beginning", "--once", "-c", config_file, *options]
        return [line[-1] for line in driftline(*arguments).out.splitlines()]

    assert await asyncio.to_thread(listed) == ["1", "2", "3"]
    assert await asyncio.to_thread(listed, "--status", "firing") == ["1", "3"]
    assert await asyncio.to_thread(listed, "--severity", "critical") == ["3"]
    assert await asyncio.to_thread(listed, "--model", "fraud") == []
