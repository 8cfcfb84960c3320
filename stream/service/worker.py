"""One worker: takes partitions, hands batches to their owners, makes checkpoints, answers HTTP.

Everything that decides what is counted lies in the owners and folds. Here is only when: a batch
is folded as it comes; a checkpoint is made every `checkpoint.interval`, in the loop under load,
by the timer when it is quiet, and before a partition is given up.
"""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from stream.config import Config
from stream.count.counter import CountFold
from stream.durable.owner import Owner, Superseded
from stream.evaluate.fold import EvaluateFold
from stream.join.fold import JoinFold
from stream.labels.fold import LabelFold
from stream.records.prediction import ModelKey
from stream.records.source import MessageBatch, Source
from stream.records.times import rfc3339
from stream.service.admin import check_topics, message_limits
from stream.service.app import App, add_agent, ending_the_process, make_app, run
from stream.service.budget_warnings import BudgetWarnings
from stream.service.contradictions import contradictions
from stream.service.fetch_scheduler import RECORDS_PER_FETCH
from stream.service.kafka_log import SILENCE_LIMIT_S, KafkaLog
from stream.service.metrics import Metrics
from stream.service.pacing import ahead_of_the_others
from stream.service.partitions import Partitions
from stream.service.registry_tail import RegistryTail
from stream.service.silence_tail import SilenceTail
from stream.service.topology import Topology, dead_letter_bytes, longest_lead_ms, planner
from stream.service.web import make_web, serve

log = logging.getLogger("driftline.worker")

LAG_EVERY_S: Final = 5.0
BACKLOG_RECORDS: Final = RECORDS_PER_FETCH  # what live traffic never has waiting; a replay has
WATCH_EVERY_S: Final = 1.0
SILENT_UNREADY_S: Final = 5.0  # a broker that says nothing for so long: /readyz says so
ALLOCATIONS_PER_COLLECTION: Final = 50_000  # a fetch makes about 50,000 objects that die with it
InputFold: Final = CountFold | LabelFold  # what reads what others publish
HEARTBEAT_LIMIT_S: Final = 30.0  # an event loop that has not come round for so long is not alive


class Worker:
    """The owners of this worker's partitions."""

    def __init__(self, config: Config, log: KafkaLog, topology: Topology) -> None:
        self.config = config
        self.topology = topology
        self.owners: dict[Source, Owner] = {}  # those that have taken their partition
        self.metrics = Metrics(lambda: self.owners, lambda: self._lag)
        self._log = log
        self._lag: dict[Source, int] = {}
        self._heard_at_s: dict[Source, float] = {}
        self._checkpoint_at_s: dict[Source, float] = {}
        self._hinted: dict[Source, int] = {}
        self._held_back: frozenset[Source] = frozenset()
        self._given_up: dict[Source, Owner] = {}  # joins that may come back with the next generation
        self._lost: dict[Source, int] = {}  # what the joins have gone on without, when last looked at
        self._full: set[tuple[Source, ModelKey]] = set()  # models whose waiting predictions have reached their cap
        self._budgets = BudgetWarnings(config)
        self._lead_ms = longest_lead_ms(config)
        self._heartbeat_s = time.monotonic()
        self._silent_s = 0.0
        agents = topology.agents
        self.app: App = make_app(config, agents.values())
        self.partitions = Partitions(self.app, agents.values(), on_taken=self.take, on_given_up=self.give_up)
        for name, topic in agents.items():
            add_agent(self.app, name, topic, self.handle)

    # -- partitions come and go

    async def take(self, owned: frozenset[Source]) -> None:
        """Recover the owner of every partition, then place the consumer where each reads on.

        The joins come last: what waits may take minutes to read back, and must not hold up drift.
        """
        self.owners = {}
        self._held_back = frozenset()  # Faust has let go of every pause at the rebalance
        await asyncio.gather(self.topology.registry.catch_up(), self.topology.silences.catch_up())
        slow = {source for source in owned if source.topic == self.topology.outcomes.name}
        for sources in (owned - slow, slow):
            if sources:
                await self._take(sorted(sources))
        self._given_up.clear()

    async def _take(self, sources: list[Source]) -> None:
        started_s = time.monotonic()
        generation = self.partitions.generation
        taken = await asyncio.gather(*(self._recovered(source) for source in sources))
        if self.partitions.generation != generation:
            return  # given up meanwhile: who has them now has recovered them
        owners = dict(zip(sources, taken, strict=True))
        now_s = time.monotonic()
        self._heard_at_s |= dict.fromkeys(owners, now_s)
        self._checkpoint_at_s |= dict.fromkeys(owners, now_s)
        # Before the seek: a batch that comes right behind it must find its owner, or it would be dropped for good.
        self.owners |= owners
        offsets = {source: owner.fold.next_offset for source, owner in owners.items()}
        await self.partitions.seek(offsets)
        log.info(
            "recovered",
            extra={"offsets": {str(s): o for s, o in offsets.items()}, "seconds": round(now_s - started_s, 3)},
        )

    async def _recovered(self, source: Source) -> Owner:
        held = self._given_up.get(source)
        if held is not None and await held.take_again():
            return held
        owner = self.topology.owner(source)
        fold = owner.fold
        await owner.take(fold.set_incarnation if isinstance(fold, InputFold) else None)
        return owner

    async def give_up(self, _: frozenset[Source]) -> None:
        """The last checkpoint, while the partitions are still ours; then their state is dropped, but for what waits."""
        owners, self.owners = self.owners, {}
        self._lag = {}
        await self._checkpoint(owners.items())  # waits for one that is under way
        self._given_up = {source: owner for source, owner in owners.items() if isinstance(owner.fold, JoinFold)}

    @asynccontextmanager
    async def _giving_way(self, source: Source, owner: Owner) -> AsyncIterator[None]:
        """Where another worker has folded on, the owner here is a zombie: it is dropped, nothing of its is needed.

        A rebalance follows as a rule. If the partition is still given to us, it is recovered as of where the other is.
        """
        try:
            yield
        except Superseded as found:
            log.warning("another worker has gone on", extra={"source": str(source), "found": str(found)})
            if self.owners.get(source) is owner:
                del self.owners[source]
                await self._take([source])

    # -- batches

    async def handle(self, batch: MessageBatch) -> None:
        """Fold a batch, or go back to where its owner is."""
        owner = self.owners.get(batch.source)
        if owner is None:
            return  # not recovered yet: the seek after recovery fetches it again
        started_s = time.perf_counter()
        seek_to: int | None = None
        async with self._giving_way(batch.source, owner):
            seek_to = await owner.offer(batch)
        if self.owners.get(batch.source) is not owner:
            return  # given up meanwhile, and its last checkpoint with it
        if seek_to is not None:
            log.info("going back", extra={"source": str(batch.source), "offset": seek_to})
            await self.partitions.seek({batch.source: seek_to})
            return
        now_s = time.monotonic()
        self._heard_at_s[batch.source] = now_s
        if isinstance(owner.fold, EvaluateFold):
            self.metrics.observe("evaluation_duration_seconds", time.perf_counter() - started_s)
            await self._checkpoint([(batch.source, owner)])  # an alert does not wait for the timer
        elif self._is_due(batch.source, owner, now_s):
            await self._checkpoint([(batch.source, owner)])

    def _is_due(self, source: Source, owner: Owner, now_s: float) -> bool:
        interval_s = self.config.checkpoint.interval / 1_000
        waited = now_s - self._checkpoint_at_s.get(source, now_s) >= interval_s
        return waited or owner.bytes_since_checkpoint >= self.config.checkpoint.max_bytes

    async def _checkpoint(self, owners: Iterable[tuple[Source, Owner]]) -> None:
        # Never cut short: what a checkpoint has taken out of a fold is written by it or by nobody, and the
        # next one (when the timer is cancelled, the last) would write an `@` that claims it.
        await asyncio.shield(asyncio.gather(*(self._checkpoint_one(source, owner) for source, owner in owners)))

    async def _checkpoint_one(self, source: Source, owner: Owner) -> None:
        started_s = time.perf_counter()
        before = owner.durable_offset
        alerts = owner.fold.take_published() if isinstance(owner.fold, EvaluateFold) else []
        with ending_the_process():  # here, since nobody may be waiting any more
            async with self._giving_way(source, owner):
                await owner.checkpoint()
        self._checkpoint_at_s[source] = time.monotonic()
        if owner.durable_offset != before:
            self.metrics.observe("checkpoint_duration_seconds", time.perf_counter() - started_s)
        for alert in alerts:
            self.metrics.observe("event_to_alert_seconds", max(time.time() - alert.window_end_ms / 1_000, 0.0))
            log.info(
                "alert published",
                extra={
                    "id": alert.id,
                    "status": alert.status,
                    "subject": alert.subject,
                    "window_end": rfc3339(alert.window_end_ms),
                },
            )

    # -- the timer

    async def tick(self) -> None:
        """Every checkpoint interval: what no batch brings about."""
        interval_s = self.config.checkpoint.interval / 1_000
        while True:
            await asyncio.sleep(interval_s)
            owners = dict(self.owners)
            for source, owner in owners.items():
                if isinstance(owner.fold, InputFold):  # the others follow these, and may be waiting for a baseline
                    await owner.settle()
                await self._look_after_silence(source, owner)
            await self._checkpoint(
                (source, owner) for source, owner in owners.items() if self.owners.get(source) is owner
            )
            self._warn_of_caps()
            self._warn_of_losses()
            folds = [o.fold for o in self.owners.values() if isinstance(o.fold, EvaluateFold)]
            self._budgets.look_at(course for fold in folds for course in fold.courses.values())
            await self._commit_hints()
            await self._pace()

    def _warn_of_caps(self) -> None:
        """Say when a model has as many predictions waiting for labels as it may, and when no more."""
        joins = ((source, o.fold) for source, o in self.owners.items() if isinstance(o.fold, JoinFold))
        full = {(source, key) for source, fold in joins for key in fold.refusing()}
        for source, key in sorted(full - self._full):
            log.warning("predictions refused: as many wait for labels as may", extra=_of(source, key))
        for source, key in sorted(self._full - full):
            log.info("predictions wait for labels again", extra=_of(source, key))
        self._full = full

    def _warn_of_losses(self) -> None:
        """Say when a join goes on without outcomes that the log has lost."""
        lost = {s: o.fold.ledger.lost for s, o in self.owners.items() if isinstance(o.fold, JoinFold)}
        for source, count in sorted(lost.items()):
            more = count - self._lost.get(source, count)
            if more > 0:
                told = {"source": str(source), "offsets": more}
                log.warning("outcomes are lost: the join goes on without them", extra=told)
        self._lost = lost

    async def _pace(self) -> None:
        """Hold back the partitions that a replay has carried far ahead of the others."""
        folds: dict[Source, CountFold | LabelFold] = {
            source: o.fold for source, o in self.owners.items() if isinstance(o.fold, CountFold | LabelFold)
        }
        newest = {source: fold.newest_event_ms for source, fold in folds.items()}
        # Idle: read to the end, whatever the lag says, which a transaction's marker keeps above 0.
        # Labels wait for predictions, not the other way round: a backlog of labels must not hold up drift.
        behind = [
            s
            for s, fold in folds.items()
            if isinstance(fold, CountFold) and self._lag.get(s, 0) > BACKLOG_RECORDS and not fold.idle
        ]
        ahead = ahead_of_the_others(newest, behind, lead_ms=self._lead_ms)
        for source in ahead - self._held_back:
            log.info("partition held back", extra={"source": str(source), "newest_event": rfc3339(newest[source])})
            self.partitions.pause(source)
        released, self._held_back = self._held_back - ahead, ahead
        for source in released & folds.keys():
            if source in self.owners:  # a rebalance may come between two
                await self.partitions.resume(source, self.owners[source].fold.next_offset)

    async def _commit_hints(self) -> None:
        """So that Kafka's own lag tools tell the truth; only what `@` has made durable."""
        hints = {source: owner.durable_offset for source, owner in self.owners.items()}
        if hints and hints != self._hinted:
            await self.partitions.commit_hint(hints)
            self._hinted = hints

    async def _look_after_silence(self, source: Source, owner: Owner) -> None:
        """A partition that brings nothing is at its end, held back, or its records must be asked for again."""
        fold = owner.fold
        if isinstance(fold, InputFold) and fold.idle:
            return
        silent_s = time.monotonic() - self._heard_at_s.get(source, time.monotonic())
        if silent_s < self.config.windows.idle / 1_000:
            return
        at_end = False
        async with self._giving_way(source, owner):
            at_end = await owner.at_end()
        if self.owners.get(source) is not owner:
            return  # given up meanwhile
        self._heard_at_s[source] = time.monotonic()
        if not at_end and source not in self._held_back:
            await self.partitions.seek({source: fold.next_offset})
        elif at_end and isinstance(fold, InputFold):
            fold.quiet()
            log.info("partition idle", extra={"source": str(source), "next_offset": fold.next_offset})

    async def measure_lag(self) -> None:
        """Keep `consumer_lag_records` fresh."""
        while True:
            for source, owner in list(self.owners.items()):
                end = await self._log.end(source)
                if source in self.owners:
                    self._lag[source] = max(end - owner.fold.next_offset, 0)
            await asyncio.sleep(LAG_EVERY_S)

    async def watch_broker(self) -> None:
        """End the process when Kafka has been silent for too long; the registry's tail asks it every second.

        Counted in rounds, not by the clock: a process that was stopped for a minute has not waited.
        """
        heard_at_s = self._log.heard_at_s
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self._heartbeat_s = time.monotonic()
            self._silent_s = self._silent_s + WATCH_EVERY_S if self._log.heard_at_s == heard_at_s else 0.0
            heard_at_s = self._log.heard_at_s
            if self._silent_s > SILENCE_LIMIT_S:
                raise self._log.silent()

    # -- how it is

    def alive(self) -> list[str]:
        """What is wrong with the process; empty when nothing is."""
        silent_s = time.monotonic() - self._heartbeat_s
        return [f"the event loop, for {silent_s:.0f} s"] if silent_s > HEARTBEAT_LIMIT_S else []

    def ready(self) -> list[str]:
        """What consuming waits for; empty when every partition of this worker is recovered."""
        if self.partitions.generation < 0:
            return ["the consumer group to be joined"]
        if self._silent_s > SILENT_UNREADY_S:
            return [f"an answer of Kafka, for {self._silent_s:.0f} s"]
        return [f"recovery of {source}" for source in sorted(self.partitions.owned - self.owners.keys())]


def _of(source: Source, key: ModelKey) -> dict[str, str]:
    return {"source": str(source), "model": str(key)}


async def run_worker(config: Config) -> None:
    """Run a worker until it is asked to stop."""
    _collect_garbage_seldom()
    client_log = logging.getLogger("aiokafka")
    client_log.propagate = False  # until there is a connection: why there is none is raised, and said in our words
    limits = await message_limits(config)
    async with KafkaLog.connect(config.kafka, batch_bytes=min(limits.values())) as kafka:
        client_log.propagate = True
        worker = await _worker(config, kafka, limits)
        runner, port = await serve(
            make_web(worker.metrics.registry, alive=worker.alive, ready=worker.ready), config.web.host, config.web.port
        )
        log.info("worker started", extra={"app": config.app, "web": f"http://{config.web.host}:{port}"})
        await _run(worker, runner)


def _collect_garbage_seldom() -> None:
    """Python looks for cycles at every 700th object unless told; a worker makes millions, and hardly a cycle.

    `make bench` counts a quarter more rows a second with it.
    """
    gc.collect()
    gc.freeze()  # what is imported stays
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)


async def _worker(config: Config, kafka: KafkaLog, limits: Mapping[str, int]) -> Worker:
    partitions = await check_topics(config, kafka)
    registry = RegistryTail(kafka, await kafka.sources(config.topics.baselines), contradictions(config))
    dead_letters = config.topics.dead_letters
    topology = Topology(
        config=config,
        log=kafka,
        registry=registry,
        silences=SilenceTail(kafka, Source(config.topics.silences, 0)),
        partitions=partitions,
        max_dead_letter_bytes=dead_letter_bytes(dead_letters, limits[dead_letters]),
        wanted=planner(config, registry),
    )
    return Worker(config, kafka, topology)


async def _chore(endless: Coroutine[Any, Any, None]) -> None:
    with ending_the_process():
        await endless


async def _run(worker: Worker, runner: web.AppRunner) -> None:
    tails = (worker.topology.registry.follow(), worker.topology.silences.follow())
    chores = [
        asyncio.create_task(_chore(chore))
        for chore in (worker.tick(), *tails, worker.measure_lag(), worker.watch_broker())
    ]

    async def before_stop() -> None:
        for chore in chores:
            chore.cancel()
        await asyncio.wait(chores)
        await worker.partitions.stop()

    try:
        await run(worker.app, before_stop=before_stop)
    finally:
        await runner.cleanup()
