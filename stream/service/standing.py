"""How things stand: the newest report of each model, the alerts that fire, and how far the group is behind.

It reads topics only, no worker: so it also tells when no worker runs.
Cost: reads the reports and the alerts that the topics keep; decodes the newest of each. Of dead letters the last.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from stream.config import Config
from stream.durable.log import Log
from stream.errors import TopicMissing
from stream.records.source import Message, Source
from stream.service.kafka_log import KafkaLog, true_end
from stream.verify.messages import read_alerts

PERFORMANCE: Final = "driftline.performance/1"

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one partition has been read."""

    source: Source
    end: int  # the offset after its last record
    committed: int | None  # what the group says that it has folded; None: nothing yet

    @property
    def records(self) -> int:
        """Offsets that are yet to be read; never below 0, since the end may be told too low."""
        return max(self.end - (self.committed or 0), 0)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The input that could not be counted, as far as its topic keeps it."""

    total: int = 0
    newest_at_ms: int = 0
    newest_reason: str = ""  # with its detail


@dataclass(frozen=True, slots=True)
class Standing:
    """What the topics say now."""

    reports: list[Report]  # the newest of each model, version and segment, traffic before labels
    firing: list[dict[str, Any]]  # the newest message of each alert that fires, by its begin
    lags: list[Lag]
    dead_letters: DeadLetters = DeadLetters()


async def standing(config: Config, log: KafkaLog) -> Standing:
    """Read it."""
    topics = config.topics
    inputs = [s for topic in (topics.predictions, topics.labels) for s in await _sources_if_there(log, topic)]
    committed = await log.committed(config.app, inputs)
    alerts = await read_alerts(log, await log.sources(topics.alerts))
    return Standing(
        await _reports(log, await log.sources(topics.reports)),
        sorted((m[-1] for m in alerts.values() if m[-1]["status"] == "firing"), key=_since),
        [Lag(source, await true_end(log, source), committed.get(source)) for source in inputs],
        await dead_letters_of(log, await _sources_if_there(log, topics.dead_letters)),
    )


async def dead_letters_of(log: Log, sources: list[Source]) -> DeadLetters:
    """How many there are, and the newest; reads the last of each partition only."""
    total, newest = 0, DeadLetters()
    for source in sources:
        begin, end = await log.begin(source), await log.end(source)
        async for letter in log.read(source, max(end - 1, begin)):
            end = max(end, letter.offset + 1)
            if letter.timestamp_ms >= newest.newest_at_ms:
                newest = DeadLetters(0, letter.timestamp_ms, _reason(letter))
        total += end - begin
    return replace(newest, total=total)


def _reason(letter: Message) -> str:
    headers = {name: value.decode("utf-8", "replace") for name, value in letter.headers}
    return f"{headers.get('reason')}: {headers.get('detail')}"


def verdicts(report: Report) -> Counter[str]:
    """How often each verdict is in a report, whatever section it stands in; an undefined one with its reason.

    >>> verdicts({"checks": [{"verdict": "ok"}, {"verdict": "undefined", "reason": "too few"}, {"verdict": "ok"}]})
    Counter({'ok': 2, 'undefined (too few)': 1})
    """
    return Counter(_verdicts(report))


def _verdicts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        verdict, reason = value.get("verdict"), value.get("reason")
        if isinstance(verdict, str):
            yield f"{verdict} ({reason})" if verdict == "undefined" and reason else verdict
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _verdicts(one)


async def _sources_if_there(log: KafkaLog, topic: str) -> list[Source]:
    """The partitions of a topic; none where it is not made, as that of labels may not be."""
    try:
        return await log.sources(topic)
    except TopicMissing:
        return []


async def _reports(log: Log, sources: list[Source]) -> list[Report]:
    newest: dict[bytes, bytes] = {}
    for source in sources:
        async for message in log.read(source, 0):
            if message.key is not None and message.value is not None:
                newest[message.key] = message.value
            elif message.key is not None:
                newest.pop(message.key, None)  # a tombstone: an operator has taken the model out
    reports = [found for value in newest.values() if (found := _report(value)) is not None]
    return sorted(reports, key=lambda r: (r["model"], r["version"], _part(r), r["schema"] == PERFORMANCE))


def _report(value: bytes) -> Report | None:
    """The report in a message; None if it is none."""
    try:
        report = orjson.loads(value)
        window = report["window"]
        told = (report["schema"], report["model"], report["version"], window["start"], window["end"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    found: Report = report
    return found if all(isinstance(one, str) for one in told) else None


def _part(report: Report) -> str:
    """The segment, or the class, that it is about."""
    return str(report.get("segment") or report.get("category") or "")


def _since(alert: dict[str, Any]) -> tuple[str, str]:
    return str(alert.get("startsAt")), str(alert["id"])
