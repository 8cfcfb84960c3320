"""Alerts on the number of rows, where what is usual was learned from live windows, are equal to their recount."""

from typing import Any

from stream.alerts.throughput_rule import THROUGHPUT, ThroughputRule
from stream.verify.verifier import Result
from tests.unit.stream.verify.alerted import Alerted, Sent, alerted

# Ten messages a second for more than 24 windows, then for two windows one or two.
TRAFFIC = [(i % 2, Sent(100 * i)) for i in range(810)] + [(i % 2, Sent(81_000 + 600 * i)) for i in range(10)]


def served() -> tuple[Alerted, dict[str, Any]]:
    traffic = alerted(TRAFFIC, throughput=ThroughputRule(level=1e-4), crash_before={200, 700, 815}.__contains__)
    return traffic, next(a for a in traffic.alerts if a["labels"]["check"] == THROUGHPUT)


async def test_too_few_rows_are_counted_again_and_judged_with_what_the_alert_cites() -> None:
    traffic, alert = served()
    assert alert["evidence"]["live_rows"]["windows"] == 24
    assert alert["evidence"]["usual"] == 30.0
    found = await traffic.verifier().verify(alert)
    assert (found.result, found.differences) == (Result.EQUAL, [])


async def test_what_was_usual_is_taken_from_the_alert() -> None:
    traffic, alert = served()
    alert["evidence"]["live_rows"]["mean"] = 60.0
    found = await traffic.verifier().verify(alert)
    assert {"value", "evidence.usual"} <= {d.field for d in found.differences}
