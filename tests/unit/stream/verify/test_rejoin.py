"""Alerts on labels: the pairs are joined again from the start of the join's log, and the message made anew."""

import copy
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from stream.alerts.rules import PerformanceRules
from stream.baselines.baseline import Baseline
from stream.ingest.settings import IngestSettings
from stream.records.outcome import PerformanceDefinition
from stream.records.settings import SegmentSettings
from stream.records.source import Message, Source
from stream.verify.claim import LabelClaim, claim_of
from stream.verify.rejoin import Join, Joins
from stream.verify.verifier import Result, Verified, Verifier
from tests.memory_log import MemoryLog
from tests.unit.stream.evaluate.labels import BINS, START_S, Labels, binary_baseline, definition, value_baseline
from tests.unit.stream.evaluate.test_healthy_performance import wandering
from tests.unit.stream.evaluate.test_segment_labels import CUT, Raw, introduced, known
from tests.unit.stream.join.outcomes import OUTCOMES, L, P, batch, join, labels, predictions

STEP_S = 5
UNTIL_S = 300
WORSE_FROM_S = 150  # from then on the answers are noise
PER_STEP = 40
EASY = PerformanceRules()


def rules() -> PerformanceRules:
    assert EASY.auc is not None
    assert EASY.mae is not None
    return replace(EASY, auc=replace(EASY.auc, min_samples=50), mae=replace(EASY.mae, min_samples=50))


@dataclass
class Joined:
    """A join's log, and the alerts of an evaluate that heard the join."""

    log: MemoryLog
    evaluate: Labels
    segments: dict[str, SegmentSettings] = field(default_factory=dict)

    async def verified(self, alert: dict[str, Any] | None = None, **changes: Any) -> list[Verified]:
        """All alerts on labels, or one."""
        verifier = Verifier(
            log=self.log,
            joins=Joins(self.log, self.claims),
            find_baseline=self.evaluate.worker.find,
            settings_of=self.evaluate.settings_of,
            ingest=IngestSettings(),
            segments_of=lambda _: self.segments,
            joins_labels=lambda _: True,
        )
        return [await replace(verifier, **changes).verify(one) for one in ([alert] if alert else self.alerts)]

    @property
    def claims(self) -> list[LabelClaim]:
        """What they say of the log."""
        found = (claim_of(alert) for alert in self.alerts)
        return [claim for claim in found if isinstance(claim, LabelClaim)]

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Those that state a number."""
        return [alert for alert in self.evaluate.alerts if "outcomes" in alert["evidence"]]


def joined(of: Baseline, *, crashes: bool = False, at_once: bool = False) -> Joined:
    """Predictions every step; labels up to 20 s later, a fifth of them corrected.

    With `at_once` all predictions are one record and all labels another, as after a long time down: the second closes
    every pane, tells of it, and lets go of most.
    """
    random, known = np.random.default_rng(3), definition(of, max_waiting=10_000)
    rows: dict[int, list[P | L]] = defaultdict(list)
    for number in range(UNTIL_S // STEP_S * PER_STEP):
        at = number // PER_STEP * STEP_S
        payload, value = _answer(random, known, noise=at >= WORSE_FROM_S)
        rows[at].append(P(number + 1, START_S + at, payload, known))
        arrives = at + int(random.integers(0, 20))
        if random.random() < 0.2:
            rows[arrives // STEP_S * STEP_S].append(L(number + 1, START_S + arrives, 1 - value if value < 2 else 9.0))
            arrives += 1
        rows[arrives // STEP_S * STEP_S].append(L(number + 1, START_S + arrives, value))
    log, fold, of_predictions, of_labels = MemoryLog(), join(partials=1), predictions(), labels()
    evaluate = Labels(of, rules=rules())
    if at_once:
        every = [row for at in sorted(rows) for row in rows[at]]
        rows = defaultdict(list, {UNTIL_S + 60: every})
    for at in (UNTIL_S + 60,) if at_once else range(0, UNTIL_S + 60, STEP_S):
        reached = START_S + at + STEP_S
        for record in (
            of_predictions.say(*(row for row in rows[at] if isinstance(row, P)), watermark_s=reached),
            of_labels.say(*(row for row in rows[at] if isinstance(row, L)), watermark_s=reached),
        ):
            log.put(OUTCOMES, record)
            fold.fold(batch([record], fold.next_offset))
            for outgoing in fold.outputs():
                evaluate.hears(outgoing.value or b"")
                if crashes:
                    evaluate.crash()
    return Joined(log, evaluate)


def _answer(random: np.random.Generator, known: PerformanceDefinition, *, noise: bool) -> tuple[float, float]:
    """What was predicted and what came."""
    if known.task == "regression":
        estimate = float(random.integers(50, 150))
        return estimate, estimate + float(random.normal(0, 60 if noise else 2))
    score = int(random.integers(0, BINS))
    return score, float(random.random() < (0.5 if noise else (score + 0.5) / BINS))


@pytest.mark.parametrize(("of", "check"), [(binary_baseline(), "auc"), (value_baseline(), "mae")])
async def test_alerts_on_labels_are_equal_to_what_is_joined_again(of: Baseline, check: str) -> None:
    found = joined(of, crashes=True)
    verified = await found.verified()
    assert {one.alert["labels"]["check"] for one in verified} >= {check}
    assert [(one.result, one.differences) for one in verified if one.result is not Result.EQUAL] == []
    (first, *_) = verified
    assert first.recount is not None
    assert first.recount.rows == first.alert["evidence"]["n"] > 100
    assert first.recount.messages == first.alert["evidence"]["outcomes"][str(OUTCOMES)]


async def test_alerts_held_against_healthy_windows_of_the_baseline_are_equal_too() -> None:
    verified = await joined(wandering(deviation=0.2, windows=30)).verified()
    assert {one.alert["evidence"]["healthy"]["windows"] for one in verified} == {30}
    assert [(one.result, one.differences) for one in verified if one.result is not Result.EQUAL] == []


async def test_what_live_windows_taught_is_taken_from_the_alert_that_rests_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("UNTIL_S", 960), ("WORSE_FROM_S", 840)):
        monkeypatch.setattr(f"{__name__}.{name}", seconds)
    found = joined(binary_baseline())
    taught = [alert for alert in found.alerts if alert["evidence"]["healthy"] is not None]
    assert {alert["evidence"]["healthy"]["windows"] for alert in taught} == {24}
    verified = await found.verified()
    assert [(one.result, one.differences) for one in verified if one.result is not Result.EQUAL] == []


async def test_alerts_of_windows_that_one_record_has_closed_long_ago_are_equal_too() -> None:
    found = joined(binary_baseline(), at_once=True)
    verified = await found.verified()
    assert {tuple(one.alert["evidence"]["outcomes"].values()) for one in verified} == {(2,)}
    assert len({one.alert["evidence"]["window"]["end"] for one in verified}) > 1
    (join, *_) = [await Joins(found.log, found.claims).at(OUTCOMES, 2)]
    assert isinstance(join, Join)
    starts = {key.start_ms for key in join.fold.registers.panes if not key.cohort}
    assert min(claim.start_ms for claim in found.claims) < min(starts)  # those panes are gone
    assert [(one.result, one.differences) for one in verified if one.result is not Result.EQUAL] == []


async def test_a_label_more_or_less_is_found() -> None:
    found = joined(binary_baseline())
    alert = copy.deepcopy(found.alerts[0])
    alert["evidence"]["outcomes"][str(OUTCOMES)] -= 4
    (fewer,) = await found.verified(alert)
    assert fewer.result is Result.UNEQUAL
    assert {"value", "evidence.n"} <= {d.field for d in fewer.differences}
    alert = copy.deepcopy(found.alerts[0])
    alert["evidence"]["bins"]["positives"][0] += 1
    (more,) = await found.verified(alert)
    assert [d.field for d in more.differences] == ["evidence.bins.positives[0]"]


async def test_alerts_in_the_order_of_their_offsets_take_one_pass_and_others_are_right_too() -> None:
    found, started = joined(binary_baseline()), []
    last = max(alert["evidence"]["outcomes"][str(OUTCOMES)] for alert in found.alerts)

    class Counted(MemoryLog):
        async def read(self, source: Source, start: int) -> AsyncGenerator[Message, None]:
            started.append(start)
            async for message in found.log.read(source, start):
                yield message

    log = Counted()
    log.records, joins = found.log.records, Joins(log, found.claims)
    for following in (10, last, last, 20):
        one = await joins.at(OUTCOMES, following)
        assert isinstance(one, Join)
        assert one.fold.next_offset == following
    assert started == [0, 10, last, 0]


async def test_a_trimmed_log_cannot_say() -> None:
    found = joined(binary_baseline())
    await found.log.trim(OUTCOMES, 3)
    (one, *_) = await found.verified()
    assert one.result is Result.CANNOT
    assert "is kept from offset 3 on only: it is trimmed when nothing needs it any more" in one.reason


async def test_without_its_log_baseline_or_definition_it_cannot_be_said() -> None:
    found = joined(binary_baseline())
    (no_baseline, *_) = await found.verified(find_baseline=lambda _: None)
    assert (no_baseline.result, "is not in the baselines topic any more" in no_baseline.reason) == (Result.CANNOT, True)
    alert = copy.deepcopy(found.alerts[0])
    alert["evidence"]["definition"] = "0" * 16
    (of_classes,) = await found.verified(alert)
    assert (of_classes.result, "of several classes" in of_classes.reason) == (Result.CANNOT, True)
    found.log.recreate(OUTCOMES)
    (gone, *_) = await found.verified()
    assert (gone.result, "it was made anew" in gone.reason) == (Result.CANNOT, True)


async def test_alerts_on_the_labels_of_a_segment_are_equal_too() -> None:
    of, raw = known(), Raw(1, 2_400)
    log, fold, of_predictions, of_labels = MemoryLog(), join(partials=1), predictions(), labels()
    evaluate = Labels(of, rules=rules())
    introduced(evaluate, of, **CUT)
    for step in range(UNTIL_S // STEP_S):
        reached = START_S + (step + 1) * STEP_S
        for record in (
            of_predictions.say(*(row for row in raw.rows[step] if isinstance(row, P)), watermark_s=reached),
            of_labels.say(*(row for row in raw.rows[step] if isinstance(row, L)), watermark_s=reached),
        ):
            log.put(OUTCOMES, record)
            fold.fold(batch([record], fold.next_offset))
            for outgoing in fold.outputs():
                evaluate.hears(outgoing.value or b"")
    verified = await Joined(log, evaluate, CUT).verified()
    assert {one.alert["labels"]["segment"] for one in verified} == {"", "plan=free"}
    assert [(one.reason, one.differences) for one in verified if one.result is not Result.EQUAL] == []
