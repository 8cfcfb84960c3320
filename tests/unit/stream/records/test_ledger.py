"""Every prediction is exactly one of counted, late, ignored, dead."""

from stream.records.ledger import Ledger


def test_the_balance_is_what_has_vanished() -> None:
    ledger = Ledger(received=10, counted=4, late=3, ignored=1, dead={"not_json": 1}, lost=99)
    assert ledger.balance() == 1
    ledger.dead["future"] = 1
    assert ledger.balance() == 0


def test_two_partitions_together_are_the_sum_of_each_entry() -> None:
    one = Ledger(received=5, counted=2, late=1, ignored=1, dead={"b": 1}, lost=1)
    other = Ledger(received=3, counted=1, dead={"b": 1, "a": 1}, lost=2)
    both = one.plus(other)
    assert both == Ledger(received=8, counted=3, late=1, ignored=1, dead={"a": 1, "b": 2}, lost=3)
    assert both == other.plus(one)
    assert both.balance() == one.balance() + other.balance() == 0


def test_two_ledgers_do_not_share_their_reasons() -> None:
    Ledger().dead["not_json"] = 1
    assert Ledger().dead == {}
