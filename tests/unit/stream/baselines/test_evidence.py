"""Evidence in a baseline: stored and read back number for number, and refused where it cannot be used."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.evidence import INDEPENDENT_ROWS, Evidence, EvidenceTable
from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.evidence import RateEvidence, RowsEvidence, SeriesEvidence, WindowEvidence
from stream.baselines.layout import Layout
from stream.baselines.registry import complaint

HOUR_MS = 3_600_000
BASELINE = msgspec.structs.replace(
    create_baseline({"x": [1, 2, 3], "c": ["a", "b", "a"], "score": [0.1, 0.2, 0.3]}, model="m", version="1"), number=1
)
WIDTHS = (12, 6, 12)  # 10 bins, missing, invalid; a, b, other, missing, unseen, invalid; as x
WANDERING = Evidence(
    overdispersion=0.01, spreads=(0.3,), directions=((0.6, 0.8, *[0.0] * 10),), blocks=168, block_rows=600.5,
    tail_start=2.5, tail_scale=1.25, guard=7.125, blocks_behind=7.5,
    farthest_psi=0.375,
)  # fmt: skip
ROWS = RowsEvidence(windows=3, mean=2.0, smallest=1, overdispersion=0.0, longest_silence_ms=5)


def evidence(first: Evidence = WANDERING, window_ms: int = HOUR_MS, **changed: Any) -> WindowEvidence:
    series = tuple(SeriesEvidence.of(one) for one in (first, INDEPENDENT_ROWS, INDEPENDENT_ROWS))
    made = WindowEvidence(
        window_ms=window_ms, pane_ms=60_000, stored=series, rates=(RateEvidence(),) * 3, rows=ROWS
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def with_evidence(*found: WindowEvidence) -> Baseline:
    return msgspec.structs.replace(BASELINE, evidence=found)


def test_what_is_read_back_is_what_was_stored_the_tail_that_never_starts_too() -> None:
    stored = with_evidence(evidence())
    read = Baseline.from_bytes(stored.to_bytes())
    assert read == stored
    assert read.evidence[0].series == (WANDERING, INDEPENDENT_ROWS, INDEPENDENT_ROWS)


def test_evidence_of_before_the_farthest_psi_was_stored_does_not_know_it() -> None:
    stored = msgspec.to_builtins(SeriesEvidence.of(WANDERING))
    assert stored.pop("farthest_psi") == 0.375
    read = msgspec.convert(stored, SeriesEvidence).evidence()
    assert read == replace(WANDERING, farthest_psi=np.inf)
    assert "farthest_psi" not in msgspec.to_builtins(SeriesEvidence.of(read))


def test_a_series_that_nothing_is_known_of_takes_no_room() -> None:
    assert msgspec.json.encode(SeriesEvidence.of(INDEPENDENT_ROWS)) == b"{}"


def test_evidence_is_found_by_its_window_length() -> None:
    hour, day = evidence(), evidence(window_ms=24 * HOUR_MS)
    baseline = with_evidence(hour, day)
    assert baseline.evidence_for(24 * HOUR_MS) is day
    assert baseline.evidence_for(2 * HOUR_MS) is None
    assert BASELINE.evidence_for(HOUR_MS) is None


def test_the_series_fit_the_bins_that_are_compared() -> None:
    layout = Layout(BASELINE)
    table = EvidenceTable(evidence().series, layout.baseline_coarse, layout.series_coarse_starts)
    assert tuple(table.widths.tolist()) == WIDTHS
    assert np.flatnonzero(table.directions[0]).tolist() == [0, 1]


def test_the_series_with_the_fewest_blocks_says_whether_it_is_provisional() -> None:
    assert evidence().provisional
    known = (SeriesEvidence.of(WANDERING),) * 3
    assert not evidence(stored=known).provisional
    assert evidence(stored=known).blocks == 168


def test_a_baseline_with_evidence_that_fits_can_be_counted_with() -> None:
    assert complaint(with_evidence(evidence())) is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"pane_ms": 7_000}, "a whole number of panes"),
        ({"pane_ms": 0}, "a whole number of panes"),
        ({"rates": ()}, "one entry per series"),
        ({"stored": ()}, "one entry per series"),
        ({"first": msgspec.structs.replace(SeriesEvidence.of(WANDERING), spreads=())}, "each spread needs a direction"),
        ({"first": SeriesEvidence(spreads=(0.1,), directions=((1.0,),))}, "each spread needs a direction"),
        ({"first": SeriesEvidence(overdispersion=-0.1)}, "may be negative"),
        ({"first": SeriesEvidence(tail_scale=0.5)}, "tail_scale must be at least 1"),
        ({"first": SeriesEvidence(blocks=-1)}, "may be negative"),
        ({"first": SeriesEvidence(farthest_psi=-0.1)}, "may be negative"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(changed: dict[str, Any], why: str) -> None:
    found = evidence()
    if "first" in changed:
        changed = {"stored": (changed["first"], *found.stored[1:])}
    assert why in str(complaint(with_evidence(msgspec.structs.replace(found, **changed))))


def test_one_window_length_has_one_evidence() -> None:
    assert "one evidence per window length" in str(complaint(with_evidence(evidence(), evidence())))
