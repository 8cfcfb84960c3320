"""In whatever order the records of the sources meet in the log, the performance is the same."""

from random import Random

import msgspec
import pytest

from tests.unit.stream.join.outcomes import (
    DAY,
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
)

T = 10 * DAY
FRAUD = definition(ttl_s=2 * HOUR, revision_s=MINUTE, window_s=30 * DAY)
PRICE = definition("price", task="regression", ttl_s=2 * HOUR, revision_s=MINUTE)
OTHER = msgspec.structs.replace(FRAUD, version="2", baseline_id="fraud@2#1")
AGAIN = definition(ttl_s=2 * HOUR, revision_s=MINUTE, window_s=20 * DAY)  # other settings, with the same counters
MODELS = [FRAUD, PRICE, OTHER, AGAIN]


def chains(random: Random) -> list[list[bytes]]:
    """The records of four sources, each in its own order; no row is below its source's watermark."""
    born = [(random.randrange(1, 1 << 62), T + random.randrange(6 * HOUR), random.choice(MODELS)) for _ in range(300)]
    copies = [random.choice(born) for _ in range(30)]
    answers = [P(key, t, random.randrange(10), of) for key, t, of in born]
    # Copies of equal time, of which some have another score, other settings or another version.
    answers += [P(key, t, random.randrange(10), random.choice([of, of, *MODELS])) for key, t, of in copies]
    truth = []
    for key, t, of in [*born, *copies, *(random.choice(born) for _ in range(100))]:
        value = random.choice([0.0, 1.0, NAN]) if of is not PRICE else random.choice([1.5, 7.25, NAN])
        truth.append(L(key, max(T, t + random.randrange(-8 * MINUTE, 3 * HOUR)), value))
    truth += [L(random.randrange(1, 1 << 62), T + random.randrange(6 * HOUR)) for _ in range(30)]
    for _ in range(60):  # no predictions: scores in labels, several of an id
        key, t, of = random.randrange(1, 1 << 62), T + random.randrange(4 * HOUR), random.choice(MODELS)
        times = [t + random.choice([0, 0, 60, 600, 1_800]) for _ in range(random.randrange(1, 5))]
        truth += [L(key, at, random.choice([0.0, 1.0]), of, random.randrange(10)) for at in times]
    key, t, _ = born[0]
    truth += [L(key, t + 3 * HOUR + i, 1.0) for i in range(4)]  # too late; beyond eight that wait the oldest go
    truth += [L(key, t + 60, 0.0)]
    return [
        _chain(random, writer, sorted(rows, key=lambda row: row.t))
        for make, every in ((predictions, answers), (labels, truth))
        for writer, rows in zip((make(0, sources=2), make(1, sources=2)), (every[::2], every[1::2]), strict=True)
    ]


def _chain(random: Random, writer, rows) -> list[bytes]:
    records = []
    while rows:
        size = random.randrange(1, 12)
        taken, rows = rows[:size], rows[size:]
        records.append(writer.say(*taken, watermark_s=taken[-1].t))
    return [*records, writer.say(watermark_s=T + 40 * HOUR)]


def interleaved(random: Random, chains: list[list[bytes]], *, fairly: bool) -> list[bytes]:
    """One log: chunks of each chain in its order; unfairly, a source may run far ahead."""
    left = [list(chain) for chain in chains]
    log = []
    while any(left):
        chosen = random.choice([chain for chain in left if chain])
        for _ in range(random.randrange(1, 4 if fairly else 40)):
            if chosen:
                log.append(chosen.pop(0))
    return log


@pytest.mark.parametrize("seed", range(10))
def test_two_interleavings_of_the_same_records_give_the_same_panes(seed: int):
    random = Random(seed)
    sources = chains(random)
    told: list[dict[tuple[str, bool, int], list[int]]] = []
    for fairly in (True, False, False):
        log = interleaved(random, sources, fairly=fairly)
        fold = join()
        fold.registers.close = lambda watermark_ms: None  # type: ignore[method-assign]  # keep every pane to compare
        read(fold, *log)
        assert fold.ledger.below == 0
        assert fold.ledger.joined > 100
        told.append(panes(fold))
    assert told[0] == told[1] == told[2]
