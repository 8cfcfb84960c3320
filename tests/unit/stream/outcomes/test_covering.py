"""Covering records: a chain without a hole from one source to every outcomes partition, whatever the checkpoints."""

from itertools import pairwise

import numpy as np
import pytest

from stream.outcomes.covering import (
    MAX_ROWS,
    TELL_EVERY_MS,
    Outbox,
    OutcomesTopic,
    Said,
    is_sampled,
    outcomes_partition,
)
from stream.records.outcome import (
    NO_MODEL,
    Covering,
    Kind,
    OutcomeRows,
    PerformanceDefinition,
    decode_covering,
    joined_rows,
)
from stream.records.source import Source

PARTITIONS = 3
SOURCE = Source("predictions", 1)


def definition(model: str) -> PerformanceDefinition:
    return PerformanceDefinition(
        model, "1", "", "binary", "g", 8, 0.0, 60_000, 3_600_000, f"{model}@1#1", 60_000, 60, 60, True, 100
    )


def rows_at(offsets: list[int], *, seed: int = 0, models: int = 1) -> OutcomeRows:
    dice, n = np.random.default_rng(seed), len(offsets)
    return OutcomeRows(
        hash=dice.integers(1, 1 << 63, n).astype(np.uint64) * np.uint64(2),
        offset=np.array(offsets, np.int64),
        late=dice.random(n) < 0.2,
        time_s=dice.integers(0, 1 << 32, n),
        model=dice.integers(0, models, n),
        payload=dice.integers(0, 2_048, n).astype(np.uint32),
        value=np.zeros(n, np.float32),
    )


def outbox(kind: Kind = Kind.PREDICTIONS) -> Outbox:
    box = Outbox(source=SOURCE, kind=kind, sources=2, to=OutcomesTopic(name="o", partitions=PARTITIONS))
    box.begin_at(10)
    return box


def said(next_offset: int, watermark_ms: int = 0, *, idle: bool = False) -> Said:
    return Said(incarnation=0, next_offset=next_offset, watermark_ms=watermark_ms, idle=idle, early_ms=5_000)


def sent(box: Outbox, what: Said) -> dict[int, list[Covering]]:
    """By partition."""
    found: dict[int, list[Covering]] = {p: [] for p in range(PARTITIONS)}
    for record in box.outgoing(what):
        assert record.value is not None
        found[record.to.partition].append(decode_covering(record.value))
    return found


def test_every_row_arrives_once_in_its_partition_with_its_own_definition() -> None:
    box, rows = outbox(), rows_at(list(range(10, 200)), models=2)
    box.add(rows, [definition("a"), definition("b")])

    coverings = sent(box, said(200))

    arrived = [c.outcome_rows() for cs in coverings.values() for c in cs]
    models = [c.definitions[i].model for cs in coverings.values() for c in cs for i in c.outcome_rows().model.tolist()]
    together = joined_rows(arrived)
    order = np.argsort(together.offset)
    assert together.offset[order].tolist() == rows.offset.tolist()
    for column in ("hash", "late", "time_s", "payload"):
        assert np.array_equal(getattr(together, column)[order], getattr(rows, column)), column
    assert [models[i] for i in order] == ["ab"[i] for i in rows.model.tolist()]
    for partition, cs in coverings.items():
        assert (outcomes_partition(joined_rows([c.outcome_rows() for c in cs]).hash, PARTITIONS) == partition).all()


def test_rows_of_two_batches_keep_their_definitions() -> None:
    box = outbox()
    box.add(rows_at([10]), [definition("a")])
    box.add(rows_at([11], seed=1), [definition("b")])

    coverings = [c for cs in sent(box, said(12)).values() for c in cs if c.rows]

    told = {
        int(o): c.definitions[i].model
        for c in coverings
        for o, i in zip(c.outcome_rows().offset, c.outcome_rows().model, strict=True)
    }
    assert told == {10: "a", 11: "b"}


def test_the_chain_of_each_partition_has_no_hole_over_checkpoints_without_rows_for_it() -> None:
    box = outbox()
    chains: dict[int, list[Covering]] = {p: [] for p in range(PARTITIONS)}
    for step in range(30):
        begin, end = 10 + 3 * step, 13 + 3 * step
        box.add(rows_at([begin + 1], seed=step), [definition("a")])
        for partition, cs in sent(box, said(end, watermark_ms=0)).items():
            chains[partition] += cs

    for chain in chains.values():
        assert len(chain) < 30, "a partition without rows is not told of every checkpoint"
        assert chain[0].begin == 10
        assert all(before.end == after.begin for before, after in pairwise(chain))


def test_all_partitions_hear_of_a_watermark_that_moves_and_of_silence() -> None:
    box = outbox()

    assert all(sent(box, said(10, 0)).values())
    assert not any(sent(box, said(11, TELL_EVERY_MS - 1)).values())
    assert all(sent(box, said(12, TELL_EVERY_MS)).values())
    assert all(sent(box, said(12, TELL_EVERY_MS, idle=True)).values())
    assert not any(sent(box, said(12, TELL_EVERY_MS, idle=True)).values())


def test_many_rows_become_several_records_and_the_watermark_comes_with_the_last() -> None:
    box = outbox()
    offsets = np.sort(np.random.default_rng(1).integers(10, 50_000, 5 * MAX_ROWS)).tolist()
    box.add(rows_at(offsets), [definition("a")])

    for cs in sent(box, said(50_000, 77)).values():
        assert len(cs) >= 2
        assert all(c.rows <= MAX_ROWS for c in cs)
        assert all(before.end == after.begin for before, after in pairwise(cs))
        assert [c.watermark_ms == 77 for c in cs] == [False] * (len(cs) - 1) + [True]
        for c in cs:
            at = c.outcome_rows().offset
            assert ((at >= c.begin) & (at < c.end)).all()


def test_a_second_link_is_not_sent_before_the_first_has_arrived() -> None:
    """Else the first thing that a join hears of a source could be its second record, and the first be lost for good."""
    box = outbox()
    box.add(rows_at(list(range(10, 4 * MAX_ROWS))), [definition("a")])

    records = box.outgoing(said(4 * MAX_ROWS))

    begins = [(decode_covering(r.value or b"").begin, r.after_others) for r in records]
    assert {after for begin, after in begins if begin == 10} == {False}
    assert {after for begin, after in begins if begin > 10} == {True}


def test_one_message_with_more_rows_than_a_record_is_not_cut_in_two() -> None:
    box = outbox()
    box.add(rows_at([10] * 4 * MAX_ROWS + [11]), [definition("a")])

    for cs in sent(box, said(12)).values():
        assert {(c.begin, c.end) for c in cs} <= {(10, 11), (11, 12), (10, 12)}
    assert box.covered == [12] * PARTITIONS


def test_a_label_without_a_score_costs_20_bytes_and_keeps_its_value() -> None:
    box = outbox(Kind.LABELS)
    n = 1_000
    values = np.where(np.arange(n) % 3 == 0, np.nan, np.arange(n) % 2).astype(np.float32)
    plain = rows_at(list(range(10, 10 + n)))
    labels = OutcomeRows(
        hash=plain.hash,
        offset=plain.offset,
        late=plain.late,
        time_s=plain.time_s,
        model=np.full(n, NO_MODEL),
        payload=np.zeros(n, np.uint32),
        value=values,
    )
    box.add(labels, [])

    found = [c for cs in sent(box, said(10 + n)).values() for c in cs]

    assert sum(len(c.columns) for c in found) == 20 * n
    together = joined_rows([c.outcome_rows() for c in found])
    assert np.array_equal(together.value[np.argsort(together.offset)], values, equal_nan=True)
    assert set(together.model.tolist()) == {NO_MODEL}


def test_labels_with_and_without_a_score_share_a_record() -> None:
    box = outbox(Kind.LABELS)
    rows = rows_at([10, 11])
    mixed = OutcomeRows(
        hash=np.array([2, 2], np.uint64),
        offset=rows.offset,
        late=rows.late,
        time_s=rows.time_s,
        model=np.array([0, NO_MODEL]),
        payload=np.array([5, 0], np.uint32),
        value=np.array([1, 0], np.float32),
    )
    box.add(mixed, [definition("a")])

    (covering,) = [c for cs in sent(box, said(12)).values() for c in cs if c.rows]

    assert covering.outcome_rows().model.tolist() == [0, NO_MODEL]
    assert covering.outcome_rows().payload.tolist() == [5, 0]


def test_after_a_recovery_the_chain_goes_on_where_it_was_durable() -> None:
    box = outbox()
    box.add(rows_at([10]), [definition("a")])
    sent(box, said(20))
    again = outbox()
    again.covered = list(box.covered)
    again.add(rows_at([25]), [definition("a")])

    begins = {c.begin for cs in sent(again, said(30)).values() for c in cs}

    assert begins <= {10, 20}
    assert set(again.covered) == {30}


def test_nothing_to_say_is_no_record() -> None:
    box = outbox()
    sent(box, said(10))

    assert box.outgoing(said(10)) == []


@pytest.mark.parametrize("sample", [0.1, 0.5])
def test_a_sample_is_unbiased_and_fills_every_partition(sample: float) -> None:
    hashes = np.random.default_rng(3).integers(0, 1 << 63, 100_000).astype(np.uint64) * np.uint64(2)

    chosen = is_sampled(hashes, sample)

    assert chosen.mean() == pytest.approx(sample, abs=0.01)
    homes = np.bincount(outcomes_partition(hashes[chosen], 8), minlength=8)
    assert homes.min() > 0.9 * homes.mean()
    assert is_sampled(hashes, 1.0).all()
