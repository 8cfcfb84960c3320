"""A definition: what decides what is counted where, under one id."""

import gc
import weakref

import msgspec
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition, shared_definition
from tests.small_model import baseline, settings

SETTINGS = settings()


def test_equal_definitions_have_one_id() -> None:
    one, same = Definition(baseline(), settings()), Definition(Baseline.from_bytes(baseline().to_bytes()), settings())
    assert one.id == same.id
    assert len(one.id) == 16


def test_the_order_of_fields_in_the_configuration_does_not_matter() -> None:
    one = msgspec.structs.replace(SETTINGS, fields={"score": "a", "model": "b"})
    same = msgspec.structs.replace(SETTINGS, fields={"model": "b", "score": "a"})
    assert Definition(baseline(), one).id == Definition(baseline(), same).id


@pytest.mark.parametrize(
    "changed",
    [
        {"pane_ms": 2_000},
        {"allowed_lateness_ms": 1},
        {"max_clock_skew_ms": 1},
        {"fields": {"score": "a"}},
        {"constants": {"model": "m"}},
    ],
)
def test_every_setting_makes_another_definition(changed: dict[str, object]) -> None:
    other = msgspec.structs.replace(SETTINGS, **changed)
    assert Definition(baseline(), other).id != Definition(baseline(), SETTINGS).id


def test_another_baseline_is_another_definition_also_under_the_same_number() -> None:
    assert Definition(baseline(1), SETTINGS).id != Definition(baseline(2), SETTINGS).id
    assert Definition(baseline(1), SETTINGS).id != Definition(baseline(1, edges=(0.5,)), SETTINGS).id


def test_partitions_share_one_definition_of_a_baseline() -> None:
    one = baseline()
    assert shared_definition(one, settings()) is shared_definition(one, settings())
    assert shared_definition(one, settings(2_000)) is not shared_definition(one, settings())


def test_a_baseline_of_the_same_name_with_other_content_is_not_shared() -> None:
    one, other = baseline(1), baseline(1, edges=(0.5,))
    assert shared_definition(one, SETTINGS).id != shared_definition(other, SETTINGS).id


def test_a_definition_that_nobody_uses_is_let_go() -> None:
    definition = weakref.ref(shared_definition(baseline(), SETTINGS))
    gc.collect()
    assert definition() is None
