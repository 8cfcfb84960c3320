"""Names of features on their way through count: every row that is drawn, once, in its pane, whoever died."""

from collections.abc import Sequence

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.value_codes import value_code
from stream.records.feature_names import FeatureNames
from tests.looked_at import looked_at
from tests.memory_log import MemoryLog
from tests.small_model import PREDICTIONS, START_MS, Worker, cuts_of, plan
from tests.unit.stream.count.run import ONE, TWO, Run, partials, settle

KINDS: "dict[str, dict[str, object]]" = {
    "well": {"x": 0.1, "c": "a"},
    "null": {"x": None, "c": "a"},
    "renamed": {"wind": 0.1, "c": "a"},
    "none": {},
}
INDICES = 160


def message(at_ms: int, kind: str) -> bytes:
    return orjson.dumps({"model": "m", "ts": START_MS + at_ms, "score": 0.9, "features": KINDS[kind]})


def log_of(kinds: Sequence[str]) -> MemoryLog:
    """A row each 25 ms, every fifth message an array of 16; then one that closes every pane."""
    log = MemoryLog()
    for i, kind in enumerate(kinds):
        value = message(25 * i, kind)
        log.put(PREDICTIONS, b"[" + b",".join([value] * 16) + b"]" if i % 5 == 4 else value, timestamp_ms=START_MS)
    log.put(PREDICTIONS, message(90_000, "well"), timestamp_ms=START_MS)
    return log


def by_hand(kinds: Sequence[str]) -> dict[int, FeatureNames]:
    """By start of the pane, with plain loops."""
    found: dict[int, FeatureNames] = {}
    for i, kind in enumerate(kinds):
        names = found.setdefault(25 * i // 1_000 * 1_000, FeatureNames())
        for element in range(16) if i % 5 == 4 else (None,):
            if not looked_at(i, element):
                continue
            names.looked += 1
            for name in "xc":
                if name not in KINDS[kind]:
                    names.absent[name] = names.absent.get(name, 0) + 1
            if kind == "renamed":
                codes = names.unknown.setdefault("wind", {})
                codes[value_code(0.1)] = codes.get(value_code(0.1), 0) + 1
    return {start: names.ordered() for start, names in found.items() if names.looked}


def told(run: Run) -> dict[int, FeatureNames]:
    parts = [part for partial in partials(run.sent) for part in partial.panes if part.definition]
    return {part.start_ms - START_MS: part.names for part in parts if part.names is not None}


rows = st.lists(st.sampled_from(list(KINDS)), min_size=INDICES, max_size=INDICES)


@given(rows, st.data())
def test_names_are_those_of_plain_loops_however_batches_are_cut_and_whoever_died(
    kinds: list[str], data: st.DataObject
) -> None:
    run = Run(log_of(kinds), Worker(ONE))
    ends = data.draw(st.sets(st.integers(1, INDICES), max_size=5))
    crashes = data.draw(st.sets(st.sampled_from(sorted(ends)), max_size=2)) if ends else set()
    for start, stop in cuts_of(INDICES + 1, ends.__contains__):
        if start in crashes:
            run.crash()
        run.take(start, stop)
        run.send()
    assert told(run) == by_hand(kinds)


def test_arrays_elements_are_among_those_drawn() -> None:
    drawn = [(i, e) for i in range(4, INDICES, 5) for e in range(16) if looked_at(i, e)]
    assert drawn, "else the test above would not see them"


def test_a_pane_that_is_well_is_one_number_more() -> None:
    run = Run(log_of(["well"] * INDICES), Worker(ONE))
    run.take(0, INDICES + 1)
    run.send()
    drawn = by_hand(["well"] * INDICES)
    assert told(run) == {start: FeatureNames(looked=names.looked) for start, names in drawn.items()}
    assert sum(names.looked for names in drawn.values()) > 4


def test_each_definition_has_the_names_that_its_own_baseline_lacks() -> None:
    narrower = msgspec.structs.replace(TWO, series=(TWO.series[0], TWO.series[2]))  # without c
    run = Run(log_of(["well"] * INDICES), Worker(ONE, narrower))
    run.worker.wants = plan(ONE)
    settle(run.fold)
    run.take(0, 60)  # panes begin at 0 and 1 s
    run.worker.wants = plan(narrower)
    settle(run.fold)
    run.take(60, INDICES + 1)
    run.send()
    of = {d: a.baseline_id for p in partials(run.sent) for d, a in p.definitions.items()}
    unknown: dict[str, set[str]] = {ONE.id: set(), narrower.id: set()}
    for partial in partials(run.sent):
        for part in partial.panes:
            unknown[of[part.definition]] |= set(part.names.unknown if part.names else ())
    assert unknown == {ONE.id: set(), narrower.id: {"c"}}


def test_rows_that_are_not_counted_are_not_looked_at() -> None:
    log = MemoryLog()
    log.put(PREDICTIONS, message(50_000, "well"), timestamp_ms=START_MS)
    for _ in range(INDICES):
        log.put(PREDICTIONS, message(0, "none"), timestamp_ms=START_MS)  # late
    run = Run(log, Worker(ONE))
    run.take(0, INDICES + 1)
    (register,) = run.fold.live()
    assert [looked_at(i, None) for i in range(INDICES + 1)].count(True) > 1
    assert not looked_at(0, None)  # the only one that was counted
    assert msgspec.msgpack.decode(register.value)[3] is None
