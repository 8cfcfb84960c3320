"""Worker processes: started, killed, stopped, asked over HTTP; one that ends by itself is noted and replaced."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.crash.deployment import REPOSITORY, Deployment
from tests.crash.scenario import LABEL_PARTITIONS, PARTITIONS, Scenario

LOOK_EVERY_S: Final = 0.1
WHOLE_LIMIT_S: Final = 300.0  # a zombie's session, two rebalances, reading back, a busy machine; then it hangs
HOPELESS_ENDS: Final = 5  # of workers that nobody killed; none is expected
_ANSWER_LIMIT_S: Final = 2.0

# Every owner shows one of these, by partition: who owns what.
OWNED: Final = {
    "predictions_received_total": PARTITIONS,
    "labels_received_total": LABEL_PARTITIONS,
    "join_predictions": PARTITIONS,
    "evaluations_total": PARTITIONS,
}

Samples = dict[str, dict[tuple[str, ...], float]]
"""By metric name: label values in the order of the labels' names, value."""


@dataclass
class Death:
    """A kill or a stop, with what the worker had in memory."""

    at_s: float  # Unix time
    was_ready: bool
    received: dict[int, int]  # by partition: how many predictions it had folded, at least
    waiting: int  # predictions that waited for their label in its joins


@dataclass
class Worker:
    """One place in the fleet; its processes follow one another."""

    number: int
    deployment: Deployment
    folder: Path
    environment: dict[str, str]
    lives: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    stopped: bool = False
    _url: str | None = None

    @property
    def log_file(self) -> Path:
        """What the present process says."""
        return self.folder / f"{self.deployment.config.app}-worker-{self.number}-life-{self.lives:03}.log"

    def start(self) -> None:
        """A new process."""
        self.lives += 1
        self._url, self.started_at_s = None, time.time()
        command = [sys.executable, "-m", "tests.crash.worker", "-c", str(self.deployment.file), "--log-format", "json"]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=REPOSITORY, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process, self.stopped = None, False

    def stop(self) -> None:
        """SIGSTOP: the broker will think it dead, and it will not know."""
        self._signal(signal.SIGSTOP)
        self.stopped = True

    def resume(self) -> None:
        """SIGCONT."""
        self.stopped = False
        self._signal(signal.SIGCONT)

    def terminate(self) -> int:
        """SIGTERM, as a supervisor ends it; the exit code."""
        assert self.process is not None
        self._signal(signal.SIGTERM)
        code, self.process = self.process.wait(60), None
        return code

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def url(self) -> str | None:
        """Where it answers; None: it has not said so yet."""
        if self._url is None:
            started = [line for line in log_lines(self.log_file) if line.get("event") == "worker started"]
            self._url = started[0]["web"] if started else None
        return self._url


@dataclass
class Fleet:
    """The workers of one deployment."""

    workers: list[Worker]
    web: aiohttp.ClientSession
    deaths: list[Death] = field(default_factory=list)
    stops: int = 0
    kills: int = 0
    ended_by_themselves: list[str] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)  # from a start until that worker is ready
    _watches: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, deployment: Deployment, folder: Path, scenario: Scenario, web: aiohttp.ClientSession, *, size: int
    ) -> Self:
        """Nobody works yet."""
        environment = {**os.environ, "CRASH_GAP_MS": str(scenario.gap_ms), "CRASH_FAULT": scenario.fault}
        return cls([Worker(n, deployment, folder, environment) for n in range(size)], web)

    def start(self, number: int) -> None:
        """Start one and note when it becomes ready."""
        self.workers[number].start()
        self._watch(number)

    async def kill(self, *numbers: int) -> None:
        """SIGKILL to all of these at once."""
        victims = [self.workers[n] for n in numbers if self.workers[n].process]
        self.deaths += await asyncio.gather(*(self._death(w) for w in victims))
        self.kills += len(victims)
        for victim in victims:
            self._unwatch(victim.number)
            victim.kill()

    async def stop(self, number: int) -> None:
        """SIGSTOP."""
        self.deaths.append(await self._death(self.workers[number]))
        self._unwatch(number)
        self.stops += 1
        self.workers[number].stop()

    async def supervise(self) -> None:
        """Start whoever ended by itself anew, until that has become hopeless."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for worker in self.workers:
                code = worker.process.poll() if worker.process else None
                if code is not None:
                    self.ended_by_themselves.append(f"exit code {code}, see {worker.log_file}")
                    self._unwatch(worker.number)
                    assert len(self.ended_by_themselves) < HOPELESS_ENDS, self.ended_by_themselves
                    self.start(worker.number)

    async def whole(self) -> None:
        """Return when every worker is ready and every partition is owned by exactly one of them."""
        deadline_s = time.monotonic() + WHOLE_LIMIT_S
        while not await self._is_whole():
            assert time.monotonic() < deadline_s, [await self._get(w, "/readyz") for w in self.workers]
            await asyncio.sleep(LOOK_EVERY_S)

    async def samples(self) -> Samples:
        """The counters of all workers together."""
        summed: Samples = {}
        for samples in await asyncio.gather(*(self._samples(w) for w in self.workers)):
            for name, by_labels in samples.items():
                held = summed.setdefault(name, {})
                for labels, value in by_labels.items():
                    held[labels] = held.get(labels, 0) + value
        return summed

    async def end(self) -> None:
        """SIGTERM to everybody; whoever does not end well is noted."""
        for worker in self.workers:
            self._unwatch(worker.number)
            if worker.process:
                code = await asyncio.to_thread(worker.terminate)
                if code != 0:
                    self.ended_by_themselves.append(f"exit code {code} at SIGTERM, see {worker.log_file}")

    def kill_all(self) -> None:
        """Leave no process behind."""
        for worker in self.workers:
            self._unwatch(worker.number)
            if worker.process:
                worker.kill()

    def _watch(self, number: int) -> None:
        self._watches[number] = asyncio.create_task(self._note_recovery(self.workers[number]))

    def _unwatch(self, number: int) -> None:
        watch = self._watches.pop(number, None)
        if watch:
            watch.cancel()

    async def _note_recovery(self, worker: Worker) -> None:
        while not await self._is_ready(worker):
            await asyncio.sleep(LOOK_EVERY_S)
        self.recovery_s.append(time.time() - worker.started_at_s)

    async def _is_whole(self) -> bool:
        if not all(await asyncio.gather(*(self._is_ready(w) for w in self.workers))):
            return False
        shown = await asyncio.gather(*(self._samples(w) for w in self.workers))
        return all(
            sorted(p for samples in shown for p in _owned(samples, metric)) == list(range(partitions))
            for metric, partitions in OWNED.items()
        )

    async def _is_ready(self, worker: Worker) -> bool:
        status, _ = await self._get(worker, "/readyz")
        return status == 200

    async def _samples(self, worker: Worker) -> Samples:
        _, text = await self._get(worker, "/metrics")
        found: Samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    async def _death(self, worker: Worker) -> Death:
        ready, samples = await asyncio.gather(self._is_ready(worker), self._samples(worker))
        waiting = samples.get("driftline_join_predictions", {})
        return Death(
            time.time(),
            ready,
            _received(samples),
            int(sum(value for (fate, _), value in waiting.items() if fate == "waiting")),
        )

    async def _get(self, worker: Worker, path: str) -> tuple[int, str]:
        url = worker.url() if worker.process and not worker.stopped else None
        if url is None:
            return 0, ""
        try:
            async with self.web.get(url + path, timeout=aiohttp.ClientTimeout(_ANSWER_LIMIT_S)) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""


def _owned(samples: Samples, metric: str) -> set[int]:
    """The partitions that a worker shows a metric of; the partition's label is the first or the last."""
    labels = samples.get(f"driftline_{metric}", {})
    return {int(values[0] if values[0].isdigit() else values[-1]) for values in labels}


def _received(samples: Samples) -> dict[int, int]:
    received = samples.get("driftline_predictions_received_total", {})
    return {int(partition): int(value) for (partition, _), value in received.items()}


def log_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a worker's log; a killed one's last line may be half."""
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found
