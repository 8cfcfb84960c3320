"""The demo from its first line to its summary.

Promise: it ends by itself; everything that it started ends with it, whatever ends it; what it
leaves behind lies in one folder. Cost on two cores, as fast as it goes: about 70 s and 1.5 GB, half
of it the messages that wait to be sent.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from rich.console import Console

from stream.baselines.registry import register
from stream.config import Config, load_config
from stream.demo import picture
from stream.demo.child import Child
from stream.demo.fault import FAULTS, STUCK
from stream.demo.performance import AUC
from stream.demo.prepare import Prepared, prepare
from stream.demo.replayed import Replayed
from stream.demo.results import PSI
from stream.demo.screen import Screen
from stream.demo.settings import (
    FALSE_ALARMS,
    LIMITS,
    PARTITIONS,
    SERIES,
    WINDOW_HOURS,
    DemoSettings,
    config_text,
)
from stream.demo.summary import Healthy, summary
from stream.demo.tables import REPLAYED_FILE, WINTER_FILE
from stream.demo.times import utc
from stream.demo.verification import Verification, verify
from stream.demo.watch import ALERTS_FILE, PERFORMANCE_FILE, REPORTS_FILE, Found, Watch
from stream.errors import InputError
from stream.records.source import Source
from stream.service.admin import create_topics
from stream.service.embedded import EmbeddedBroker
from stream.service.kafka_log import KafkaLog

CONFIG_FILE: Final = "demo.yaml"
PICTURE_FILE: Final = "picture.png"
SUMMARY_FILE: Final = "summary.txt"
BROKER_LOG: Final = "broker.log"
WORKER_LOG: Final = "worker.log"
LEFT_BEHIND: Final = (
    *(PICTURE_FILE, SUMMARY_FILE, ALERTS_FILE, REPORTS_FILE, PERFORMANCE_FILE),
    *(WINTER_FILE, REPLAYED_FILE, BROKER_LOG, WORKER_LOG),
)


def run(settings: DemoSettings, console: Console) -> None:
    """Run it all.

    Raises:
        CallerError: the port is in use, an extra is missing, the folder cannot be written, the
            service ended early.
    """
    started_s = time.monotonic()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it is raised, and said in our words
    _make_folder(settings.folder)
    with EmbeddedBroker(settings.port, log_file=settings.folder / BROKER_LOG) as broker:
        with console.status("Reading the flights of 2013 and training the model on January to March ..."):
            prepared = prepare()
        console.print(introduction(prepared, broker.bootstrap_servers), soft_wrap=True, highlight=False)
        config_file = settings.folder / CONFIG_FILE
        config_file.write_text(config_text(settings, broker.bootstrap_servers), encoding="utf-8")
        found = asyncio.run(_serve(settings, prepared, load_config(config_file, environment={}), console))
        with console.status("Verifying each alert: its rows are read, counted and judged again ..."):
            verified = verify(config_file, (a.id for a in found.results.alerts))
    for file, table in prepared.tables.items():
        pq.write_table(table, settings.folder / file)
    with console.status("Drawing ..."):
        text = _leave_behind(settings.folder, prepared, found, verified)
    console.print(f"\n{text}", soft_wrap=True, highlight=False, markup=False)
    took_s = time.monotonic() - started_s
    console.print(f"Took {took_s:.0f} s. Picture, alerts, reports, flights and logs: {settings.folder}", soft_wrap=True)


async def _serve(settings: DemoSettings, prepared: Prepared, config: Config, console: Console) -> Found:
    """The service, from its topics to its last report.

    1. Create the topics and register the baseline, so that the service finds both.
    2. Start the service.
    3. Replay, and read what it publishes, until the last window is reported.
    4. End the service.
    """
    async with KafkaLog.connect(config.kafka) as log:
        await create_topics(config, log, partitions=PARTITIONS)
        await register(log, Source(config.topics.baselines, 0), prepared.baseline)
        command = [sys.executable, "-m", "stream", "worker", "-c", str(settings.folder / CONFIG_FILE)]
        with Child(command, settings.folder / WORKER_LOG) as worker, Screen(console) as screen:
            watch = Watch(settings=settings, prepared=prepared, config=config, worker=worker, screen=screen)
            return await watch.until_the_end(log)


def introduction(prepared: Prepared, bootstrap_servers: str) -> str:
    """What is going to happen, the faults included."""
    published = prepared.published
    announced = "\n".join(f"Announced: from {utc(fault.start_ms)} UTC on, {fault.in_words}." for fault in FAULTS)
    announced = announced.replace(STUCK.in_words, f"{STUCK.in_words} ({prepared.stuck_at:g} minutes)")
    return (
        f"A model learned from {prepared.trained_on:,} departures from New York, January to March 2013, whether a "
        "flight will arrive more than 15 minutes late; those flights, their out-of-fold scores and whether they were "
        "late are its baseline.\n"
        f"Now {len(published.predicted_ms):,} predictions, April to December, and {len(published.labelled_ms):,} "
        f"labels, each when its plane lands, go through Kafka ({bootstrap_servers}, embedded) and the service.\n"
        f"{announced}\n"
        f"Alerts: at most {FALSE_ALARMS} that chance explains, over all checks: PSI of {', '.join(SERIES)} over "
        f"{WINDOW_HOURS} h windows, and AUC and Brier score of the labels that arrived in {WINDOW_HOURS} h, all held "
        "against how much the days of January to March differ from each other."
    )


def _leave_behind(folder: Path, prepared: Prepared, found: Found, verified: Mapping[str, Verification]) -> str:
    """Write the picture and the summary; returns the summary."""
    results = found.results
    replayed = Replayed(
        event_time_ms=prepared.published.predicted_ms,
        truth=prepared.truth,
        stuck_at=prepared.stuck_at,
        cancelled=prepared.cancelled,
        dead_letters=found.dead_letters,
    )
    healthy = Healthy(baseline=prepared.baseline, control=prepared.control, control_days=prepared.control_days)
    text = summary(results, replayed, healthy, verified)
    (folder / SUMMARY_FILE).write_text(text, encoding="utf-8")
    picture.draw(
        folder / PICTURE_FILE,
        picture.Shown(
            replayed=results.series(SERIES),
            control=prepared.control,
            control_days=prepared.control_days,
            performance=results.performance,
            estimates=results.estimates(),
            episodes={check: results.episodes(check) for check in (AUC, PSI)},
            limits=LIMITS,
            window_hours=WINDOW_HOURS,
        ),
    )
    return text


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in LEFT_BEHIND:  # what another run left must not be taken for this one's
            (folder / left).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}); choose another folder with --out") from error
