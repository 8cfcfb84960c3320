"""The whole service as a user has it: a configuration file, the command line, worker processes, topics, HTTP.

What a test starts ends with it: use `with Service.deployed(...) as service`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from stream.config import Config, load_config
from stream.durable.log import Outgoing
from stream.records.source import Message, Source
from stream.service.connection import client_arguments
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker
from tests.embedded.command_line import REPOSITORY, Finished, driftline
from tests.embedded.rows import make_rows

QUICK_WORKER = Path(__file__).parent / "quick_worker.py"
GENEROUS_S = 120.0  # a rebalance on a busy machine; what is waited for comes in a second or two
LOOK_EVERY_S = 0.05
PANE_MS = 60_000
LATENESS_MS = 10_000
START_MS = 1_364_774_400_000  # 2013-04-01T00:00:00Z
HOUR_MS = 3_600_000

Labels = tuple[tuple[str, str], ...]
_Found = TypeVar("_Found")


def eventually(what: str, look: Callable[[], _Found], *workers: "Worker") -> _Found:
    """The first true answer of `look`; fails when none has come, or as soon as one of the workers has ended."""
    deadline_s = time.monotonic() + GENEROUS_S
    while not (found := look()):
        for worker in workers:
            assert worker.process.poll() is None, f"while waiting for {what} a worker ended:\n{worker.log_tail()}"
        if time.monotonic() > deadline_s:
            raise AssertionError(f"never came: {what}\n" + "\n".join(worker.log_tail() for worker in workers))
        time.sleep(LOOK_EVERY_S)
    return found


class Worker:
    """One `driftline worker` process."""

    def __init__(self, config_file: Path, log_file: Path, environment: Mapping[str, str]) -> None:
        self.log_file = log_file
        self.is_ended = False  # by us
        with log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(QUICK_WORKER), "-c", str(config_file), "--log-format", "json"],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
                stdout=log,
                stderr=log,
            )

    # -- what it says

    def log(self) -> list[dict[str, Any]]:
        """Its events so far; lines that are no events are left out."""
        events = []
        for line in self.text().splitlines():
            with suppress(json.JSONDecodeError):
                events.append(json.loads(line))
        return [event for event in events if isinstance(event, dict)]

    def has_read(self, baseline: str) -> bool:
        """Whether it knows of a baseline."""
        return any(event.get("event") == "baseline read" and event["baseline"] == baseline for event in self.log())

    def text(self) -> str:
        """Everything that it has printed."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def log_tail(self) -> str:
        """The last of it, for a failure's message."""
        return f"--- {self.log_file.name}\n" + "\n".join(self.text().splitlines()[-25:])

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return str(eventually("the web server", self._url, self))

    def _url(self) -> str:
        return next((e["web"] for e in self.log() if e.get("event") == "worker started"), "")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def is_ready(self) -> bool:
        """Whether it has recovered and consumes."""
        return self.get("/readyz")[0] == 200

    def metrics(self) -> dict[str, dict[Labels, float]]:
        """Every sample of `/metrics`, by name and labels."""
        samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return samples

    # -- its end

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.is_ended = True
        self.process.kill()
        self.process.wait()

    def stop(self, limit_s: float = 30.0) -> int:
        """SIGTERM; its exit code."""
        self.is_ended = True
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit_s)


class Service:
    """One app with topics of its own, and its workers."""

    def __init__(self, broker: Broker, folder: Path, settings: Mapping[str, Any]) -> None:
        self.broker = broker
        self.folder = folder
        self.name = f"svc-{uuid.uuid4().hex[:8]}"
        self.file = folder / f"{self.name}.yaml"
        self.settings = _merged(_defaults(broker, self.name), settings)
        self.write_config()
        self.workers: list[Worker] = []
        self._hours = 0
        self._runner = asyncio.Runner()
        self._log: KafkaLog | None = None
        self._read: dict[Source, list[Message]] = {}

    @classmethod
    @contextmanager
    def deployed(cls, broker: Broker, folder: Path, *, partitions: int = 2, **settings: Any) -> Iterator[Self]:
        """With its topics made; all it started ends with the block."""
        service = cls(broker, folder, settings)
        try:
            service.run("topics", "create", "--partitions", str(partitions))
            yield service
        finally:
            service.close()

    def close(self) -> None:
        """End the workers and the connections."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.forget_connection()
        self._runner.close()

    # -- command line

    @property
    def config(self) -> Config:
        """What the file says."""
        return load_config(self.file, environment={})

    def write_config(self, **changes: Any) -> None:
        """Write the file, with some keys changed for good."""
        self.settings = _merged(self.settings, changes)
        self.file.write_text(yaml.safe_dump(self.settings, sort_keys=False), encoding="utf-8")

    def driftline(self, *arguments: str) -> Finished:
        """Run a command with this service's configuration."""
        return driftline(*arguments, "-c", str(self.file))

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.driftline(*arguments)
        assert done.code == 0, done.err
        return done.out

    def create_baseline(self, model: str, version: str, columns: Mapping[str, Sequence[Any]]) -> str:
        """Register a baseline from a CSV file; its id."""
        file = self.folder / f"{model}-{version}-{uuid.uuid4().hex[:6]}.csv"
        names = list(columns)
        rows = [",".join("" if v is None else str(v) for v in row) for row in zip(*columns.values(), strict=True)]
        file.write_text("\n".join([",".join(names), *rows]) + "\n", encoding="utf-8")
        made = self.run("baseline", "create", "--model", model, "--version", version, "--json", str(file))
        entry = json.loads(made)
        return f"{entry['model']}@{entry['version']}#{entry['number']}"

    # -- workers

    def start(self, **environment: str) -> Worker:
        """A new worker; it may not be ready yet."""
        log_file = self.folder / f"{self.name}-worker-{len(self.workers)}.log"
        worker = Worker(self.file, log_file, environment)
        self.workers.append(worker)
        return worker

    def start_ready(self) -> Worker:
        """A new worker that consumes."""
        worker = self.start()
        eventually("readiness", worker.is_ready, worker)
        return worker

    def counter(self, name: str, **labels: str) -> float:
        """The sum of a metric over all running workers and all series that have these labels."""
        wanted = set(labels.items())
        series = [s for worker in self.running for s in worker.metrics().get(f"driftline_{name}", {}).items()]
        return sum(value for labels_of, value in series if wanted <= set(labels_of))

    def wait_for(self, what: str, look: Callable[[], _Found]) -> _Found:
        """`eventually`, with the workers that must be running."""
        return eventually(what, look, *self.running)

    @property
    def running(self) -> list[Worker]:
        """The workers that nobody has ended."""
        return [worker for worker in self.workers if not worker.is_ended]

    # -- topics

    def next_hour(self) -> int:
        """Event time at which nobody has sent anything yet, ms; later than all before."""
        self._hours += 1
        return START_MS + self._hours * 2 * HOUR_MS

    def run_async(self, doing: Any) -> Any:
        """Run a coroutine in the service's own loop."""
        return self._runner.run(doing)

    def send(self, *values: Any, partition: int = 0, key: bytes | None = None, topic: str = "") -> None:
        """Send messages; what is not bytes or None is sent as JSON."""
        to = Source(topic or self.config.topics.predictions, partition)
        encoded = [v if isinstance(v, bytes | None) else json.dumps(v).encode() for v in values]
        self.run_async(self._send([Outgoing(to=to, key=key, value=value) for value in encoded]))

    def close_windows(self, end_ms: int, partitions: int) -> None:
        """Bring the event time of model m on every partition behind `end_ms`; wait for the window that ends there."""
        (closing,) = make_rows(1, end_ms + LATENESS_MS, end_ms + LATENESS_MS + 1, model="m")
        for partition in range(partitions):
            self.send(closing, partition=partition)
        self.wait_for("the last report", lambda: end_ms in self.reports("m"))

    async def _send(self, records: list[Outgoing]) -> None:
        await (await self.connected()).send(records)

    def read(self, topic: str) -> list[Message]:
        """Every record of a topic so far, partition by partition."""
        return [message for _, message in self.read_with_source(topic)]

    def read_with_source(self, topic: str) -> list[tuple[Source, Message]]:
        """The same, with where each lies."""
        return list(self.run_async(self._read_on(topic)))

    async def _read_on(self, topic: str) -> list[tuple[Source, Message]]:
        log = await self.connected()
        for source in await log.sources(topic):
            held = self._read.setdefault(source, [])
            async for message in log.read(source, held[-1].offset + 1 if held else 0):
                held.append(message)
        return [(s, message) for s, held in sorted(self._read.items()) if s.topic == topic for message in held]

    def reports(self, model: str, version: str = "0", schema: str = "driftline.report/1") -> dict[int, dict[str, Any]]:
        """By the end of its window (ms): the newest report of each."""
        newest: dict[int, dict[str, Any]] = {}
        for message in self.read(self.config.topics.reports):
            report = json.loads(message.value or b"{}")
            if (report["schema"], report["model"], report["version"]) == (schema, model, version):
                newest[milliseconds(report["window"]["end"])] = report
        return newest

    def alerts(self, model: str) -> list[dict[str, Any]]:
        """The alerts of a model, in the order of the topic."""
        every = [json.loads(message.value or b"{}") for message in self.read(self.config.topics.alerts)]
        return [alert for alert in every if alert["labels"]["model"] == model]

    def dead_letters(self) -> list[Message]:
        """Everything that could not be counted."""
        return self.read(self.config.topics.dead_letters)

    def ends(self, topic: str) -> dict[int, int]:
        """The number of offsets in each partition."""
        held: dict[int, int] = {}
        for source, message in self.read_with_source(topic):
            held[source.partition] = message.offset + 1
        return held

    def committed(self, topic: str, partitions: int) -> dict[int, int | None]:
        """What the consumer group has committed, as Kafka's own tools see it."""
        return dict(self.run_async(self._committed(topic, partitions)))

    async def _committed(self, topic: str, partitions: int) -> dict[int, int | None]:
        asking = AIOKafkaConsumer(
            **client_arguments(self.config.kafka), group_id=self.config.app, enable_auto_commit=False
        )
        await asking.start()
        try:
            return {p: await asking.committed(TopicPartition(topic, p)) for p in range(partitions)}
        finally:
            await asking.stop()

    def administer(self, doing: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        """What an operator does by hand."""
        return self.run_async(self._administer(doing))

    async def _administer(self, doing: Callable[[AIOKafkaAdminClient], Any]) -> Any:
        admin = AIOKafkaAdminClient(**client_arguments(self.config.kafka))
        await admin.start()
        try:
            return await doing(admin)
        finally:
            await admin.close()

    def make_topic(self, name: str, partitions: int, **settings: str) -> None:
        """Make one topic by hand, waiting for one of that name to be gone."""
        topic = NewTopic(name, partitions, 1, topic_configs={k.replace("_", "."): v for k, v in settings.items()})

        async def make(admin: AIOKafkaAdminClient) -> None:
            async with asyncio.timeout(GENEROUS_S):
                while (await admin.create_topics([topic])).topic_errors[0][1]:
                    await asyncio.sleep(LOOK_EVERY_S)  # Kafka deletes after it has answered

        self.administer(make)

    def delete_topic(self, name: str) -> None:
        """Delete one topic."""
        self.administer(lambda admin: admin.delete_topics([name]))
        for source in [source for source in self._read if source.topic == name]:
            del self._read[source]

    def forget_connection(self) -> None:
        """Its broker may be gone."""
        log, self._log = self._log, None
        if log:
            self._runner.run(log.close())

    async def connected(self) -> KafkaLog:
        """The log that it reads and sends with, made when first needed."""
        if self._log is None:
            self._log = await KafkaLog.open(self.config.kafka)
        return self._log


def milliseconds(rfc3339: str) -> int:
    """Epoch milliseconds of a time as reports say it."""
    from datetime import datetime

    return round(datetime.fromisoformat(rfc3339).timestamp() * 1_000)


def _defaults(broker: Broker, name: str) -> dict[str, Any]:
    roles = ("predictions", "labels", "baselines", "alerts", "reports", "silences", "dead_letters")
    return {
        "kafka": {"bootstrap_servers": broker.bootstrap_servers},
        "app": name,
        "topics": {role: f"{name}-{role.replace('_', '-')}" for role in roles},
        "web": {"port": 0},
        "windows": {
            "pane": f"{PANE_MS}ms",
            "length": "5m",
            "allowed_lateness": f"{LATENESS_MS}ms",
            "idle": "1s",
        },
        "checkpoint": {"interval": "200ms"},
    }


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for key, value in changes.items():
        held = merged.get(key)
        merged[key] = _merged(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return merged
