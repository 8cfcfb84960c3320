"""What a partition is counted with: each definition from its own pane on, a predecessor beside it for a while."""

import pytest

from stream.count.plan import ActivePlan
from stream.errors import CallerError
from stream.ingest.plan import Plan
from stream.ingest.settings import IngestSettings
from stream.records.partial import NO_TIME
from stream.records.prediction import ModelKey
from tests.small_model import Worker, baseline, plan, settings

KEY = ModelKey("m", "0")
WINDOW_MS = 3_000
ONE, TWO, THREE = (baseline(n, edges=(n / 10,)) for n in (1, 2, 3))
WORKER = Worker(ONE, TWO, THREE)


def active() -> ActivePlan:
    return ActivePlan(IngestSettings(), [], WORKER.find)


def numbers(of: ActivePlan) -> list[tuple[int, int, int | None]]:
    """Baseline number, from, until of each definition in force."""
    return [(a.definition.baseline.number, a.model.from_ms, a.model.until_ms) for a in of.active]


def test_the_first_definition_counts_every_pane_if_no_event_came_before() -> None:
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    assert numbers(of) == [(1, NO_TIME, None)]


def test_a_definition_counts_panes_that_begin_after_the_newest_event() -> None:
    #   newest event 5_400
    #        |
    #  [5_000 . )[6_000    )      the pane of 5_400 began before
    of = active()
    of.activate(plan(ONE), newest_event_ms=5_400)
    assert numbers(of) == [(1, 5_401, None)]


def test_a_promotion_keeps_the_predecessor_for_two_windows() -> None:
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    of.activate(plan(TWO), newest_event_ms=9_999)
    assert numbers(of) == [(1, NO_TIME, 10_000 + 2 * WINDOW_MS), (2, 10_000, None)]
    assert of.newest[KEY].definition.baseline is TWO
    assert of.predecessors[KEY].definition.baseline is ONE


def test_the_predecessor_retires_when_its_last_pane_has_closed() -> None:
    #  until 16_000: the last pane is [15_000, 16_000)
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    of.activate(plan(TWO), newest_event_ms=9_999)
    assert of.retire(newest_event_ms=15_999) == []
    assert [a.definition.baseline.number for a in of.retire(newest_event_ms=16_000)] == [1]
    assert numbers(of) == [(2, 10_000, None)]
    assert of.predecessors == {}


def test_of_three_baselines_within_a_window_the_first_is_forgotten() -> None:
    of = active()
    for newest, one in ((NO_TIME, ONE), (9_999, TWO), (10_999, THREE)):
        of.activate(plan(one), newest_event_ms=newest)
    assert [n for n, _, _ in numbers(of)] == [2, 3]


def test_a_worker_that_has_read_less_of_the_registry_does_not_turn_time_back() -> None:
    of = active()
    of.activate(plan(TWO), newest_event_ms=NO_TIME)
    assert not of.wants(plan(ONE))
    of.activate(plan(ONE), newest_event_ms=9_999)
    assert numbers(of) == [(2, NO_TIME, None)]


def test_other_settings_of_the_same_baseline_are_another_definition() -> None:
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    longer = plan(ONE, counting=settings(pane_ms=2_000))
    assert of.wants(longer)
    of.activate(longer, newest_event_ms=9_999)
    assert len({a.definition.id for a in of.active}) == 2


def test_settings_taken_back_within_the_window_go_on_with_what_was_counted_all_along() -> None:
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    of.activate(plan(ONE, counting=settings(pane_ms=2_000)), newest_event_ms=9_999)
    of.activate(plan(ONE), newest_event_ms=10_999)
    assert [(a.model.settings.pane_ms, a.model.from_ms) for a in of.active] == [(2_000, 10_000), (1_000, NO_TIME)]
    assert of.newest[KEY].model.until_ms is None


def test_activating_again_what_was_activated_at_an_offset_changes_nothing() -> None:
    # So happens when an `@` is written at the offset of two activations, and read again.
    of = active()
    plans = [plan(ONE), plan(ONE, counting=settings(pane_ms=2_000))]
    of.activate(plans[0], newest_event_ms=NO_TIME)
    of.activate(plans[1], newest_event_ms=9_999)
    restored = ActivePlan(of.ingest, of.models, WORKER.find)
    for again in plans:
        restored.activate(again, newest_event_ms=9_999)
    assert restored.models == of.models


def test_an_equal_plan_wants_nothing() -> None:
    of = active()
    of.activate(plan(ONE), newest_event_ms=NO_TIME)
    assert not of.wants(plan(ONE))
    assert of.wants(Plan(IngestSettings(unknown_models="ignore"), plan(ONE).models))


def test_models_do_not_touch_each_other() -> None:
    other = baseline(1, model="k")
    worker = Worker(ONE, TWO, other)
    of = ActivePlan(IngestSettings(), [], worker.find)
    of.activate(plan(ONE, other), newest_event_ms=NO_TIME)
    of.activate(plan(TWO, other), newest_event_ms=9_999)
    assert [(a.definition.baseline.id, a.model.until_ms is None) for a in of.active] == [
        ("m@0#1", False),
        ("m@0#2", True),
        ("k@0#1", True),
    ]


def test_partitions_share_the_definition_itself() -> None:
    one, other = active(), active()
    for of in (one, other):
        of.activate(plan(ONE), newest_event_ms=NO_TIME)
    assert one.active[0].definition is other.active[0].definition


def test_a_baseline_that_is_gone_is_refused_with_its_name() -> None:
    with pytest.raises(CallerError, match="m@0#9 is in use but no longer in the baselines topic"):
        active().activate(plan(baseline(9)), newest_event_ms=NO_TIME)
