"""Every alert of any traffic is equal to its recount; what was tampered with, or cannot be read, is not."""

import asyncio
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.alerts.episode import AlertRules
from stream.alerts.rules import BUDGET
from stream.baselines.evidence import SeriesEvidence
from stream.verify.verifier import Result, Verified
from tests.small_model import baseline
from tests.unit.stream.evaluate.partials import limits
from tests.unit.stream.evaluate.test_seasons import NEXT_HOUR_MS, evidence, seasonal
from tests.unit.stream.verify.alerted import COUNTING, END_MS, ONE, PARTITIONS, Alerted, Sent, alerted, traffic

ALERT_SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[4] / "schemas" / "alert.schema.json").read_text(encoding="utf-8"))
)

# A row every 250 ms on each partition; then some that come when their pane has closed.
STEADY = [(p, Sent(at)) for at in range(0, 10_000, 250) for p in range(2)]
WITH_LATE = [*STEADY[:20], (0, Sent(100)), (0, Sent(900)), (1, Sent(1_200)), *STEADY[20:]]


def results(verified: list[Verified]) -> set[str]:
    return {str(one.result) for one in verified}


@given(traffic, st.sets(st.integers(0, 40), max_size=4))
def test_every_alert_is_equal_to_its_recount_whatever_came_and_whoever_died(
    messages: list[tuple[int, Sent]], crashes: set[int]
) -> None:
    found = asyncio.run(alerted(messages, crash_before=crashes.__contains__).verified())
    assert [one.differences for one in found if one.result is not Result.EQUAL] == []


async def test_what_is_verified_has_alerts_of_every_kind_that_counts_rows() -> None:
    found = await alerted(WITH_LATE).verified()
    assert results(found) == {"equal"}
    assert {one.alert["labels"]["check"] for one in found} == {"psi", "latency_sla", "error_rate"}
    assert {one.alert["status"] for one in found} == {"firing", "resolved"}
    assert max(one.recount.late for one in found if one.recount) > 0
    assert {name for one in found if one.recount for name in one.recount.spans} == {str(p) for p in PARTITIONS}


async def test_a_window_over_two_hours_is_compared_with_the_same_mixture_of_them() -> None:
    # The first window of three seconds that is whole begins a second before the hour.
    over = [(p, Sent(at)) for at in range(NEXT_HOUR_MS - 1_000, NEXT_HOUR_MS + 8_000, 250) for p in range(2)]
    found = await alerted(over, of=seasonal(), end_ms=NEXT_HOUR_MS + END_MS).verified()
    assert results(found) == {"equal"}
    of_x = [one.alert for one in found if one.alert["labels"]["subject"] == "x"]
    mixtures = {tuple(alert["evidence"]["bins"]["baseline"][:4]) for alert in of_x}
    assert any(sum(n > 0 for n in mixture) == 2 for mixture in mixtures)  # of hours with all rows in one bin each


async def test_every_subject_of_a_group_is_counted_again() -> None:
    grouped = alerted(WITH_LATE, alerts=AlertRules(group_above=1))
    told = [a for a in grouped.alerts if a["labels"]["subject"] == "*"]
    assert max(len(a["evidence"]["subjects"]) for a in told) > 1
    assert results(await grouped.verified()) <= {"equal", "nothing"}  # the last message of a group states no number
    told[0]["evidence"]["subjects"][-1]["value"] += 0.001
    (found,) = [one for one in await grouped.verified() if one.alert is told[0]]
    assert (found.result, len(found.differences)) == (Result.UNEQUAL, 1)


async def test_alerts_of_the_budget_and_on_segments_are_equal_too() -> None:
    found = await alerted(WITH_LATE, rule=BUDGET).verified()
    assert results(found) == {"equal"}
    assert {one.alert["labels"]["check"] for one in found} == {"psi", "latency_sla", "error_rate"}
    assert {one.alert["labels"]["segment"] for one in found} >= {"", "c=a"}
    assert any("the budget allows" in one.alert["annotations"]["description"] for one in found)


async def test_what_was_learned_from_live_windows_is_taken_from_the_alert_that_rests_on_it() -> None:
    # For 27 windows scores are as in the baseline, then every second one is 0.9.
    steady = [(p, Sent(at)) for at in range(0, 81_000, 250) for p in range(2)]
    shifted = [(p, Sent(at, "array")) for at in range(81_000, 90_000, 60) for p in range(2)]
    served = alerted([*steady, *shifted], rule=BUDGET)
    found = await served.verified()
    assert results(found) == {"equal"}
    resting = [one.alert for one in found if "live" in one.alert["evidence"]]
    assert {(a["labels"]["subject"], a["evidence"]["live"]["blocks"]) for a in resting} == {("score", 24)}
    resting[0]["evidence"]["live"]["overdispersion"] = 0.5
    assert (await served.verifier().verify(resting[0])).result is Result.UNEQUAL


async def test_a_breach_by_its_size_alone_says_so_in_words_and_is_equal_too() -> None:
    """x wanders into and out of its first bin, but never went as far as to have all rows there."""
    out_of_first = tuple(x / 12**0.5 for x in (3, -1, -1, -1, 0, 0))
    wanders = SeriesEvidence(
        spreads=(2.0,), directions=(out_of_first,), blocks=168, block_rows=24.0, tail_start=2.0, farthest_psi=0.1
    )
    known = msgspec.structs.replace(evidence(3_000, 168), stored=(wanders, SeriesEvidence(), SeriesEvidence()))
    found = await alerted(STEADY, rule=BUDGET, of=msgspec.structs.replace(ONE, evidence=(known,))).verified()
    assert results(found) == {"equal"}
    of_x = [one.alert for one in found if one.alert["labels"]["subject"] == "x" and not one.alert["labels"]["segment"]]
    fired = [alert for alert in of_x if alert["status"] == "firing"]
    assert fired
    for alert in of_x:
        ALERT_SCHEMA.validate(alert)
        assert ("far" in alert["evidence"]) == (alert in fired)
    for alert in fired:
        far = alert["evidence"]["far"]
        farthest = 0.1 * max(24 / alert["evidence"]["n"], 1.0)  # of a window that has so few rows
        assert far["times"] == pytest.approx(alert["evidence"]["psi_corrected"] / farthest)
        assert far["words"] == f"{far['times']:.2g} times the PSI of any healthy window"
        assert f"; {far['words']}, which is enough, though p = " in alert["annotations"]["description"]
        assert alert["evidence"]["p_value"] > alert["evidence"]["level"]


async def test_how_alike_answers_are_is_taken_from_the_alert_that_rests_on_it() -> None:
    # For 27 windows a burst in every second one, the rest is quick; then all are slow.
    kinds = {True: "one", False: "quick"}
    learned = [(p, Sent(at, kinds[at % 6_000 >= 5_000])) for at in range(0, 81_000, 250) for p in range(2)]
    served = alerted([*learned, *((p, Sent(at)) for at in range(81_000, 90_000, 250) for p in range(2))], rule=BUDGET)
    found = await served.verified()
    assert results(found) == {"equal"}
    resting = [one.alert for one in found if one.alert["evidence"].get("overdispersion")]
    assert {a["labels"]["check"] for a in resting} == {"latency_sla"}
    resting[0]["evidence"]["overdispersion"] /= 2
    assert (await served.verifier().verify(resting[0])).result is Result.UNEQUAL


async def test_the_rows_of_a_window_are_counted_and_no_others() -> None:
    (first, *_) = await alerted(STEADY).verified()
    assert first.recount is not None
    assert (first.recount.rows, first.alert["evidence"]["n"]) == (24, 24)  # 3 s, 4 a second, 2 partitions
    assert first.recount.spans["predictions/0"].next - first.recount.spans["predictions/0"].first == 12


def field_of(alert: dict[str, Any], *path: Any) -> tuple[Any, Any]:
    """The container of a field, and the name in it."""
    for name in path[:-1]:
        alert = alert[name]
    return alert, path[-1]


@pytest.mark.parametrize(
    "path",
    [
        ("value",),
        ("evidence", "n"),
        ("evidence", "bins", "current", 0),
        ("evidence", "bins", "baseline", 1),
        ("evidence", "kl_nats"),
        ("evidence", "sources", "predictions/0", 1),
    ],
    ids=str,
)
async def test_a_number_that_was_tampered_with_is_named(path: tuple[Any, ...]) -> None:
    of_traffic = alerted(STEADY)
    alert = copy.deepcopy(next(a for a in of_traffic.alerts if a["labels"]["check"] == "psi"))
    container, name = field_of(alert, *path)
    container[name] += 1
    found = await of_traffic.verifier().verify(alert)
    assert found.result is Result.UNEQUAL
    told = ".".join(str(p) for p in path).replace(".0", "[0]").replace(".1", "[1]")
    assert told in [d.field for d in found.differences]


async def test_a_row_that_was_not_counted_is_found() -> None:
    of_traffic = alerted(STEADY)
    psi = next(a for a in of_traffic.alerts if a["labels"]["check"] == "psi")
    first, after = psi["evidence"]["sources"]["predictions/0"]
    records = of_traffic.log.records[PARTITIONS[0]]
    records[first + 1] = replace(records[first + 1], value=b"{oops")
    assert after > first + 2
    found = await of_traffic.verifier().verify(psi)
    assert ("evidence.n", 24, 23) in [tuple(d) for d in found.differences]


async def test_what_retention_has_cut_is_said_with_its_size() -> None:
    of_traffic = alerted(STEADY)
    (first, after) = of_traffic.alerts[0]["evidence"]["sources"]["predictions/1"]
    await of_traffic.log.trim(PARTITIONS[1], first + 5)
    found = await of_traffic.verifier().verify(of_traffic.alerts[0])
    assert (found.result, found.reason) == (
        Result.CANNOT,
        f"predictions/1 is kept from offset {first + 5} on only: retention has cut away 5 of the offsets "
        f"[{first}, {after})",
    )


@pytest.mark.parametrize("which", ["first", "last"])
async def test_an_offset_that_was_counted_and_is_gone_means_another_log(which: str) -> None:
    of_traffic = alerted(STEADY)
    first, after = of_traffic.alerts[0]["evidence"]["sources"]["predictions/0"]
    of_traffic.log.skip(PARTITIONS[0], first if which == "first" else after - 1)
    found = await of_traffic.verifier().verify(of_traffic.alerts[0])
    assert found.result is Result.CANNOT
    assert "the topic was made anew, or was compacted" in found.reason


async def test_a_topic_that_was_made_anew_is_not_the_one_that_was_counted() -> None:
    of_traffic = alerted(STEADY)
    of_traffic.log.recreate(PARTITIONS[0])
    assert {one.result for one in await of_traffic.verified()} == {Result.CANNOT}


async def test_without_the_baseline_or_with_another_it_cannot_be_said() -> None:
    of_traffic = alerted(STEADY)
    (gone, *_) = await of_traffic.verified(find_baseline=lambda _: None)
    assert (gone.result, gone.reason) == (Result.CANNOT, f"baseline {ONE.id} is not in the baselines topic any more")
    (other, *_) = await of_traffic.verified(find_baseline=lambda _: baseline(1, edges=(0.1, 0.9)))
    assert other.result is Result.CANNOT
    assert "the registry is not the one that it was counted with" in other.reason


async def test_other_limits_than_those_of_the_time_are_seen_as_a_difference() -> None:
    of_traffic = alerted(STEADY)
    of_traffic.judging = replace(of_traffic.judging, psi=limits(0.5, 0.6), latency=None)
    psi = next(a for a in of_traffic.alerts if a["labels"]["check"] == "psi")
    found = await of_traffic.verifier().verify(psi)
    assert {d.field for d in found.differences} == {"threshold", "annotations.summary"}
    latency = next(a for a in of_traffic.alerts if a["labels"]["check"] == "latency_sla")
    unchecked = await of_traffic.verifier().verify(latency)
    assert unchecked.result is Result.CANNOT
    assert "give the one of that time by -c" in unchecked.reason


def edited(alert: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {**alert, "labels": {**alert["labels"], **labels}}


async def test_what_has_no_rows_says_so() -> None:
    of_traffic: Alerted = alerted(STEADY)
    alert, verifier = of_traffic.alerts[0], of_traffic.verifier()
    lost = await verifier.verify(edited(alert, check="input_lost"))
    assert (lost.result, lost.reason) == (
        Result.CANNOT,
        "it says that input is gone: what retention cut away cannot be read again",
    )
    unwatched = {**alert, "evidence": {k: v for k, v in alert["evidence"].items() if k != "sources"}}
    assert (await verifier.verify(unwatched)).result is Result.NOTHING


async def test_the_alert_carries_its_counting_settings_whole() -> None:
    (alert, *_) = alerted(STEADY).alerts
    assert msgspec.convert(alert["evidence"]["counting"], type(COUNTING)) == COUNTING
