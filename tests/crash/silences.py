"""What people say of alerts while workers die: silences that are placed and ended at set points of the traffic.

From which window on an evaluate heeds them depends on when it has read them, so that differs from run to run, and with
it which messages were withheld. What must not differ is everything else: windows, verdicts, the ids of alerts and
what they cite; and what is told when a silence is over must be how it is then.
"""

import asyncio
from collections.abc import Collection
from typing import Final

import orjson

from stream.alerts.silences import Silence, matcher_of, silence_record
from stream.cli.silence import say
from stream.config import Config
from stream.service.kafka_log import KafkaLog
from tests.crash.findings import Findings
from tests.crash.producer import Producer
from tests.crash.scenario import FIRST_EVENT_MS, PANE_MS, Scenario
from tests.crash.verify_reports import Alerts, Windows

LOOK_EVERY_S: Final = 0.2


async def people_speak(log: KafkaLog, config: Config, producer: Producer, scenario: Scenario) -> None:
    """Silence the alerts of two models before anything drifts; one silence ends by its times, the other by hand."""
    if not scenario.silenced:
        return
    first, second = scenario.silenced
    half_ms, end_ms = (FIRST_EVENT_MS + n * PANE_MS for n in (scenario.panes // 2, 2 * scenario.panes))
    for share, said in (
        (0.15, _silence("by-its-times", first, half_ms)),
        (0.2, _silence("by-hand", second, end_ms)),
        (0.55, _silence("by-hand", second, FIRST_EVENT_MS)),
    ):
        while producer.sent_share < share:
            await asyncio.sleep(LOOK_EVERY_S)
        await say(log, config, f"silence/{said.id}", silence_record(said))


def _silence(silence_id: str, model: str, ends_at_ms: int) -> Silence:
    matchers = matcher_of(f"model={model}"), matcher_of("check=psi")
    return Silence(silence_id, matchers, FIRST_EVENT_MS, ends_at_ms, "crash", "")


def check_that_some_were(windows: Windows, silenced: Collection[str], findings: Findings) -> None:
    """Or the run proves nothing about silences. Not all need to be: a worker may hear of one when it is over."""
    found = {report["model"] for report in windows.values() if report["alerts_silenced"]}
    findings.numbers["reports with silenced alerts"] = sum(bool(w["alerts_silenced"]) for w in windows.values())
    if silenced and not found:
        findings.problem("silences", "none was heeded: the run proves nothing about them")


def compare_silenced(crashed: Alerts, calm: Alerts, silenced: Collection[str], findings: Findings) -> None:
    """No alert of drift of a silenced model that the uncrashed run, in which nobody said anything, does not have."""
    mine, other = (_by_id(alerts, silenced) for alerts in (crashed, calm))
    findings.expect("alerts of silenced models that are none", sorted(mine.keys() - other.keys()), [])
    withheld = sum(len(messages) for messages in other.values()) - sum(len(messages) for messages in mine.values())
    findings.numbers["messages that silences withheld"] = withheld
    for alert_id in mine.keys() & other.keys():
        of_one, of_other = ({_settled(message) for message in alerts[alert_id]} for alerts in (mine, other))
        findings.expect("labels and starts of silenced alerts", of_one, of_other, alert_id)


def _by_id(alerts: Alerts, silenced: Collection[str]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for (alert_id, _), value in alerts.items():
        labels = orjson.loads(value)["labels"]
        if labels["model"] in silenced and labels["check"] == "psi":
            found.setdefault(alert_id, []).append(value)
    return found


def _settled(message: bytes) -> tuple[bytes, str]:
    alert = orjson.loads(message)
    return orjson.dumps(alert["labels"]), alert["startsAt"]
