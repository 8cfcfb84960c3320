"""Crashes while all caps are closing and opening, and definitions come and go: what is read back is what was there."""

from random import Random

import msgspec
import pytest

from stream.join import caps
from stream.join import definitions as definitions_module
from stream.records.outcome import PerformanceDefinition
from tests.unit.stream.join.outcomes import (
    HOUR,
    MINUTE,
    NAN,
    L,
    P,
    definition,
    join,
    labels,
    panes,
    predictions,
    read,
    restored,
)

T = 1_000_000
ROOM = 5


def definitions(random: Random, generation: int) -> list[PerformanceDefinition]:
    """Some versions and settings of a few models; in each generation others."""
    return [
        msgspec.structs.replace(
            definition(
                f"m{random.randrange(2)}",
                ttl_s=random.choice([HOUR // 2, HOUR, 2 * HOUR]),
                revision_s=10 * MINUTE,
                dedupe=random.random() < 0.7,
                max_waiting=random.randrange(10, 25),
            ),
            version=str(generation),
        )
        for _ in range(random.randrange(1, 5))
    ]


def traffic(random: Random, steps: int) -> list[bytes]:
    """Predictions, their copies, labels before and after them, scores in labels; the clocks run on unevenly."""
    out, truth = predictions(), labels()
    clock = {out: T, truth: T}
    born: list[P] = []
    log: list[bytes] = []
    known: list[PerformanceDefinition] = []
    for step in range(steps):
        if step % 60 == 0:
            known = definitions(random, step // 60)
        source = min(clock, key=lambda s: clock[s] + random.randrange(1_500))
        clock[source] += random.randrange(240)
        rows: list[P | L] = []
        for _ in range(random.randrange(5)):
            t, of = max(0, clock[source] - random.randrange(300)), random.choice(known)
            asked = random.choice(born[-40:]) if born and random.random() < 0.8 else P(random.randrange(1, 1 << 62), t)
            if source is out:
                again = random.random() < 0.2
                new = (
                    asked._replace(payload=random.randrange(10)) if again else P(random.randrange(1, 1 << 62), t, 3, of)
                )
                rows.append(new._replace(of=random.choice(known)))
                born.append(new)
            else:
                at = max(0, random.choice([t, asked.t + random.randrange(-400, 3 * HOUR)]))
                rows.append(L(asked.key, at, random.choice([0, 1, 1, NAN]), of if random.random() < 0.3 else None, 5))
        rows = [row._replace(late=row.t < (source.watermark_s or 0)) for row in rows]
        log.append(source.say(*rows, watermark_s=clock[source] - 200))
    return log


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_changes_nothing_whatever_is_full(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caps, "LEAST_LABELS", 12)
    monkeypatch.setattr(caps, "LABELS_A_PREDICTION", 1)
    monkeypatch.setattr(definitions_module, "MOST_DEFINITIONS", ROOM)
    random = Random(seed)
    log = traffic(random, 900)
    whole = read(join(segment_rows=30), *log)
    fold = join(segment_rows=30)
    for record in log:
        read(fold, record)
        if random.random() < 0.1:
            fold = restored(fold, log, segment_rows=30)
    assert fold.progress() == whole.progress()
    assert panes(fold) == panes(whole)
    assert min(fold.ledger.refused, fold.ledger.refused_labels, fold.ledger.joined, fold.ledger.inline) > 0
    assert fold.needs_from() > 0
