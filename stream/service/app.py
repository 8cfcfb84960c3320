"""Faust's app with the settings that this service needs, and how it is run and ended.

What was found out about the settings (faust-streaming 0.15, aiokafka 0.14):
* `stream_buffer_maxsize` counts messages, and a message is a fetch: 8, not 4096.
* `broker_max_poll_records` and `consumer_max_fetch_size` are what limits a fetch, so they make
  the batch (see `fetch_scheduler`). Without the first one a compressed fetch has no bound.
* The embedded broker lets a group begin after half the session timeout + 1 s: 6 s at 10 s, and 31 s
  at Faust's default of 60 s, which looks hung. The rebalance timeout does not matter to it.
* `stream_wait_empty` is off: the last checkpoint is made by `Partitions`, which Faust awaits.
* The app is started as a service in our own loop, not by Faust's command line or `faust.Worker`:
  those switch the web server on again, set the root logger to DEBUG, redirect stdout, and exit
  with code 1 on a crash.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, NoReturn

import faust

from stream.config import Config
from stream.errors import CallerError
from stream.records.source import MessageBatch
from stream.service.fetch_scheduler import FETCH_BYTES, RECORDS_PER_FETCH, FetchScheduler
from stream.service.transport import WorkerTransport

log = logging.getLogger("driftline.worker")

EXIT_CALLER: Final = 2
EXIT_BUG: Final = 70
SESSION_TIMEOUT_S: Final = 10.0  # a worker that was killed is replaced after this
REBALANCE_TIMEOUT_S: Final = 30.0  # how long a rebalance waits for the last checkpoints
HEARTBEAT_S: Final = 2.0
MAX_POLL_INTERVAL_S: Final = 300.0
BATCHES_BUFFERED: Final = 8
LIBRARIES: Final = ("faust", "mode", "aiokafka")

Handler = Callable[[MessageBatch], Awaitable[None]]


class App(faust.App):
    """Faust's app that tells when a rebalance is over: when a seek sticks."""

    after_rebalance: Callable[[], None] | None = None  # set by Partitions

    def on_rebalance_end(self) -> None:
        """Faust has placed its consumer at the committed offsets and lets messages flow."""
        super().on_rebalance_end()
        if self.after_rebalance:
            self.after_rebalance()


def make_app(config: Config, packed_topics: Iterable[str]) -> App:
    """An app without agents; make it inside the event loop that will run it.

    Args:
        config: `app` is the consumer group.
        packed_topics: topics whose agents get a `MessageBatch` a fetch.
    """
    app = App(
        config.app,
        broker=[f"kafka://{server}" for server in config.kafka.bootstrap_servers.split(",")],
        ConsumerScheduler=partial(FetchScheduler, frozenset(packed_topics)),
        autodiscover=False,
        datadir=tempfile.gettempdir(),  # Faust makes one although nothing is kept in it
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_buffer_maxsize=BATCHES_BUFFERED,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_records=RECORDS_PER_FETCH,
        broker_max_poll_interval=MAX_POLL_INTERVAL_S,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
    )
    app.transport = app.producer_transport = WorkerTransport(app, config.kafka)
    return app


def add_agent(app: App, name: str, topic: str, handle: Handler) -> None:
    """An agent that hands each batch of a packed topic to `handle`, one after the other.

    The name is data format: Faust would make it from the module's name otherwise. What `handle`
    raises ends the process: Faust would count the batch as done and go on.
    """
    channel = app.topic(topic, key_serializer="raw", value_serializer="raw", acks=False)

    async def agent(batches: Any) -> None:
        async for batch in batches:
            with ending_the_process():
                await handle(batch)

    app.agent(channel, name=name)(agent)


async def run(app: App, *, before_stop: Callable[[], Awaitable[None]]) -> None:
    """Run the app until SIGTERM or SIGINT; then `before_stop` (the last checkpoint), then stop.

    A second signal ends the process as usual. A crash of the app ends it with EXIT_BUG.
    """
    quiet_libraries()
    asked_to_stop = _stop_signal()
    try:
        await app.start()
        ended = await app.wait(asked_to_stop.wait())
    except Exception as error:
        end_process(error)
    if ended.stopped:
        end_process(app.crash_reason or RuntimeError("Faust's app stopped by itself"))
    log.info("stopping")
    with ending_the_process():
        await before_stop()
    await app.stop()


@contextlib.contextmanager
def ending_the_process() -> Iterator[None]:
    """Nothing escapes from its body but a cancellation: an error ends the process, before anything is written."""
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        end_process(error)


def end_process(error: BaseException) -> NoReturn:
    """End at once, without stopping anything in order: exit code 2 for the caller's mistake, 70 for a bug."""
    if isinstance(error, CallerError):
        print(f"driftline: {error}", file=sys.stderr, flush=True)
        os._exit(EXIT_CALLER)
    log.critical("a bug ends the process", exc_info=error)
    logging.shutdown()
    sys.stderr.flush()
    os._exit(EXIT_BUG)


def quiet_libraries(level: int = logging.WARNING) -> None:
    """Levels of the libraries' loggers: at DEBUG they cost more than our own work."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(level)
    # Faust logs for our subclass under its module's name, with a traceback for a seek that a rebalance overtakes.
    logging.getLogger("stream.service.transport").setLevel(logging.CRITICAL)


def _stop_signal() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def ask() -> None:
        asked.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, ask)
    return asked
