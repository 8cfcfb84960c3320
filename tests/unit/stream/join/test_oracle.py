"""Random traffic against a join in plain dicts: the ledger, the pairs themselves, and every pane."""

from random import Random

import numpy as np
import pytest

from stream.join.fold import JoinFold
from stream.join.registers import Pairs, Registers
from stream.join.table import LABELLED
from stream.records.outcome import Kind, PerformanceDefinition
from tests.unit.stream.join.oracle import Oracle
from tests.unit.stream.join.outcomes import (
    HOUR,
    MINUTE,
    NAN,
    L,
    P,
    Writer,
    definition,
    join,
    labels,
    panes,
    predictions,
    read,
    restored,
)

T = 1_000_000
TTL = 2 * HOUR
EARLY = 5 * MINUTE
DEFINITIONS = [
    definition("fraud", ttl_s=TTL, revision_s=20 * MINUTE, window_s=30 * 86_400),
    definition("credit", ttl_s=HOUR, revision_s=TTL, dedupe=False, window_s=30 * 86_400),
]
LATER = definition("fraud", ttl_s=HOUR, revision_s=20 * MINUTE + TTL - HOUR, window_s=30 * 86_400)  # other settings


def traffic(random: Random, steps: int) -> list[bytes]:
    """One log: two sources of predictions, two of labels; copies, revisions, retractions, late and early ones."""
    sources = [predictions(p, sources=2) for p in (0, 1)] + [labels(p, sources=2) for p in (0, 1)]
    clocks = dict.fromkeys(sources, T)
    born: list[tuple[int, int, PerformanceDefinition]] = []
    log: list[bytes] = []
    for _ in range(steps):
        source = min(sources, key=lambda s: clocks[s] + random.randrange(3_000))
        clocks[source] += random.randrange(400)
        rows = [_row(random, source, clocks[source], born) for _ in range(random.randrange(6))]
        if born and source.kind is Kind.LABELS and random.random() < 0.03:  # many of one id, in one record
            key, born_at, _ = random.choice(born[-60:])
            rows += [
                L(key, max(0, born_at + t), random.choice([0.0, 1.0, NAN]))
                for t in random.sample(range(-600, TTL + 600), 14)
            ]
        moved = max(clocks[source] - 200, source.watermark_s or 0) if random.random() < 0.7 else None
        late_below = source.watermark_s or 0
        rows = [row._replace(late=row.t < late_below) for row in rows]
        record = source.say(*rows, watermark_s=moved, idle=random.random() < 0.05)
        log.append(record)
        if random.random() < 0.1:
            log.append(random.choice(log[-20:]))  # a zombie says it again
    return log


def _row(random: Random, source: Writer, clock: int, born: list[tuple[int, int, PerformanceDefinition]]) -> P | L:
    t = max(0, clock - random.randrange(200))
    if source.name.startswith("predictions"):
        if born and random.random() < 0.15:
            key, t, of = random.choice(born[-60:])
            t += random.choice([0, 0, 0, random.randrange(3 * HOUR) - HOUR])
            of = random.choice([of, of, of, LATER, *DEFINITIONS])
        else:
            key, of = random.randrange(1, 1 << 62), random.choice([*DEFINITIONS, *DEFINITIONS, LATER])
        born.append((key, t, of))
        return P(key, t, random.randrange(10), of)
    own = None
    if born and random.random() < 0.9:
        key, born_at, own = random.choice(born[-60:])
        t = max(0, random.choice([t, born_at + random.randrange(-600, TTL + 600)]))
    else:
        key = random.randrange(1, 1 << 62)
        if random.random() < 0.5:  # its prediction may come
            born.append((key, t, random.choice(DEFINITIONS)))
    own = own if random.random() < 0.2 else None  # a score of its own; the newest of several stands
    return L(key, t, random.choice([0.0, 1.0, 0.0, 1.0, NAN]), own, random.randrange(10))


def expected_panes(oracle: Oracle, fold: JoinFold) -> dict[tuple[str, bool, int], list[int]]:
    """The oracle's pairs in panes, counted all at once."""
    fresh = JoinFold.__new__(JoinFold)
    fresh.definitions = fold.definitions
    fresh.registers = Registers(fold.definitions, fold.ledger)
    numbers = {d.id: n for n, d in enumerate(fold.definitions.known)}
    for (name, t, label_t, payload, value), times in oracle.pairs.items():
        fresh.registers.count_pairs(_pair(numbers[name], t, label_t, payload, value), times)
    for (name, t, payload), times in oracle.cohorts.items():
        fresh.registers.count_predictions(_pair(numbers[name], t, t, payload, 0.0), times)
    return panes(fresh)


def _pair(number: int, t: int, label_t: int, payload: int, value: float) -> Pairs:
    return Pairs(
        number=np.array([number]),
        time_s=np.array([t]),
        label_time_s=np.array([label_t]),
        payload=np.array([payload]),
        estimate=np.zeros(1, np.uint32),
        value=np.array([value], np.float32),
    )


def joined_pairs(fold: JoinFold) -> dict[int, tuple[int, int, float]]:
    """Every labelled row that is alive."""
    table = fold.waiting.table
    slots = np.flatnonzero(table.key)
    rows = table.rows(slots)
    chosen = fold.waiting.alive(rows) & (rows.state == LABELLED)
    rows, keys = rows.take(chosen), table.key[slots[chosen]].tolist()
    values = zip(rows.time.tolist(), rows.label_time.tolist(), rows.value.tolist(), strict=True)
    return dict(zip(keys, values, strict=True))


def compare(fold: JoinFold, oracle: Oracle) -> None:
    ledger = {name: n for name in oracle.counts if (n := getattr(fold.ledger, name))}
    assert ledger == {name: n for name, n in oracle.counts.items() if n}
    assert joined_pairs(fold) == oracle.joined()
    found, expected = panes(fold), expected_panes(oracle, fold)
    kept = {key for key in found | expected if not is_over(fold, oracle, key)}
    assert {key: found.get(key) for key in kept} == {key: expected.get(key) for key in kept}


def is_over(fold: JoinFold, oracle: Oracle, key: tuple[str, bool, int]) -> bool:
    """Whether a pane is a cohort's that no label can change any more."""
    d = fold.definitions.newest[key[0]]
    return key[1] and key[2] * 1000 + d.cohort_ms + d.ttl_ms + d.revision_ms < min(oracle.wp, oracle.wl)


@pytest.mark.parametrize("seed", range(12))
def test_the_join_equals_one_in_plain_dicts(seed: int):
    random = Random(seed)
    fold, oracle = join(), Oracle()
    for record in traffic(random, 600):
        read(fold, record)
        oracle.read(record)
        compare(fold, oracle) if random.random() < 0.01 else None
    compare(fold, oracle)
    assert fold.ledger.below == 0
    busy = ("joined", "inline", "expired", "duplicates", "revised", "retracted", "orphans", "duplicate_labels")
    assert min(getattr(fold.ledger, name) for name in busy) > 0, "the traffic has everything in it"


@pytest.mark.parametrize("seed", range(8))
def test_a_crash_at_any_record_changes_nothing(seed: int):
    random = Random(seed)
    log = traffic(random, 500)
    whole = read(join(segment_rows=60), *log)
    fold, crashes = join(segment_rows=60), 0
    for record in log:
        read(fold, record)
        if random.random() < 0.03:
            crashes += 1
            fold = restored(fold, log, segment_rows=60)
    assert fold.progress() == whole.progress()
    assert panes(fold) == panes(whole)
    assert crashes > 3
    assert fold.needs_from() > 0, "the log could be trimmed"
