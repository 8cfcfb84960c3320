"""Alerts on the names of features are equal to their recount, from the cited offsets and nothing else."""

from stream.alerts.episode import AlertRules
from stream.alerts.quality_rules import SCHEMA, Limits, QualityRule
from stream.verify.verifier import Result, Verified
from tests.unit.stream.verify.alerted import Alerted, Sent, alerted

RULE = QualityRule(level=1e-6, limits={SCHEMA: Limits(warning=0.5, critical=0.9)})
# Four seconds as ever, three with another name for x, as ever, three with a name more.
KINDS = ["many"] * 4 + ["renamed"] * 3 + ["many"] * 3 + ["extra"] * 3 + ["many"] * 4
TRAFFIC = [(p, Sent(1_000 * second + at, kind)) for second, kind in enumerate(KINDS) for at in (0, 500) for p in (0, 1)]


def served(**changes: AlertRules) -> Alerted:
    return alerted(TRAFFIC, quality=RULE, crash_before={9, 20, 33}.__contains__, **changes)


def of_names(verified: list[Verified]) -> list[Verified]:
    return [one for one in verified if one.alert["labels"]["check"] == SCHEMA]


async def test_what_was_renamed_and_what_is_new_is_counted_again() -> None:
    found = of_names(await served().verified())
    assert {one.alert["evidence"]["change"] for one in found if one.alert["status"] == "firing"} == {"renamed", "new"}
    assert {one.alert["labels"]["subject"] for one in found} == {"x", "copy"}
    assert {one.result for one in found} <= {Result.EQUAL, Result.NOTHING}  # nothing: no row has the new name any more
    assert [one.differences for one in found if one.result is Result.EQUAL]
    (renamed, *_) = [one.alert for one in found if one.alert["labels"]["subject"] == "x"]
    assert (renamed["evidence"]["renamed_to"], renamed["evidence"]["usual_names"]) == ("wind", ["request"])


async def test_a_row_that_was_looked_at_and_is_another_now_is_found() -> None:
    traffic = served()
    alert = next(a for a in traffic.alerts if a["labels"]["check"] == SCHEMA)
    alert["evidence"]["count"] -= 1
    found = await traffic.verifier().verify(alert)
    assert [d.field for d in found.differences] == ["evidence.count"]


async def test_names_that_were_no_news_are_taken_from_the_alert() -> None:
    traffic = served()
    alert = next(a for a in traffic.alerts if a["labels"]["check"] == SCHEMA)
    alert["evidence"]["usual_names"] = ["wind", "request"]  # then x has vanished, and was renamed to nothing
    found = await traffic.verifier().verify(alert)
    assert "evidence.renamed_to" in [d.field for d in found.differences]
