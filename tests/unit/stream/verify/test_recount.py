"""Which rows of the cited offsets are counted: those of the window that were in time."""

import msgspec
import numpy as np
import pytest

from stream.baselines.definition import Definition
from stream.evaluate.panes import Span
from stream.ingest.settings import IngestSettings
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings, SegmentSettings
from stream.verify import recount as module
from stream.verify.claim import CitedRows, Claim
from stream.verify.recount import Recount, recount
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, baseline, prediction, settings

ONE = baseline()
COUNTING = settings(allowed_lateness_ms=500)  # panes of a second


def claim_of(counting: CountingSettings, cited: CitedRows, window: tuple[int, int], segment: str = "") -> Claim:
    return Claim(
        key=ModelKey("m", "0"),
        segment=segment,
        start_ms=START_MS + window[0],
        end_ms=START_MS + window[1],
        baseline_id=ONE.id,
        definition_id=Definition(ONE, counting).id,
        counting=counting,
        rows=(cited,),
    )


async def counted(*times_ms: int, cited: tuple[int, int], seen_ms: int, window: tuple[int, int]) -> Recount:
    """What is found where messages have these times and an alert cites some of their offsets."""
    log = MemoryLog()
    for at_ms in times_ms:
        log.put(PREDICTIONS, prediction(at_ms), timestamp_ms=START_MS)
    claim = claim_of(COUNTING, CitedRows("predictions/0", PREDICTIONS, *cited, START_MS + seen_ms), window)
    found = await recount(log, claim, Definition(ONE, COUNTING), IngestSettings(), ids=False)
    assert isinstance(found, Recount)
    return found


async def test_what_had_been_seen_before_the_cited_offsets_decides_what_is_late() -> None:
    # At offset 0 the source has seen 8,000: the pane [6000, 7000) is closed, though nothing cited says so.
    found = await counted(8_000, 7_100, 6_950, 7_300, cited=(1, 4), seen_ms=8_000, window=(5_000, 8_000))
    assert (found.rows, found.late, found.messages) == (2, 1, 3)
    assert found.spans == {"predictions/0": Span(1, 4, START_MS + 8_000)}


async def test_a_pane_is_open_until_the_newest_event_is_its_end_and_the_lateness_ahead() -> None:
    #                 [5000)    watermark after 6,499: 5,999; after 6,500: 6,000
    in_time = await counted(5_100, 6_499, 5_200, cited=(0, 3), seen_ms=5_100, window=(5_000, 6_000))
    too_late = await counted(5_100, 6_500, 5_200, cited=(0, 3), seen_ms=5_100, window=(5_000, 6_000))
    assert [(found.rows, found.late) for found in (in_time, too_late)] == [(2, 0), (1, 1)]


async def test_a_window_begins_with_its_start_and_ends_before_its_end() -> None:
    found = await counted(4_999, 5_000, 5_999, 6_000, cited=(0, 4), seen_ms=4_999, window=(5_000, 6_000))
    assert (found.rows, found.spans["predictions/0"]) == (2, Span(1, 3, START_MS + 5_000))


async def test_counters_do_not_depend_on_how_many_messages_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = (5_100, 7_400, 5_300, 6_900, 7_800, 6_100, 8_600)
    at_once = await counted(*times, cited=(0, 7), seen_ms=5_100, window=(5_000, 8_000))
    monkeypatch.setattr(module, "MESSAGES_AT_ONCE", 1)
    one_by_one = await counted(*times, cited=(0, 7), seen_ms=5_100, window=(5_000, 8_000))
    assert np.array_equal(at_once.counts, one_by_one.counts)
    assert (at_once.rows, at_once.late, at_once.spans) == (one_by_one.rows, one_by_one.late, one_by_one.spans)
    assert (at_once.rows, at_once.late) == (4, 2)


async def test_of_a_segment_only_its_own_rows_are_counted() -> None:
    by_c = msgspec.structs.replace(COUNTING, segments={"c": SegmentSettings(values=("a",))})
    log = MemoryLog()
    for at_ms, c in ((5_100, "b"), (5_200, "a"), (5_300, "zz"), (5_400, "a"), (5_500, "b")):
        log.put(PREDICTIONS, prediction(at_ms, c=c), timestamp_ms=START_MS)
    found = {}
    for segment in ("", "c=a", "c=other"):
        cited = CitedRows("predictions/0", PREDICTIONS, 0, 5, START_MS + 5_100)
        claim = claim_of(by_c, cited, (5_000, 6_000), segment)
        one = await recount(log, claim, Definition(ONE, by_c), IngestSettings(), ids=False)
        assert isinstance(one, Recount)
        found[segment] = one
    rows = {
        segment: (one.rows, one.spans["predictions/0"].first, one.spans["predictions/0"].next)
        for segment, one in found.items()
    }
    assert rows == {"": (5, 0, 5), "c=a": (2, 1, 4), "c=other": (3, 0, 5)}
    assert np.array_equal(found[""].counts, found["c=a"].counts + found["c=other"].counts)
