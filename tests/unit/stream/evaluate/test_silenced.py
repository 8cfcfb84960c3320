"""Silences and acknowledgements in the fold: what is silenced moves on and is not told; crashes change no byte."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.alerts.episode import AlertRules, Holds
from stream.alerts.silences import NO_REQUESTS, Acknowledgement, Requests, Silence, matcher_of
from stream.durable.owner import Owner
from stream.evaluate.fold import EvaluateFold
from stream.records.partial import encode_partial, pack_counts
from stream.records.source import Source
from tests.memory_log import MemoryLog, SendFailed
from tests.small_model import START_MS, baseline, numeric
from tests.unit.stream.evaluate.partials import OUTPUTS, PARTIALS, Evaluate, Speaker, part, relative
from tests.unit.stream.evaluate.test_alert_groups import bins

SCHEMAS = Path(__file__).parents[4] / "schemas"
NAMES = "abcdefgh"
ONE = msgspec.structs.replace(baseline(), series=(*map(numeric, NAMES), numeric("score")))
SECOND = 1_000


def silence(*matchers: str, start: int = 0, end: int = 60, silence_id: str = "s1") -> Silence:
    """From and to seconds after START_MS."""
    span = START_MS + SECOND * start, START_MS + SECOND * end
    return Silence(silence_id, tuple(map(matcher_of, matchers)), *span, "ann", "")


class Model:
    """Second by second, features that are all in one bin, or lean to it (in capitals); windows of a second."""

    def __init__(self, *silences: Silence, **holds_s: int) -> None:
        self.evaluate = Evaluate(ONE, window_ms=SECOND)
        holds = Holds(**{f"{name}_ms": SECOND * length for name, length in holds_s.items()})
        self.evaluate.judging = replace(self.evaluate.judging, alerts=AlertRules(holds=holds, group_above=3))
        self.source = Speaker()
        self.definition = self.source.counts_with(ONE)
        self.said = NO_REQUESTS
        self.hears(*silences)

    def hears(self, *silences: Silence, acks: tuple[Acknowledgement, ...] = ()) -> "Model":
        """From the next window on."""
        in_order = tuple(sorted(acks, key=lambda ack: ack.alert))
        self.said = Requests(self.said.read_to + 1, silences, in_order)
        self.evaluate.fold.activate(msgspec.msgpack.encode(self.said))
        return self

    def lives(self, *drifted: str, crashes: bool = False) -> "Model":
        for names in drifted:
            self.evaluate.hears(self.word(names))
            if crashes:
                self.evaluate.crash()
        return self

    def word(self, names: str) -> Any:
        second = self.source.next_offset
        counts = np.zeros(self.definition.layout.width, np.int64)
        for start, name in zip(self.definition.layout.starts, self.definition.layout.names, strict=False):
            counts[start + 1 : start + 5] = bins(name, names)
        pane = msgspec.structs.replace(part(self.definition, SECOND * second, 100), counts=pack_counts(counts))
        return self.source.says(SECOND * (second + 1), [pane])

    @property
    def told(self) -> list[tuple[int, str, str, int]]:
        """Of each message: the second of its window's end, whom it is about, its status and number."""
        return [
            (
                relative(a["evidence"]["window"]["end"]) // SECOND,
                "".join(s["subject"] for s in a["evidence"].get("subjects", [])) or a["labels"]["subject"],
                a["status"],
                a["seq"],
            )
            for a in self.evaluate.alerts
        ]


def test_what_still_fires_when_its_silence_ends_is_told_then() -> None:
    model = Model(silence("subject=a", start=2, end=4)).lives("", "ab", "ab", "ab", "")
    assert model.told == [
        (2, "b", "firing", 1), (4, "a", "firing", 1), (5, "a", "resolved", 2), (5, "b", "resolved", 2),
    ]  # fmt: skip
    (of_a,) = [a for a in model.evaluate.alerts if a["labels"]["subject"] == "a" and a["status"] == "firing"]
    assert relative(of_a["startsAt"]) == 2 * SECOND


def test_what_came_and_went_in_a_silence_is_never_told() -> None:
    model = Model(silence("model=m", end=4)).lives("", "ab", "", "", "")
    assert model.told == []
    assert model.evaluate.progress_of()["episodes"] == {}


def test_what_people_know_to_fire_and_ended_in_a_silence_is_told_when_that_ends() -> None:
    model = Model(silence("subject=a", start=2, end=5)).lives("a", "a", "", "", "", "")
    assert model.told == [(1, "a", "firing", 1), (5, "a", "resolved", 2)]
    ended = model.evaluate.alerts[-1]
    assert (relative(ended["endsAt"]), ended["reason"]) == (3 * SECOND, "recovered")


def test_a_severity_that_changes_in_a_silence_is_told_when_that_ends_if_it_is_still_another() -> None:
    model = Model(silence("severity=critical"))
    assert model.lives("a").told == []  # it is critical


@pytest.mark.parametrize(("first", "then"), [("a", "A"), ("aBCD", "ABCD")])
def test_a_severity_that_fell_in_a_silence_is_told_with_the_next_window_that_has_it(first: str, then: str) -> None:
    model = Model(silence("model=m", start=2, end=4), resolve=2).lives(first, then, then, "", then, "", "")
    assert [(second, status, seq) for second, _, status, seq in model.told] == [
        (1, "firing", 1), (5, "firing", 2), (7, "resolved", 3),
    ]  # fmt: skip
    assert [a["severity"] for a in model.evaluate.alerts] == ["critical", "warning", "warning"]


def test_a_silence_is_heeded_from_the_next_window_on_and_so_is_its_end() -> None:
    model = Model().lives("a").hears(silence("model=m")).lives("ab", "ab")
    assert model.told == [(1, "a", "firing", 1)]
    model.hears(silence("model=m", end=0)).lives("ab")
    assert model.told[1:] == [(4, "b", "firing", 1)]


def test_reports_name_what_is_silenced_and_by_what() -> None:
    model = Model(silence("subject=a", start=2, silence_id="s7")).lives("ab", "abc", "")
    ids = {a["labels"]["subject"]: a["id"] for a in model.evaluate.alerts}
    reports = model.evaluate.reports
    assert reports[1]["alerts_silenced"] == {ids["a"]: "s7"}
    assert ids["a"] in reports[1]["alerts_firing"]  # people know of it
    assert [r["alerts_silenced"] for r in (reports[0], reports[2])] == [{}, {}]
    schema = json.loads((SCHEMAS / "report.schema.json").read_text(encoding="utf-8"))
    for report in reports:
        Draft202012Validator(schema).validate(report)


def test_a_silenced_subject_is_in_no_group() -> None:
    model = Model(silence("subject=a", start=2, end=3)).lives("abcde", "abcde", "abcde", "")
    assert model.told == [(1, "abcde", "firing", 1), (2, "bcde", "firing", 2), (3, "abcde", "firing", 3),
                          (4, "*", "resolved", 4)]  # fmt: skip
    assert Model(silence("subject=a")).lives("abcd").told == [
        (1, "b", "firing", 1), (1, "c", "firing", 1), (1, "d", "firing", 1),
    ]  # fmt: skip


def test_a_group_can_be_silenced_as_a_whole() -> None:
    model = Model(silence("model=m", start=2, end=4)).lives("abcd", "abcde", "abcde", "abcdef", "")
    assert model.told == [(1, "abcd", "firing", 1), (4, "abcdef", "firing", 2), (5, "*", "resolved", 3)]


def acknowledged(alert: str, by: str = "ann") -> Acknowledgement:
    return Acknowledgement(alert, by, START_MS, "mine")


def test_an_acknowledgement_is_the_alerts_next_message() -> None:
    model = Model().lives("a")
    (fired,) = model.evaluate.alerts
    model.hears(acks=(acknowledged(fired["id"]),)).lives("a", "a")
    model.hears(acks=(acknowledged(fired["id"], by="bob"),)).lives("a", "")
    assert [(a["seq"], a["status"], (a["acknowledged"] or {}).get("by")) for a in model.evaluate.alerts] == [
        (1, "firing", None), (2, "firing", "ann"), (3, "firing", "bob"), (4, "resolved", "bob"),
    ]  # fmt: skip
    assert model.evaluate.alerts[1]["acknowledged"] == {"by": "ann", "at": "2001-09-09T01:46:40Z", "comment": "mine"}
    schema = json.loads((SCHEMAS / "alert.schema.json").read_text(encoding="utf-8"))
    for alert in model.evaluate.alerts:
        Draft202012Validator(schema).validate(alert)


def test_a_group_is_acknowledged_by_its_id_and_an_unknown_alert_by_nobody() -> None:
    model = Model().lives("abcd")
    model.hears(acks=(acknowledged(model.evaluate.alerts[0]["id"]), acknowledged("0" * 16))).lives("abcd")
    assert [a["acknowledged"] is not None for a in model.evaluate.alerts] == [False, True]


def test_an_acknowledgement_that_the_topic_has_forgotten_is_still_known() -> None:
    model = Model().lives("a")
    model.hears(acks=(acknowledged(model.evaluate.alerts[0]["id"]),)).lives("a").hears().lives("a", "")
    assert [a["acknowledged"] is not None for a in model.evaluate.alerts] == [False, True, True]


drifts = st.lists(st.sets(st.sampled_from(NAMES), max_size=5).map(lambda names: "".join(sorted(names))), max_size=10)


@settings(max_examples=50, deadline=None)
@given(drifts, st.integers(0, 10), st.integers(0, 6), st.sampled_from(["subject=a", "subject!=a", "model=m"]))
def test_nothing_is_told_in_a_silence_and_everything_after_it(
    drifted: list[str], start: int, length: int, matcher: str
) -> None:
    quiet = silence(matcher, start=start, end=start + length)
    model = Model(quiet, resolve=1).lives(*drifted, "", "", *[""] * 20)
    calm = Model(resolve=1).lives(*drifted, "", "", *[""] * 20)
    for second, subject, *_ in model.told:
        if start <= second < start + length and subject in NAMES and len(subject) == 1:
            assert not quiet.matchers[0].matches({"subject": subject, "model": "m"})
    # In the end nothing fires, and all that was told as firing was told as resolved.
    last = {a["id"]: a["status"] for a in model.evaluate.alerts}
    assert set(last.values()) <= {"resolved"}
    assert [r["checks"] for r in model.evaluate.reports] == [r["checks"] for r in calm.evaluate.reports]
    assert model.evaluate.progress_of()["episodes"] == {}


@pytest.mark.parametrize("matcher", ["subject=a", "model=m", "severity=critical"])
def test_a_crash_after_every_word_changes_no_byte(matcher: str) -> None:
    drifted = ("ab", "abcde", "", "a", "abc", "", "abcdef", "abcdef", "")
    quiet = silence(matcher, start=2, end=7)
    crashed, uncrashed = Model(quiet).lives(*drifted, crashes=True), Model(quiet).lives(*drifted)
    assert crashed.evaluate.sent == uncrashed.evaluate.sent
    assert crashed.evaluate.state() == uncrashed.evaluate.state()


async def test_what_took_effect_at_an_offset_takes_effect_there_again_for_the_next_owner() -> None:
    """The first owner hears of a silence between two words, and dies before a checkpoint; people go on talking."""
    log, model = MemoryLog(), Model()
    for names in ("a", "a", "ab", "abc"):
        log.put(PARTIALS, encode_partial(model.word(names)))
    wanted = [NO_REQUESTS]
    first, second = (owner(log, model, lambda: wanted[0]) for _ in range(2))
    await first.take()
    await first.offer(log.batch(PARTIALS, 0, 2))
    await first.checkpoint()
    wanted[0] = Requests(1, (silence("subject=b"),))
    await first.offer(log.batch(PARTIALS, 2, 4))
    told_by_first = list(first.fold.outputs())
    wanted[0] = Requests(2, (silence("subject=b"), silence("subject=*", silence_id="s2")))
    await second.take()
    await second.offer(log.batch(PARTIALS, 2, 3))
    await second.offer(log.batch(PARTIALS, 3, 4))
    assert list(second.fold.outputs()) == told_by_first
    log.put(PARTIALS, encode_partial(model.word("abcd")))
    await second.offer(log.batch(PARTIALS, 4, 5))
    assert {o.to.topic for o in second.fold.outputs()} == {"reports"}  # now everything is silenced


@pytest.mark.parametrize("seed", range(40))
async def test_no_message_is_ever_told_in_two_ways(seed: int) -> None:
    """Owners die before a checkpoint, in the middle of one, or not; meanwhile people silence and acknowledge."""
    random, log, model, wanted = Random(seed), MemoryLog(), Model(), [NO_REQUESTS]
    mine = owner(log, model, lambda: wanted[0])
    await mine.take()
    for end in range(1, 25):
        log.put(PARTIALS, encode_partial(model.word("".join(random.sample(NAMES, random.choice([0, 0, 1, 2, 5]))))))
        if random.random() < 0.3:
            wanted[0] = said_at_random(random, wanted[0], known_alerts(log))
        await mine.offer(log.batch(PARTIALS, mine.fold.next_offset, end))
        if random.random() < 0.4:
            # Its outputs are written and `@` is not, or nothing is, or all of it.
            log.fail_at = random.choice([log.sends + 2, log.sends + 1, None])
            with suppress(SendFailed):
                await mine.checkpoint()
            log.fail_at = None
        if mine.broken or random.random() < 0.2:
            wanted[0] = said_at_random(random, wanted[0], known_alerts(log))
            mine = owner(log, model, lambda: wanted[0])
            if await mine.take() < end:
                await mine.offer(log.batch(PARTIALS, mine.fold.next_offset, end))
    await mine.checkpoint()
    told: dict[tuple[str, int], bytes] = {}
    for value in log.values(Source("alerts", 0)):
        alert = json.loads(value)
        assert told.setdefault((alert["id"], alert["seq"]), value) == value
    for alert_id in {alert_id for alert_id, _ in told}:
        numbers = [seq for known, seq in told if known == alert_id]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def known_alerts(log: MemoryLog) -> list[str]:
    return sorted({json.loads(value)["id"] for value in log.values(Source("alerts", 0))})


def said_at_random(random: Random, before: Requests, alerts: list[str]) -> Requests:
    """One more silence, or one less, or one more acknowledgement."""
    silences, acks = list(before.silences), {ack.alert: ack for ack in before.acknowledgements}
    if silences and random.random() < 0.4:
        silences.pop(random.randrange(len(silences)))
    elif alerts and random.random() < 0.4:
        alert = random.choice(alerts)
        acks[alert] = Acknowledgement(alert, random.choice(["ann", "bob"]), START_MS, "")
    else:
        about = random.choice([f"subject={random.choice(NAMES)}", "check=psi", "model=m"])
        silences.append(silence(about, silence_id=f"s{before.read_to:02}"))
    return Requests(before.read_to + 1, tuple(silences), tuple(acks[alert] for alert in sorted(acks)))


def owner(log: MemoryLog, model: Model, wanted: Callable[[], Requests]) -> Owner:
    fold = EvaluateFold(
        outputs=OUTPUTS,
        settings_of=lambda _: model.evaluate.judging,
        find_baseline=model.evaluate.worker.find,
        requests=wanted,
    )
    return Owner(fold=fold, log=log, source=PARTIALS, changelog=Source("changelog", 0), learn=_nothing)


async def _nothing(_: str) -> None:
    raise AssertionError("nothing is unknown")
