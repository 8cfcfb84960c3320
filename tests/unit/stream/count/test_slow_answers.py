"""Single answers over the hard limit: told in log order, few of each pane, all counted, the same after every crash."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.baselines.definition import Definition
from stream.count.slow_answers import AlertTopic
from stream.durable.log import Outgoing
from stream.records.alert import alert_id
from stream.records.partial import unpack_counts
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, cuts_of, plan, settings
from tests.unit.stream.count.run import ONE, TWO, Run, closed, settle, taken_whole, worker_of

ROOT = Path(__file__).parents[4]
LIMIT_MS = 2_000
MOST = 2
LIMITED = msgspec.structs.replace(settings(), latency_sla_ms=250, hard_limit_ms=LIMIT_MS, max_per_pane=MOST)

# Steps of time in ms, so that most rows are on time, and latency of each message; a list is an array message.
# On the limit is within it.
one = st.tuples(
    st.sampled_from([-1_500, -300, 0, 0, 200, 500, 900]),
    st.sampled_from([None, "slow", -1, 20, 900, 2_000, 2_000.001, 9_000, 9_000, 9_000, 1e9]),
)
steps = st.lists(one | st.lists(one, min_size=1, max_size=3), min_size=1, max_size=25)
Answer = tuple[int, object]
Answers = list[Any]  # Answer, or a list of them


def times_of(rows: Answers) -> Answers:
    """Each step added to the time before it."""
    now, found = 1_500, []
    for row in rows:
        taken = []
        for step, latency in row if isinstance(row, list) else [row]:
            now = max(now + step, 0)
            taken.append((now, latency))
        found.append(taken if isinstance(row, list) else taken[0])
    return found


answers = steps.map(times_of)


def message(row: Answer) -> dict[str, object]:
    at_ms, latency = row
    return {"model": "m", "ts": START_MS + at_ms, "score": 0.5, "features": {"x": 0.1, "c": "a"}, "latency_ms": latency}


def log_of(rows: Answers) -> MemoryLog:
    log = MemoryLog()
    for row in rows:
        value = [message(r) for r in row] if isinstance(row, list) else message(row)
        log.put(PREDICTIONS, orjson.dumps(value), timestamp_ms=START_MS)
    return log


def told(sent: list[Outgoing]) -> dict[str, dict[str, Any]]:
    """By id; one that comes twice must be the same, to the byte and in its place."""
    found: dict[bytes, Outgoing] = {}
    for output in sent:
        if output.to.topic == "alerts":
            assert output.key is not None
            assert found.setdefault(output.key, output) == output
    return {(key or b"").decode(): orjson.loads(output.value or b"") for key, output in found.items()}


def expected(rows: Answers) -> tuple[list[tuple[int, int | None, int]], int]:
    """Brute force: offset, index and rank of what is told, and how many are over the limit in all."""
    newest, before, found = 0, dict[int, int](), []
    for offset, row in enumerate(rows):
        for index, (at_ms, latency) in enumerate(row if isinstance(row, list) else [row]):
            newest = max(newest, at_ms)
            on_time = at_ms // 1_000 * 1_000 + 1_000 > newest
            if on_time and isinstance(latency, int | float) and latency > LIMIT_MS:
                rank = before[at_ms // 1_000] = before.get(at_ms // 1_000, 0) + 1
                if rank <= MOST:
                    found.append((offset, index if isinstance(row, list) else None, rank))
    return found, sum(before.values())


def places(messages: dict[str, dict[str, Any]]) -> list[tuple[int, int | None, int]]:
    of_all = [m["evidence"] for m in messages.values()]
    return sorted(((e["offset"], e["index"], e["rank"]) for e in of_all), key=lambda p: (p[0], p[1] or 0))


def whole(rows: Answers) -> Run:
    """Taken in one batch, and all panes closed by a message far behind."""
    return taken_whole(log_of([*rows, (100_000, None)]), worker_of(LIMITED))


@given(answers)
def test_the_first_of_each_pane_are_told_and_all_are_counted(rows: Answers) -> None:
    run, (of_all, over) = whole(rows), expected(rows)
    assert places(told(run.sent)) == of_all
    assert run.fold.ledger.over_hard_limit == ({"m": {"0": over}} if over else {})
    layout = Definition(ONE, LIMITED).layout
    total = sum((unpack_counts(counts) for counts in closed(run.sent).values()), np.zeros(layout.width, np.int64))
    assert layout.latency is not None
    assert layout.latency.over_hard_limit(layout.latency_counts(total)) == over


@given(answers, st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)), st.randoms(use_true_random=False))
def test_no_cutting_and_no_crash_tells_anything_else(
    rows: Answers, ends: set[int], crashes: set[int], random: Any
) -> None:
    """An owner sends, and dies before its progress is durable: the next one folds the rows again, cut otherwise."""
    log, worker = log_of(rows), worker_of(LIMITED)
    run = Run(log, worker)
    for start, stop in cuts_of(len(rows), (ends | crashes).__contains__):
        if stop in crashes:
            durable = (run.fold.next_offset, run.fold.progress(), run.fold.live())
            ahead = random.randint(stop, len(rows))
            run.take(start, ahead)
            run.send()
            run.fold = worker.count()
            run.fold.restore(*durable)
        run.take(start, stop)
        run.send()
    assert told(run.sent) == told(whole(rows).sent)
    assert run.fold.ledger.over_hard_limit == whole(rows).fold.ledger.over_hard_limit


@given(answers, st.integers(0, 24))
def test_a_promotion_tells_nothing_twice_and_forgets_nothing(rows: Answers, at: int) -> None:
    """Two definitions count side by side; each pane's answers are told by the one whose pane it is."""
    run = Run(log_of([*rows, (100_000, None)]), worker_of(LIMITED))
    at %= len(rows)
    if at:
        run.take(0, at)
    run.worker.wants = plan(TWO, counting=LIMITED)
    settle(run.fold)
    run.take(at, len(rows) + 1)
    run.send()
    assert told(run.sent) == told(whole(rows).sent)
    assert run.fold.ledger.over_hard_limit == whole(rows).fold.ledger.over_hard_limit


def test_the_message_says_which_answer_and_keeps_the_schema() -> None:
    messages = told(whole([(0, 20), [(1_000, 20), (1_500, 2_500.5)], (1_600, 3_000), (1_700, 3_000)]).sent)
    first, second = sorted(messages.values(), key=lambda m: m["evidence"]["offset"])
    schema = Draft202012Validator(json.loads((ROOT / "schemas" / "alert.schema.json").read_text()))
    for each in (first, second):
        schema.validate(each)
    assert (first["value"], first["threshold"], first["status"], first["severity"]) == (
        2_500.5,
        2_000,
        "event",
        "warning",
    )
    assert first["startsAt"] == first["endsAt"] == "2001-09-09T01:46:41.500Z"
    assert first["labels"] == {
        "alertname": "DriftlineLatencySLAViolation", "model": "m", "version": "0", "check": "latency_sla_violation",
        "subject": "latency", "segment": "",
    }  # fmt: skip
    assert first["annotations"]["summary"] == "an answer took 2500.5 ms, 2000 ms is the hard limit"
    assert first["annotations"]["description"] == (
        "predictions/0/1/1 is number 1 over the limit in the 1 s from 2001-09-09T01:46:41Z on. "
        "Of each partition 2 are told in a pane, and all are counted."
    )
    assert "the last that is told" in second["annotations"]["description"]
    assert first["id"] == alert_id(
        model="m", version="0", check="latency_sla_violation", subject="predictions/0/1/1", segment="",
        first_pane_ms=START_MS + 1_000,
    )  # fmt: skip


def test_a_topic_made_anew_has_answers_of_its_own() -> None:
    """The same offset in another life of the topic is another answer."""
    runs = [Run(log_of([(0, 9_000)]), worker_of(LIMITED)) for _ in range(2)]
    runs[1].fold.set_incarnation(1)
    for run in runs:
        run.take(0, 1)
        run.send()
    one, other = ({(i, m["evidence"]["source"]) for i, m in told(run.sent).items()} for run in runs)
    assert {source for _, source in one | other} == {"predictions/0", "predictions/0~1"}
    assert len({i for i, _ in one | other}) == 2


def test_each_goes_to_the_partition_of_its_key() -> None:
    topic = AlertTopic(name="alerts", partitions=7)
    assert topic.home(b"9f2c0a1b2c3d4e5f") == topic.home(b"9f2c0a1b2c3d4e5f")
    assert len({topic.home(str(i).encode()).partition for i in range(100)}) == 7


@pytest.mark.parametrize("limit_ms", [None, 9_000])
def test_without_the_limit_or_below_it_nothing_is_told(limit_ms: int | None) -> None:
    counting = msgspec.structs.replace(LIMITED, hard_limit_ms=limit_ms)
    worker = worker_of(LIMITED)
    worker.wants = plan(ONE, counting=counting)
    run = Run(log_of([(0, 9_000), (5_000, 9_000)]), worker)
    run.take(0, 2)
    run.send()
    assert told(run.sent) == {}
    assert run.fold.ledger.over_hard_limit == {}


def test_the_limit_is_part_of_the_definition_and_without_it_there_is_no_trace() -> None:
    timed = msgspec.structs.replace(settings(), latency_sla_ms=250)
    assert b"hard_limit" not in timed.identity()
    assert b"max_per_pane" not in timed.identity()
    of_all = [timed, LIMITED, msgspec.structs.replace(LIMITED, max_per_pane=3)]
    assert len({Definition(ONE, one).id for one in of_all}) == 3
    assert Definition(ONE, timed).layout.width == Definition(ONE, LIMITED).layout.width - 1  # an edge more


def test_ledgers_of_partitions_add_up() -> None:
    one, other = (whole([(0, latency)]).fold.ledger for latency in (9_000, 9_001))
    assert one.plus(other).over_hard_limit == {"m": {"0": 2}}
