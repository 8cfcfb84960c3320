"""Count: the segments of each key add up to the whole, exact after every crash and cut, whatever the values are."""

from collections import Counter
from random import Random

import msgspec
import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.durable.log import Outgoing
from stream.records.ledger import Ledger
from stream.records.partial import unpack_counts
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings, SegmentSettings
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, cuts_of, plan, settings
from tests.unit.stream.count.run import SERIES, TWO, Run, partials, settle, state, taken_whole, worker_of

CUT = msgspec.structs.replace(
    settings(), segments={"origin": SegmentSettings(values=("EWR", "JFK")), "c": SegmentSettings(top=1)}
)
BOTH_KEYS = ({"c=a", "c=other"}, {"origin=EWR", "origin=JFK", "origin=other"})

# Time in ms, category and origin of each message.
rows_of: st.SearchStrategy[list[tuple[int, str, object]]] = st.lists(
    st.tuples(st.integers(0, 20_000), st.sampled_from("abzq"), st.sampled_from([None, "EWR", "JFK", "LGA", 7, []])),
    min_size=1,
    max_size=25,
)
Rows = list[tuple[int, str, object]]


def log_of(rows: Rows) -> MemoryLog:
    log = MemoryLog()
    for i, (at_ms, c, origin) in enumerate(rows):
        said = {"model": "m", "ts": START_MS + at_ms, "score": 0.5, "features": {"x": i / 25, "c": c}}
        log.put(PREDICTIONS, orjson.dumps(said | {"segment": {"origin": origin}}), timestamp_ms=START_MS)
    return log


def whole(rows: Rows, counting: CountingSettings = CUT) -> Run:
    """Taken in one batch, and all panes closed by a message far behind."""
    return taken_whole(log_of([*rows, (100_000, "a", None)]), worker_of(counting))


def panes(sent: list[Outgoing]) -> dict[tuple[str, str, int], bytes]:
    """The counts of each pane that was sent, by definition, segment and start."""
    found: dict[tuple[str, str, int], bytes] = {}
    for part in (part for partial in partials(sent) for part in partial.panes):
        assert found.setdefault((part.definition, part.segment, part.start_ms), part.counts) == part.counts
    return found


@given(rows_of)
def test_the_segments_of_each_key_add_up_to_the_whole_and_each_row_is_in_its_own(rows: Rows) -> None:
    sent = panes(whole(rows).sent)
    for (definition, segment, start), counts in sent.items():
        for names in BOTH_KEYS if not segment else ():
            parts = [sent[definition, name, start] for name in names if (definition, name, start) in sent]
            np.testing.assert_array_equal(sum(map(unpack_counts, parts)), unpack_counts(counts))
    found = Counter({key[1:]: int(unpack_counts(counts).sum()) // SERIES for key, counts in sent.items()})
    wanted: Counter[tuple[str, int]] = Counter()
    newest = 0
    for at_ms, c, origin in rows:
        newest = max(newest, at_ms)
        start = at_ms - at_ms % 1_000
        if start + 1_000 > newest:  # its pane had not closed
            origin_segment = origin if origin in ("EWR", "JFK") else "other"
            for segment in ("", f"c={'a' if c == 'a' else 'other'}", f"origin={origin_segment}"):
                wanted[segment, START_MS + start] += 1
    assert found == wanted


@given(rows_of)
def test_segments_change_nothing_of_the_whole(rows: Rows) -> None:
    with_segments, without = whole(rows), whole(rows, settings())
    of_whole = {key[2]: counts for key, counts in panes(with_segments.sent).items() if not key[1]}
    assert of_whole == {key[2]: counts for key, counts in panes(without.sent).items()}
    assert not without.fold.ledger.segment_other
    same = msgspec.structs.replace(with_segments.fold.ledger, segment_other={})
    assert same == without.fold.ledger


@given(rows_of, st.integers(0, 24), st.randoms(use_true_random=False), st.booleans())
def test_cuts_and_crashes_change_nothing(rows: Rows, promotion: int, random: Random, crashes: bool) -> None:
    def run(cuts: list[tuple[int, int]], *, crashing: bool) -> Run:
        one = Run(log_of([*rows, (100_000, "a", None)]), worker_of(CUT))
        for start, stop in cuts:
            if start <= promotion < stop and promotion < len(rows):
                one.take(start, promotion) if promotion > start else None
                one.worker.wants = plan(TWO, counting=CUT)
                settle(one.fold)
                one.take(promotion, stop)
            else:
                one.take(start, stop)
            if crashing and random.random() < 0.5:
                one.send()
                one.crash()
        one.send()
        return one

    length = len(rows) + 1
    plain = run([(0, length)], crashing=False)
    cut = run(cuts_of(length, lambda _: random.random() < 0.4), crashing=crashes)
    assert panes(cut.sent) == panes(plain.sent)
    assert state(cut.fold) == state(plain.fold)


def test_rows_without_a_segment_of_their_own_are_counted_in_the_ledger() -> None:
    run = whole([(0, "a", "EWR"), (0, "b", "LGA"), (0, "q", None), (5_000, "a", "JFK"), (0, "b", "SFO")])
    # the last row is late and counts nowhere; the message that closes all panes has no origin
    assert run.fold.ledger.late == 1
    assert run.fold.ledger.segment_other == {"m": {"0": {"c": 2, "origin": 3}}}
    run.crash()
    assert run.fold.ledger.segment_other == {"m": {"0": {"c": 2, "origin": 3}}}


def test_two_ledgers_add_up() -> None:
    one, other = Ledger(), Ledger()
    for ledger, key, rows in ((one, "c", 1), (one, "origin", 2), (other, "origin", 3)):
        ledger.add_segment_other(ModelKey("m", "0"), key, rows)
    other.add_segment_other(ModelKey("m", "1"), "c", 4)
    assert one.plus(other).segment_other == {"m": {"0": {"c": 1, "origin": 5}, "1": {"c": 4}}}


def test_a_value_nobody_has_heard_of_makes_no_register() -> None:
    """However many there are: five registers a pane, and no more than that in `@`."""
    rows: Rows = [(500, "a", f"airport-{i}") for i in range(5_000)]
    run = Run(log_of(rows), worker_of(CUT))
    run.take(0, 10)
    size = len(run.fold.progress())
    run.take(10, len(rows))
    assert len(run.fold.panes) == 3  # the whole, c=a, origin=other
    assert len(run.fold.progress()) <= size + 16  # the numbers in it have grown, nothing else
