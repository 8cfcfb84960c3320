"""One crash run from beginning to verdict.

1. Topics, baselines, configurations: two apps over the same predictions and labels.
2. The producer starts; two workers of the first app start, and die, and are started anew.
3. When the last of them has folded everything, its topics and metrics are compared with the truth.
4. One worker of the second app reads the same in peace; the two must agree.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import aiohttp

from stream.join.ledger import Ledger
from stream.records.source import Source
from stream.service.kafka_log import KafkaLog
from tests.crash import evidence
from tests.crash.chaos import run_moves
from tests.crash.deployment import Deployment, create_labels, new_run_name, register_baselines
from tests.crash.findings import Findings
from tests.crash.fleet import Fleet, Samples
from tests.crash.join_truth import LabelPartitionTruth, Settled
from tests.crash.models import LEARNED
from tests.crash.producer import Producer
from tests.crash.replay import read_backs, recoveries, replayed
from tests.crash.scenario import (
    CALM_IDLE_S,
    IDLE_S,
    LABEL_PARTITIONS,
    PARTITIONS,
    Scenario,
    actions,
    expected_duration_s,
)
from tests.crash.silences import check_that_some_were, compare_silenced, people_speak
from tests.crash.tail import Tail
from tests.crash.traffic import Traffic
from tests.crash.truth import PartitionTruth, Truth
from tests.crash.verify_answers import AnswerCheck, check_answer_metrics
from tests.crash.verify_counts import CountCheck, check_metrics
from tests.crash.verify_dead_letters import check_dead_letters
from tests.crash.verify_labels import LabelCheck, check_join_metrics
from tests.crash.verify_learned import check_learned_baseline
from tests.crash.verify_pairs import PairCheck
from tests.crash.verify_performance import (
    PerformanceCheck,
    PerformanceWindows,
    comparable,
    compare_performance,
    read_performance,
)
from tests.crash.verify_reports import (
    Alerts,
    Windows,
    check_alerts,
    check_reports,
    compare_runs,
    read_alerts,
    read_windows,
)

FOLDED_LIMIT_S: Final = 600.0  # from the last death, or the last record, until everything is folded
LOOK_EVERY_S: Final = 0.5

Spoil = Callable[[Traffic], None] | None


@dataclass
class Result:
    """What a run has shown."""

    findings: Findings
    folder: Path
    lines: list[str]  # for people


@dataclass
class _Run:
    """What the steps of a run share."""

    scenario: Scenario
    folder: Path
    traffic: Traffic
    log: KafkaLog
    web: aiohttp.ClientSession
    findings: Findings

    @property
    def truth(self) -> Truth:
        return self.traffic.truth

    @cached_property
    def settled(self) -> Settled:
        """What became of every id; asked only when everything is sent."""
        return self.traffic.joins.settled(self.truth.watermark_ms())


@dataclass
class _Published:
    """What one app published, and how its joins ended."""

    windows: Windows
    performance: PerformanceWindows
    alerts: Alerts
    joins: list[Ledger]


async def crash_run(scenario: Scenario, bootstrap_servers: str, folder: Path, *, spoil: Spoil = None) -> Result:
    """Do it all.

    Args:
        scenario: how much, and how many deaths.
        bootstrap_servers: of a real Kafka; the topics are the run's own.
        folder: for configurations and the workers' logs.
        spoil: changes the truth before anything is compared with it; for the negative control.
    """
    run_name = new_run_name()
    crashed, calm = (
        Deployment.write(folder, bootstrap_servers, run_name, name, scenario, idle_s=idle_s)
        for name, idle_s in (("crashed", IDLE_S), ("calm", CALM_IDLE_S))
    )
    async with AsyncExitStack() as stack:
        await create_labels(crashed.config)
        log = await stack.enter_async_context(KafkaLog.connect(crashed.config.kafka))
        for deployment in (crashed, calm):
            await asyncio.to_thread(deployment.create_topics)
            await register_baselines(log, deployment.config, scenario)
        web = await stack.enter_async_context(aiohttp.ClientSession())
        run = _Run(scenario, folder, Traffic(scenario), log, web, Findings())
        async with _tailed(run, crashed) as tail:
            fleet = Fleet.of(crashed, folder, scenario, web, size=2)
            lines, metrics = await _crashes(run, crashed, fleet, tail)
        if spoil:
            spoil(run.traffic)
        published = await _verified(run, crashed, tail, run.findings, silenced=scenario.silenced)
        check_that_some_were(published.windows, scenario.silenced, run.findings)
        topics = crashed.config.topics
        sent = run.truth.ledger()
        check_metrics(metrics, topics.predictions, "predictions", sent, run.findings, learns=scenario.learns)
        check_metrics(metrics, topics.labels, "labels", run.traffic.joins.ledger(), run.findings)
        check_join_metrics(metrics, published.joins, run.findings)
        check_answer_metrics(metrics, run.truth, run.traffic.labelled, run.findings)
        await _compare_with_calm_run(run, calm, published)
    return Result(run.findings, folder, lines)


@asynccontextmanager
async def _tailed(run: _Run, deployment: Deployment) -> AsyncIterator[Tail]:
    sources = [source for topic in deployment.written_topics for source in await run.log.sources(topic)]
    async with Tail(deployment.config.kafka, sources) as tail:
        yield tail


async def _crashes(run: _Run, deployment: Deployment, fleet: Fleet, tail: Tail) -> tuple[list[str], Samples]:
    """Step 2; what it was like, and the metrics after it."""
    scenario, began_s = run.scenario, time.monotonic()
    producer = Producer(deployment.config, run.traffic)
    sending = asyncio.create_task(producer.run(expected_duration_s(scenario)))
    supervising = asyncio.create_task(fleet.supervise())
    speaking = asyncio.create_task(people_speak(run.log, deployment.config, producer, scenario))
    try:
        for worker in fleet.workers:
            fleet.start(worker.number)
        moves = run_moves(fleet, actions(scenario), scenario.seed, producer.deaths_have_come)
        await _unless_failed(moves, sending, supervising, speaking)
        _say(began_s, f"the last death; {producer.sent_share:.0%} of the events were sent")
        producer.hurry.set()
        await sending
        await speaking
        await _unless_failed(fleet.whole(), supervising)
        await _folded(run, deployment, tail)
        await fleet.whole()
        metrics = await fleet.samples()
        _say(began_s, "everything is folded")
        supervising.cancel()
        await fleet.end()
    finally:
        supervising.cancel()
        sending.cancel()
        speaking.cancel()
        fleet.kill_all()
    run.findings.expect("workers that ended by themselves", fleet.ended_by_themselves, [])
    return _told(run, fleet, deployment), metrics


async def _unless_failed(work: Awaitable[None], *others: "asyncio.Task[None]") -> None:
    """Await the work; if one of the others fails meanwhile, fail with it."""
    task = asyncio.ensure_future(work)
    running = {task, *others}
    while not task.done():
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        failed = [t for t in done if t is not task and t.exception()]
        if failed:
            task.cancel()
            failed[0].result()
    await task


async def _folded(run: _Run, deployment: Deployment, tail: Tail) -> None:
    """Return when every `@` is at its log's end, every source is idle, and the tail has read it all."""
    deadline_s = time.monotonic() + FOLDED_LIMIT_S
    missing = ["the tail of its topics"]
    while not await tail.is_complete() or (missing := _not_folded(run, deployment, tail)):
        assert time.monotonic() < deadline_s, f"{deployment.config.app} has not folded {missing}"
        await asyncio.sleep(LOOK_EVERY_S)


def _not_folded(run: _Run, deployment: Deployment, tail: Tail) -> list[str]:
    """What `@` has not reached yet."""
    ends = {
        deployment.count_changelog: [truth.next_offset for truth in run.truth.partitions],
        deployment.labels_changelog: [truth.next_offset for truth in run.traffic.joins.partitions],
        deployment.join_changelog: [len(records) for records in tail.of(deployment.outcomes).values()],
        deployment.evaluate_changelog: [len(records) for records in tail.of(deployment.partials).values()],
    }
    missing = [
        f"{home}/{p}: @ = {at} of {end}"
        for home, of_home in ends.items()
        for p, end in enumerate(of_home)
        if (at := evidence.newest_progress(tail.of(home)[p])) != end
    ]
    if not evidence.everybody_idle(tail, deployment, PARTITIONS, LABEL_PARTITIONS):
        missing.append("the end: somebody is not idle")
    return missing


async def _verified(
    run: _Run, deployment: Deployment, tail: Tail, findings: Findings, *, silenced: Collection[str] = ()
) -> _Published:
    """Step 3 for one app, its metrics apart; the tail has ended, since nobody would hear Kafka for a minute."""
    findings.expect("records trimmed before they were read", tail.gaps(), [])
    begins = {source: await run.log.begin(source) for source in tail.records if source.topic in deployment.changelogs}
    findings.numbers["changelog records trimmed"] = sum(begins.values())
    outcomes = [source for source in tail.records if source.topic == deployment.outcomes]
    findings.numbers["outcomes trimmed"] = sum([await run.log.begin(source) for source in outcomes])
    topics, joins, models = deployment.config.topics, run.traffic.joins, run.traffic.models
    sent: dict[str, Sequence[PartitionTruth | LabelPartitionTruth]] = {
        topics.predictions: run.truth.partitions,
        topics.labels: joins.partitions,
    }
    for topic, parts in sent.items():
        for p, truth in enumerate(parts):
            end = await run.log.end(Source(topic, p))
            findings.expect("messages in Kafka", end, truth.next_offset, (topic, p))
    learned = models.index(LEARNED) if run.scenario.learns else None
    if learned is not None:
        check_learned_baseline(run.truth, learned, deployment, tail, findings)
    CountCheck(run.truth, models, deployment, tail, findings, learned).run(begins)
    broken = {topic: [truth.broken for truth in parts] for topic, parts in sent.items()}
    check_dead_letters(broken, deployment, tail, findings)
    windows = read_windows(deployment, tail, findings)
    check_reports(run.truth, models, windows, findings)
    alerts = read_alerts(deployment, tail, findings)
    check_alerts(windows, alerts, findings, silenced=silenced)
    AnswerCheck(run.truth, run.traffic.labelled, silenced, deployment, findings).run(windows, alerts)
    ledgers = LabelCheck(joins, run.settled, deployment, tail, findings).run()
    watermark_ms = run.truth.watermark_ms()
    labelled = run.traffic.labelled
    PairCheck(run.settled, watermark_ms, labelled, deployment, tail, findings).run(begins)
    performance = read_performance(deployment, tail, findings)
    PerformanceCheck(run.settled, watermark_ms, labelled, findings).run(performance, alerts)
    return _Published(windows, performance, alerts, ledgers)


async def _compare_with_calm_run(run: _Run, calm: Deployment, crashed: _Published) -> None:
    """Step 4."""
    findings = Findings()
    began_s = time.monotonic()
    async with _tailed(run, calm) as tail:
        fleet = Fleet.of(calm, run.folder, Scenario(gap_ms=0), run.web, size=1)
        try:
            fleet.start(0)
            await _folded(run, calm, tail)
            await fleet.end()
        finally:
            fleet.kill_all()
        _say(began_s, "an uncrashed worker has folded the same")
    findings.expect("workers that ended by themselves", fleet.ended_by_themselves, [])
    published = await _verified(run, calm, tail, findings)
    run.findings.merge(findings, "uncrashed run: ")
    compare_runs(crashed.windows, published.windows, run.findings, silenced=run.scenario.silenced)
    compare_performance(crashed.performance, published.performance, run.findings)
    silenced = run.scenario.silenced
    mine, other = (comparable(alerts, silenced=silenced) for alerts in (crashed.alerts, published.alerts))
    run.findings.expect("alerts of both runs", mine, other)
    compare_silenced(crashed.alerts, published.alerts, silenced, run.findings)


def _told(run: _Run, fleet: Fleet, deployment: Deployment) -> list[str]:
    ledger = run.truth.ledger()
    found = recoveries(run.folder, deployment.config.topics.predictions)
    inside = sum(not death.was_ready for death in fleet.deaths)
    again = replayed(fleet.deaths, found, run.truth)
    pending = [death.waiting for death in fleet.deaths if death.waiting]
    read = sorted(read_backs(run.folder), key=lambda read_back: read_back.seconds)
    labels = run.traffic.joins.ledger()
    ready = sorted(fleet.recovery_s) or [0.0]
    return [
        f"events      {ledger['received']:,} predictions, {dict(sorted(ledger.items()))}",
        f"deaths      {fleet.kills} kill -9 and {fleet.stops} SIGSTOP, {inside} of them before the worker was ready",
        f"labels      {labels['received']:,} labels, {dict(sorted(labels.items()))}",
        f"joins       {len(pending)} of the deaths while joins were pending, in the median "
        f"{statistics.median(pending or [0]):,.0f} predictions waiting",
        f"read back   {sum(r.rows > 0 for r in read)} times with rows, {sum(r.rows for r in read):,} rows, the longest "
        f"{read[-1].rows:,} rows in {read[-1].seconds:.3f} s"
        if read
        else "read back   never",
        f"replayed    at least {again:,} predictions were folded twice or more; {len(found)} recoveries",
        f"recovery    from start to ready: min {ready[0]:.1f} s, median {statistics.median(ready):.1f} s, "
        f"max {ready[-1]:.1f} s ({len(fleet.recovery_s)} times)",
    ]


def _say(began_s: float, what: str) -> None:
    print(f"{time.monotonic() - began_s:6.1f} s  {what}", flush=True)
