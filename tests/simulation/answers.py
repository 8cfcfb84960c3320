"""The judge of answers themselves: how long they took, whether they failed, and what is told of single slow ones."""

import hashlib
import json
from bisect import bisect_right
from datetime import datetime
from typing import Any

from stream.records.source import Message, Source
from tests.simulation.traffic import HARD_LIMIT_MS, LATENCY_EDGES, LATENCY_WIDTH, MAX_PER_PANE, PANE_MS, SLA_MS
from tests.simulation.truth import Slow, Truths
from tests.simulation.world import World

Told = dict[str, Any]


def told_of_answers(report: dict[str, Any]) -> tuple[int, ...] | None:
    """What a report says of latency and errors; None of a model that is not checked for them."""
    latency, errors = report["latency"], report["operations"]["errors"]
    if latency is None or errors is None:
        assert latency is errors, f"only one of them is told: {report}"
        return None
    longer = latency["violations"], latency["hard_limit"]["violations"]
    return (
        *(latency["n"], *longer, latency["missing"], latency["bad"]),
        *(errors["n"], errors["failed"], errors["bad"]),
    )


def answers_of(counts: list[int]) -> tuple[int, ...] | None:
    """What it must say of a window with these counters behind its series."""
    if not counts:
        return None
    *bins, missing, bad = counts[:LATENCY_WIDTH]
    longer = [sum(bins[bisect_right(LATENCY_EDGES, limit_ms) + 1 :]) for limit_ms in (SLA_MS, HARD_LIMIT_MS)]
    ok, failed, unknown = counts[LATENCY_WIDTH:]
    return sum(bins), *longer, missing, bad, ok + failed, failed, unknown


def is_of_one_answer(message: Message) -> bool:
    """Whether it tells of a single answer; the other messages of the topic tell of windows."""
    return b'"status":"event"' in (message.value or b"")


def slow_answers_are_those_of_the_input(world: World, truths: Truths) -> None:
    """The first of each pane are told, each under its own id and with its rank; none is missing, none is invented.

    A repeat is the same bytes, but where a zombie has activated a baseline at another offset: what it tells is right
    of its own counts, as its partials are.
    """
    found: dict[bytes, set[bytes]] = {}
    for message in world.cluster.records(Source("alerts", 0)):
        if is_of_one_answer(message):
            assert message.key is not None
            assert message.value is not None
            found.setdefault(message.key, set()).add(message.value)
    final = {key: told for source in world.sources for key, told in _all_of(source, truths.final(source).told).items()}
    for key, values in found.items():
        for value in values:
            told = json.loads(value)
            source = _source_of(told)
            expected = _all_of(source, truths.of(source, world.testimony.said[value]).told).get(key)
            assert _compared(told) == expected, f"a slow answer: {_compared(told)} is not {expected}"
    for key, expected in final.items():
        told_of_it = [_compared(json.loads(value)) for value in found.get(key, ())]
        assert expected in told_of_it, f"a slow answer is not told: {expected}, but {told_of_it}"
    if not (world.shape.zombies or world.shape.retention or world.shape.faults.land_late):
        assert found.keys() == final.keys(), f"slow answers that are none: {found.keys() - final.keys()}"
        unequal = [values for values in found.values() if len(values) > 1]
        assert not unequal, f"of one slow answer different things are told: {unequal}"


def _source_of(told: Told) -> Source:
    topic, _, partition = told["evidence"]["source"].partition("/")
    return Source(topic, int(partition))


def _compared(told: Told) -> Told:
    """What brute force knows of a message; times in milliseconds."""
    labels, evidence = told["labels"], told["evidence"]
    names = ("id", "seq", "status", "value", "threshold")
    return {name: told[name] for name in names} | {
        "of": (labels["model"], labels["version"], labels["check"]),
        "times": [_ms(told["startsAt"]), _ms(told["endsAt"])],
        "evidence": evidence | {"pane": {name: _ms(time) for name, time in evidence["pane"].items()}},
    }


def _all_of(source: Source, slow: list[Slow]) -> dict[bytes, Told]:
    """By key, what is told of each."""
    told = [_expected(source, one) for one in slow]
    return {one["id"].encode(): one for one in told}


def _expected(source: Source, slow: Slow) -> Told:
    event_time_ms = slow.prediction.event_time_ms
    assert event_time_ms is not None, "it was counted"
    start_ms = event_time_ms // PANE_MS * PANE_MS
    place = f"{source}/{slow.offset}" + ("" if slow.element is None else f"/{slow.element}")
    of = ("m", "0", "latency_sla_violation")
    identity = json.dumps([*of, place, "", start_ms], separators=(",", ":"))
    evidence = {
        "n": 1, "source": str(source), "offset": slow.offset, "index": slow.element,
        "pane": {"start": start_ms, "end": start_ms + PANE_MS}, "rank": slow.rank, "max_per_pane": MAX_PER_PANE,
    }  # fmt: skip
    return {
        "id": hashlib.sha256(identity.encode()).hexdigest()[:16], "seq": 1, "status": "event",
        "value": slow.prediction.latency, "threshold": HARD_LIMIT_MS, "of": of,
        "times": [event_time_ms, event_time_ms], "evidence": evidence,
    }  # fmt: skip


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1_000)
