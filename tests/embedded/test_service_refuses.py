"""Starts that are refused: one clear line, and exit code 2."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, Rung
from tests.embedded.command_line import driftline
from tests.embedded.rows import baseline_columns, make_rows
from tests.embedded.service import Service, Worker, eventually

EXIT_CALLER = 2


@pytest.fixture
def service(broker: Broker, tmp_path: Path) -> Iterator[Service]:
    """A service with topics and nothing else."""
    with Service.deployed(broker, tmp_path, partitions=2) as deployed:
        yield deployed


def refusal(worker: Worker) -> str:
    """The line with which a worker ended; it must be the only thing that it said but for its events."""
    eventually("the end", lambda: worker.process.poll() is not None)
    worker.is_ended = True
    assert worker.process.returncode == EXIT_CALLER, worker.log_tail()
    said = [line for line in worker.text().splitlines() if not line.startswith('{"time"')]
    assert len(said) == 1, worker.log_tail()
    assert said[0].startswith("driftline: ")
    return said[0].removeprefix("driftline: ")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("windows: {pane: 45s, length: 100s}", r"windows\.length = '100s': must be a whole number of panes.*; try "),
        ("windows: {pane: 45}", r"windows\.pane = 45: needs a unit: ms, s, m, h or d; try 45s"),
        ("kafka: {server: here}", r"kafka\.server.*there is no such key; try "),
        ("unknown_models: guess", r"unknown_models = 'guess': must be one of dead-letter, ignore, learn; try "),
        ("models: {m: {checks: {psi: {warning: 0.5}}}}", r"psi\.critical = 0\.25: must be at least.*; try "),
        ("a: b: c", r"driftline\.yaml"),
    ],
)
def test_a_bad_configuration_is_refused_with_key_value_rule_and_fix(settings: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text(settings, encoding="utf-8")
    done = driftline("worker", "-c", str(file))
    assert done.code == EXIT_CALLER
    assert re.search(says, done.complaint), done.complaint


def test_a_missing_file_is_refused_by_its_name() -> None:
    done = driftline("worker", "-c", "/nowhere/driftline.yaml")
    assert done.code == EXIT_CALLER
    assert "/nowhere/driftline.yaml" in done.complaint


def test_without_a_broker_the_worker_says_where_it_looked(tmp_path: Path) -> None:
    file = tmp_path / "driftline.yaml"
    file.write_text("kafka: {bootstrap_servers: '127.0.0.1:9'}", encoding="utf-8")
    done = driftline("worker", "-c", str(file))
    assert done.code == EXIT_CALLER
    said = [line for line in done.err.splitlines() if line.startswith("driftline: ")]
    assert len(said) == 1
    assert said[0].startswith("driftline: no Kafka broker answers at 127.0.0.1:9 ")


def test_missing_topics_are_refused_with_the_command_that_makes_them(broker: Broker, tmp_path: Path) -> None:
    service = Service(broker, tmp_path, {})
    try:
        said = refusal(service.start())
        assert re.search(r"do not exist; make them with `driftline topics create -c FILE`", said)
        assert all(topic in said for topic in (service.config.topics.alerts, f"{service.name}.partials"))
    finally:
        service.close()


@pytest.mark.parametrize("role", ["partials", "count-changelog"])
def test_an_internal_topic_with_other_partitions_is_refused(role: str, service: Service) -> None:
    topic = service.config.internal_topic(role)
    service.delete_topic(topic)
    service.make_topic(topic, 5 if role == "partials" else 1)
    found = 5 if role == "partials" else 1
    assert f"{topic} has {found} partition" in (said := refusal(service.start()))
    assert "its state was kept for 2" in said


def test_a_dead_letter_topic_that_takes_no_headers_is_refused(service: Service) -> None:
    topic = service.config.topics.dead_letters
    service.delete_topic(topic)
    service.make_topic(topic, 1, max_message_bytes="1000")
    assert f"topic {topic} takes messages of at most 1000 bytes" in refusal(service.start())


def test_a_port_in_use_is_refused(service: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        service.write_config(web={"port": port})
        assert re.search(rf"web\.port = {port}: .* choose another port, or 0 for any", refusal(service.start()))


def test_a_recreated_input_topic_is_refused_until_it_is_accepted(service: Service) -> None:
    topic = service.config.topics.predictions
    service.create_baseline("m", "0", baseline_columns())
    worker = service.start_ready()
    begin = service.next_hour()
    service.send(*make_rows(50, begin, begin + 1_000, model="m"))
    service.wait_for("the rows", lambda: service.counter("predictions_counted_total") == 50)
    assert worker.stop() == 0

    service.delete_topic(topic)
    service.make_topic(topic, 2)
    service.send(*make_rows(80, begin, begin + 1_000, model="m", seed=99))
    said = refusal(service.start())
    assert said.startswith(f"{topic}/0 is not the log that was counted up to offset 50 ")
    assert f"driftline topics accept-recreated {topic} -c FILE" in said

    assert f"{topic}/0: from its start" in service.run("topics", "accept-recreated", topic)
    service.start_ready()
    service.wait_for("the new log's rows", lambda: service.counter("predictions_counted_total") == 80)


def test_a_worker_that_waits_says_for_what(service: Service) -> None:
    worker = service.start()
    status, said = worker.get("/readyz")  # a group takes seconds to form
    assert (status, '"waiting_for": ["the consumer group to be joined"]' in said) == (503, True)
    assert worker.get("/healthz")[0] == 200
    service.wait_for("readiness", worker.is_ready)


def test_a_worker_whose_broker_is_gone_says_so_once_and_ends(tmp_path: Path) -> None:
    from stream.service.embedded import EmbeddedBroker

    with EmbeddedBroker() as own:
        broker = Broker(own.bootstrap_servers, Rung.EMBEDDED)
        with Service.deployed(broker, tmp_path, partitions=2) as service:
            service.create_baseline("m", "0", baseline_columns())
            worker = service.start(QUICK_SILENCE_S="8")
            service.wait_for("readiness", worker.is_ready)
            own.stop()
            service.wait_for("the word", lambda: "an answer of Kafka" in _readiness(worker))
            eventually("the end", lambda: worker.process.poll() is not None)
            worker.is_ended = True
            assert worker.process.returncode == EXIT_CALLER
            said = [line for line in worker.text().splitlines() if line.startswith("driftline: ")]
            assert len(said) == 1
            assert said[0].startswith(f"driftline: no Kafka broker answers at {own.bootstrap_servers}")
            errors = [e["event"] for e in worker.log() if e["level"] == "ERROR"]
            assert max(errors.count(event) for event in set(errors)) <= 3, "a line is said once in ten seconds"


def _readiness(worker: Worker) -> str:
    try:
        return worker.get("/readyz")[1]
    except OSError:
        return ""
