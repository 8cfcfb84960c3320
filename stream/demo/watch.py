"""The replay under way: messages in, reports and alerts back, until the last windows are reported.

Which those are follows from what is published, not from a clock: a window closes when the watermark
passes its end. When all is read and silent, the watermark of drift is the newest prediction's time less
the allowed lateness; that of labels is the smaller of it and the labels', and silent labels hold
nothing back. So both end with the same window, and labels that land later are in none.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream.config import Config
from stream.demo.child import Child
from stream.demo.flights import HOUR_MS, MINUTE_MS, Integers
from stream.demo.performance import Performance
from stream.demo.prepare import Prepared
from stream.demo.replay import replay
from stream.demo.results import AlertMessage, Report, Results
from stream.demo.screen import Screen
from stream.demo.settings import ALLOWED_LATENESS_MINUTES, DemoSettings
from stream.demo.tail import tail
from stream.errors import CallerError
from stream.service.kafka_log import KafkaLog

ALERTS_FILE: Final = "alerts.jsonl"
REPORTS_FILE: Final = "reports.jsonl"
PERFORMANCE_FILE: Final = "performance.jsonl"
LONGEST_SILENCE_S: Final = 60.0  # of the service, beyond the time that it waits for an idle partition
SETTLED_S: Final = 1.0  # without news after the last report: no alert or dead letter is still on its way


News = Report | Performance | AlertMessage


class _Files:
    """What is left behind as JSON lines, as it comes; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._open = ExitStack()
        self.alerts, self.reports, self.performance = (
            self._open.enter_context((folder / name).open("wb"))
            for name in (ALERTS_FILE, REPORTS_FILE, PERFORMANCE_FILE)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


@dataclass(slots=True)
class Found:
    """What was read back."""

    results: Results = field(default_factory=Results)
    dead_letters: int = 0

    def has(self, end_ms: int) -> bool:
        """Whether both windows that end then are reported: of predictions and of labels."""
        return end_ms in self.results.reports and end_ms in self.results.performance.windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is replayed, where to, and where it is shown."""

    settings: DemoSettings
    prepared: Prepared
    config: Config
    worker: Child
    screen: Screen

    async def until_the_end(self, log: KafkaLog) -> Found:
        """Replay and read until the last window that can close is reported, and nothing follows it.

        Raises:
            CallerError: the service ended, or fell silent.
        """
        found = Found()
        first_ms, last_ms = window_ends_ms(self.prepared.published.predicted_ms)
        self.screen.expect(len(self.prepared.published), first_ms, last_ms)
        replaying = asyncio.create_task(self._replay())
        heard_at_s = time.monotonic()
        try:
            async for news in self._read(log, found):
                if news or not replaying.done():
                    heard_at_s = time.monotonic()
                elif replaying.done():
                    replaying.result()  # what went wrong there goes wrong here
                silent_s = time.monotonic() - heard_at_s
                if found.has(last_ms) and silent_s > SETTLED_S:
                    break
                self._refuse_silence(silent_s)
        finally:
            replaying.cancel()
        return found

    async def _read(self, log: KafkaLog, found: Found) -> AsyncIterator[bool]:
        """Keep what the topics bring; yields after each look whether there was anything new."""
        topics = self.config.topics
        with _Files(self.settings.folder) as files:
            async for arrived in tail(log, [topics.alerts, topics.reports, topics.dead_letters]):
                news: list[News] = []
                for topic, value in arrived:
                    if topic == topics.alerts:
                        files.alerts.write(value + b"\n")
                        news.append(found.results.add_alert(value))
                    elif topic == topics.reports:
                        report = found.results.add_report(value)
                        to = files.performance if isinstance(report, Performance) else files.reports
                        to.write(value + b"\n")
                        news.append(report)
                    else:
                        found.dead_letters += 1
                self._show(news)
                yield bool(arrived)

    def _show(self, news: list[News]) -> None:
        """What came in one look, in order of event time: the topics are read one after the other."""
        for found in sorted(news, key=lambda found: found.window_end_ms):
            match found:
                case Report():
                    self.screen.report(found)
                case Performance():
                    self.screen.performance(found)
                case AlertMessage():
                    self.screen.alert(found)

    async def _replay(self) -> None:
        await replay(
            self.config.kafka.bootstrap_servers,
            (self.config.topics.predictions, self.config.topics.labels),
            self.prepared.published,
            speed=self.settings.speed,
            on_progress=self.screen.published,
        )

    def _refuse_silence(self, silent_s: float) -> None:
        if self.worker.exit_code is not None:
            raise CallerError(f"the service ended early ({self.worker.last_line()}); see {self.worker.log_file}")
        if silent_s > LONGEST_SILENCE_S + self.settings.idle_s:
            raise CallerError(f"the service has said nothing for {silent_s:.0f} s; see {self.worker.log_file}")


def window_ends_ms(event_time_ms: Integers) -> tuple[int, int]:
    """Ends of the first window with a row and of the last one that can close.

    The last one ends where the newest event has left the allowed lateness behind.

    >>> import numpy as np
    >>> window_ends_ms(np.array([10 * MINUTE_MS, 5 * HOUR_MS + 26 * MINUTE_MS])) == (HOUR_MS, 4 * HOUR_MS)
    True
    """
    first, newest = int(event_time_ms[0]), int(event_time_ms[-1])
    watermark_ms = newest - ALLOWED_LATENESS_MINUTES * MINUTE_MS
    return first - first % HOUR_MS + HOUR_MS, watermark_ms - watermark_ms % HOUR_MS
