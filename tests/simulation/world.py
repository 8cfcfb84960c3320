"""A world: a few processes, a cluster, an input; and one schedule of everything that can go wrong in it.

A seed decides the world's shape and every choice of its scheduler. `run_schedule` lets it run in
two parts: chaos, in which processes are killed, paused, robbed of their partitions and woken again;
then calm, in which whoever still owns a partition reads to the end. Then the oracle compares.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any, Protocol

from detectors import Smoothing, Threshold
from stream.alerts.error_rule import ErrorRule
from stream.alerts.quality_rules import SCHEMA, Limits, QualityRule
from stream.alerts.rules import BUDGET, LatencyRule, Rules
from stream.baselines.baseline import Baseline
from stream.count.counter import CountOutputs
from stream.count.slow_answers import AlertTopic
from stream.durable.log import Outgoing
from stream.durable.owner import Superseded
from stream.errors import TopicRecreated
from stream.evaluate.publisher import EvaluateOutputs, PublishedAlert
from stream.evaluate.settings import ModelSettings
from stream.ingest.dead_letter import DeadLetterTopic
from stream.ingest.plan import Plan, PlannedModel
from stream.ingest.settings import IngestSettings
from stream.records.settings import CountingSettings
from stream.records.source import Message, Source
from tests.simulation.kernel import Task
from tests.simulation.log import Cluster, Faults, SendFailed
from tests.simulation.recorded import History
from tests.simulation.shape import Shape
from tests.simulation.small import in_small
from tests.simulation.testimony import Testimony
from tests.simulation.traffic import K1, M1, M2, M3, SKEW_MS, WINDOW_MS, counting_of, input_log
from tests.simulation.truth import Definitions
from tests.simulation.worker import Holder, Worker

NAMES = QualityRule(limits={SCHEMA: Limits(warning=0.2, critical=0.7)}, level=0.4)
MODEL_SETTINGS = ModelSettings(
    window_ms=WINDOW_MS, smoothing=Smoothing(),
    interval_ms=30 * 86_400_000,  # the budget's whole period, so that the level is the highest there is
    psi=Rules(default=Threshold(notice=0.1, warning=0.5, critical=2.0, min_count=4), rule=BUDGET),
    latency=LatencyRule(min_count=2, level=0.4),
    errors=ErrorRule(warning=0.3, critical=0.6, min_count=2, level=0.4),
    quality=NAMES,
)  # fmt: skip
INGEST = IngestSettings(max_clock_skew_ms=SKEW_MS)
STEPS_LIMIT = 20_000  # of the calm; beyond it something waits for ever


class Stuck(AssertionError):
    """The calm part did not come to an end."""


class Entry(Protocol):
    """One offset of an input."""

    @property
    def message(self) -> Message | None:
        """None: a transaction's marker."""


class World:
    """Everything that one seed makes: here, predictions that nobody labels."""

    last_timers: tuple[str, ...] = ("settle", "checkpoint", "idle", "checkpoint")  # of the calm
    ingest = INGEST
    known_from_start = 0  # entries of `baselines` that every process has read before it takes anything

    def __init__(self, seed: int, **shape: Any) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.shape = replace(self._shape(), **shape)
        self.cluster = Cluster(self.random, self.shape.faults)
        self.testimony = Testimony()
        self.schedule: list[str] = []  # every decision, in words
        self.calm = False
        self.steps = 0
        self.kills = 0
        self.sources = [Source("predictions", p) for p in range(self.shape.sources)]
        self.partials = [Source("partials", p) for p in range(self.shape.partials)]
        self.stages: list[list[Source]] = [self.sources, self.partials]  # what is folded, in order
        self._begin()
        self.to_register = self.baselines[len(self.registered) :]
        self.workers: list[Worker] = []
        self.holder_of: dict[Source, Holder] = {}  # whom the group knows as owner
        self.count_outputs = CountOutputs(
            partials="partials", partials_partitions=self.shape.partials,
            dead_letters=DeadLetterTopic(name="dead-letters", partitions=1, max_bytes=1_000),
            alerts=AlertTopic(name="alerts", partitions=1),
        )  # fmt: skip
        self.evaluate_outputs = EvaluateOutputs(
            reports="reports", reports_partitions=1, alerts="alerts", alerts_partitions=1
        )
        self._plans: dict[int, Plan] = {}

    def _shape(self) -> Shape:
        return Shape.of(self.random)

    def _begin(self) -> None:
        """What is in the inputs, and which baselines there are, and will be."""
        self.inputs = {
            source: input_log(self.random, self.random.randint(1, self.shape.events), markers=self.shape.markers)
            for source in self.sources
        }
        self.baselines = self._baselines()
        early = 1 if self.random.random() < 0.7 else 0
        self.registered: list[Baseline] = self.baselines[:early]
        self.always_one_baseline = len(self.baselines) == early

    def input_of(self, source: Source) -> Sequence[Entry]:
        """What comes, or has come, in an input."""
        return self.inputs[source]

    def _baselines(self) -> list[Baseline]:
        of_m = [M1, M2, M3][: 1 + self.shape.promotions]
        if self.random.random() < 0.4:
            of_m.insert(self.random.randint(0, len(of_m)), K1)
        return of_m

    def settings_of(self, model: str) -> ModelSettings:
        """How windows are judged."""
        return MODEL_SETTINGS

    def counting_of(self, baseline: Baseline) -> CountingSettings:
        """How a model is counted."""
        return counting_of(baseline)

    @property
    def definitions(self) -> Definitions:
        """What everybody counts with, at one time or another."""
        return Definitions(self.baselines, self.counting_of)

    def plan_after(self, seen: int) -> Plan:
        """What a worker that has read so much of the registry would count with."""
        held = self._plans.get(seen)
        if held is None:
            in_order = sorted(self.registered[:seen], key=lambda b: b.number)
            newest = {b.key: b for b in in_order}
            planned = [self._planned(b) for b in newest.values()]
            held = self._plans[seen] = Plan(self.ingest, sorted(planned, key=lambda p: p.baseline_id))
        return held

    @property
    def nobody_is_behind(self) -> bool:
        """Whether nobody writes without having read what was written: no zombies, nothing that lands late."""
        return not (self.shape.zombies or self.shape.retention or self.shape.faults.land_late)

    @property
    def activations_last(self) -> bool:
        """Whether what an evaluate has said is said again by all later ones: here nothing changes what they say."""
        return True

    def look_at(self, said: Sequence[Outgoing], told: Sequence[PublishedAlert], history: History) -> None:
        """What an evaluate that reads in peace says of one record, after which activations."""

    def _planned(self, baseline: Baseline) -> PlannedModel:
        return PlannedModel(baseline.id, self.counting_of(baseline), WINDOW_MS)

    # -- one schedule

    @contextmanager
    def limits(self) -> Iterator[None]:
        """Everything that is cut is cut as small as the world's shape says."""
        with in_small(self.shape.max_record_bytes):
            yield

    def run(self) -> None:
        """Chaos, then calm."""
        with self.limits():
            for _ in range(self.shape.steps):
                self._choose()
            self._calm()

    def _choose(self) -> None:
        dice = self.random.random()
        if dice < 0.80:
            self.go_on()
            return
        for share, act in self._acts():
            if dice < 0.80 + share:
                act()
                return
        self.go_on()

    def _acts(self) -> tuple[tuple[float, Callable[[], None]], ...]:
        """What else can happen, by cumulated share of the steps."""
        return (
            (0.05, self._produce),
            (0.12, self._timer),
            (0.14, self._place),
            (0.15, self._register),
            (0.17, self._tell),
            (0.178, self._kill),
            (0.185, self._pause),
            (0.19, self._wake),
            (0.193, self._cut),
            (0.20, self._reposition),
        )

    def go_on(self) -> bool:
        """One step of some task, or one record on its way lands; False if nothing can go on."""
        tasks = [task for worker in self.workers for task in worker.tasks()]
        choices = len(tasks) + len(self.cluster.under_way)
        if not choices:
            return False
        start = self.random.randrange(choices)
        for at in (*range(start, choices), *range(start)):
            if at >= len(tasks):
                self.say("lands: " + self.cluster.land(at - len(tasks)))
                return True
            if tasks[at].runnable():
                self._step(tasks[at])
                return True
        return False

    def _step(self, task: Task) -> None:
        self.say(task.label)
        self.steps += 1
        holder = next(h for h in self._holders() if task in h.tasks)
        try:
            task.step()
        except SendFailed as failure:
            self.end(holder.worker, f"a send to {failure} failed")
        except Superseded as found:
            self.say(f"{holder.name} gives way: {found}")
            holder.give_way()
        except TopicRecreated as refusal:
            self.testimony.refused.append(str(refusal))
            self.end(holder.worker, "refused")
        if task.over and task in holder.tasks:
            holder.tasks.remove(task)

    def end(self, worker: Worker, why: str) -> None:
        """A process is no more."""
        self.say(f"{worker.name} ends: {why}")
        worker.kill()
        self.workers.remove(worker)

    # -- what can happen

    def _produce(self) -> None:
        source = self.random.choice(self.stages[0])
        entries = self.cluster.partition(source).entries
        more = self.input_of(source)[len(entries) : len(entries) + self.random.choice((1, 2, 4, 12))]
        entries += [record.message for record in more]
        self.say(f"{source} has {len(entries)} offsets")

    def _timer(self) -> None:
        holders = [h for w in self.workers if not w.paused for h in w.holders]
        if holders:
            holder = self.random.choice(holders)
            last = "idle" if self.shape.idle else "checkpoint"
            what = self.random.choice(("checkpoint", "checkpoint", "settle", last))
            self.say(f"timer: {holder.name} {what}")
            holder.begin(what)

    def _place(self) -> None:
        """A rebalance: a partition, orphaned or not, gets an owner."""
        sources = [source for stage in self.stages for source in stage]
        orphans = [s for s in sources if s not in self.holder_of or self.holder_of[s] not in self._holders()]
        if not orphans and self.random.random() < (0.4 if self.shape.zombies else 0.7):
            return
        for source in orphans or [self.random.choice(sources)]:
            self._give(source)

    def _give(self, source: Source) -> None:
        before = self.holder_of.get(source)
        if len(self.workers) < 2 or (len(self.workers) < 4 and self.random.random() < 0.3):
            self.workers.append(Worker(self, f"w{len(self.testimony.workers)}"))
            self.testimony.workers.append(self.workers[-1].name)
        worker = self.random.choice([w for w in self.workers if not w.paused] or self.workers)
        if before is not None and before in self._holders():
            if worker is before.worker or not self.shape.zombies:
                before.stop()
            else:
                self.say(f"{before.name} is a zombie")
        for holder in [h for h in worker.holders if h.source == source]:
            holder.stop()
        self.say(f"{worker.name} takes {source}")
        self.holder_of[source] = holder = Holder(self, worker, source)
        worker.holders.append(holder)

    def _register(self) -> None:
        if self.to_register and self.random.random() < 0.5:
            self.registered.append(self.to_register.pop(0))
            self.say(f"registered: {self.registered[-1].id}")

    def _tell(self) -> None:
        if self.workers:
            worker = self.random.choice(self.workers)
            worker.seen = min(worker.seen + 1, len(self.registered))
            self.say(f"{worker.name} has read {worker.seen} baselines")

    def _kill(self) -> None:
        if self.workers and self.kills < self.shape.kills:
            self.kills += 1
            self.end(self.random.choice(self.workers), "kill -9")

    def _pause(self) -> None:
        if self.workers:
            worker = self.random.choice(self.workers)
            worker.paused = True
            self.say(f"{worker.name} is paused")

    def _wake(self) -> None:
        for worker in self.workers:
            if worker.paused:
                worker.paused = False
                self.say(f"{worker.name} wakes")

    def _cut(self) -> None:
        if self.shape.retention:
            partition = self.cluster.partition(self.random.choice(self.stages[0]))
            everything = self.random.random() < 0.3
            partition.begin = partition.end if everything else self.random.randint(partition.begin, partition.end)
            self.say(f"retention: an input begins at {partition.begin}")

    def _reposition(self) -> None:
        """A pause of the consumer ends with a seek."""
        holders = [h for h in self._holders() if h.taken]
        if holders:
            holder = self.random.choice(holders)
            holder.consumer.seek(holder.fold.next_offset)

    # -- the calm

    def _calm(self) -> None:
        self.say("-- calm")
        self.calm = True
        self.cluster.faults = Faults()
        self._wake()
        self.registered += self.to_register
        self.to_register = []
        for source in self.stages[0]:
            entries = self.cluster.partition(source).entries
            entries += [r.message for r in self.input_of(source)[len(entries) :]]
        for _ in range(self.random.choice((0, 50))):  # zombies go on for a while, then they learn of it
            self.go_on()
        known = set(map(id, self.holder_of.values()))
        for holder in [h for h in self._holders() if id(h) not in known]:
            holder.stop()
        for worker in self.workers:
            worker.seen = len(self.registered)
            worker.hear()
        for topic in self.stages:
            for what in self.last_timers:
                self._settle(topic)
                for source in topic:
                    self.holder_of[source].begin(what)
            self._settle(topic)

    def _settle(self, sources: list[Source]) -> None:
        """Until nothing can go on and everything has been folded."""
        limit = self.steps + STEPS_LIMIT
        while True:
            for source in sources:
                if self.holder_of.get(source) not in self._holders():
                    self._give(source)
            while self.go_on():
                if self.steps > limit:
                    raise Stuck("there is always something left to do")
            owners, alive = [self.holder_of[source] for source in sources], self._holders()
            behind = [h for h in owners if h in alive and h.behind()]
            if all(h in alive for h in owners) and not behind:
                return
            for holder in behind:  # what got lost is fetched again
                self._seek_again(holder, limit)

    def _seek_again(self, holder: Holder, limit: int) -> None:
        if not holder.taken or self.steps > limit:
            raise Stuck(f"{holder.name} stays at {holder.fold.next_offset}")
        holder.consumer.seek(holder.fold.next_offset)
        self.steps += 1

    def close(self) -> None:
        """Let go of every coroutine."""
        for worker in self.workers:
            worker.kill()

    def _holders(self) -> list[Holder]:
        return [holder for worker in self.workers for holder in worker.holders]

    def say(self, what: str) -> None:
        """Note a decision."""
        self.schedule.append(what)
