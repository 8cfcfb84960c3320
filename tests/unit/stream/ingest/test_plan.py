"""What a worker would let take effect, and which baselines that needs."""

import msgspec

from stream.ingest.plan import Plan, Proposals, not_read_yet
from tests.small_model import baseline, plan

ONE, TWO, THREE = (baseline(number) for number in (1, 2, 3))


def test_a_plan_that_changes_nothing_is_looked_at_once_until_something_else_is_in_force() -> None:
    wanted = plan(ONE)
    asked: list[Plan] = []

    def changes(of: Plan) -> bool:
        asked.append(of)
        return False

    proposals = Proposals(lambda: wanted)
    assert [proposals.next(changes) for _ in range(3)] == [None, None, None]
    assert len(asked) == 1
    proposals.forget()
    assert (proposals.next(changes), len(asked)) == (None, 2)
    wanted = plan(TWO)
    assert proposals.next(changes) is None
    assert asked[-1] is wanted


def test_a_plan_that_changes_something_is_proposed_as_often_as_it_is_asked_for() -> None:
    proposals = Proposals(lambda: plan(TWO))
    assert [proposals.next(lambda _: True) for _ in range(2)] == [msgspec.msgpack.encode(plan(TWO))] * 2


def test_the_first_baseline_that_is_needed_and_not_read_is_named() -> None:
    known = {ONE.id: ONE}
    activations = [msgspec.msgpack.encode(plan(TWO)), msgspec.msgpack.encode(plan(THREE))]
    assert not_read_yet(plan(ONE).models, [], known.get) is None
    assert not_read_yet(plan(ONE).models, activations, known.get) == TWO.id
    assert not_read_yet(plan(THREE).models, activations, known.get) == THREE.id
