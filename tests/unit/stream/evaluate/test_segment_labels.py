"""Labels by segment: a segment's windows are those of the raw pairs of its predictions, and are judged by its own."""

from collections import defaultdict

import msgspec
import numpy as np
import pytest

from detectors import Auc, auc
from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import SegmentedBaseline, SegmentValue
from stream.records.outcome import PerformanceDefinition
from stream.records.performance import pack_sparse
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings, SegmentSettings
from tests.small_model import settings
from tests.unit.stream.evaluate.joined import STEP_S, heard
from tests.unit.stream.evaluate.labels import (
    BINS,
    MEANS,
    PANE_S,
    START_S,
    WINDOW_PANES,
    Labels,
    binary_baseline,
    calibrated_labels,
    definition,
    seconds,
)
from tests.unit.stream.evaluate.partials import Speaker
from tests.unit.stream.join.outcomes import L, P

WINDOW_S = PANE_S * WINDOW_PANES
UNTIL_S = 300
CUT = {"plan": SegmentSettings(values=("free", "pro")), "c": SegmentSettings(values=("a",))}
PLANS, KINDS = ("plan=free", "plan=pro", "plan=other"), ("c=a", "c=other")


def counting(**segments: SegmentSettings) -> CountingSettings:
    return msgspec.structs.replace(settings(), segments=segments)


def known(number: int = 1) -> Baseline:
    """Half of the labelled rows are free, and none pro."""
    half = calibrated_labels(200)
    free = SegmentValue(
        value="free", rows=800, packed=b"1", labelled=pack_sparse(np.array([*half.negatives, *half.positives]))
    )
    return msgspec.structs.replace(
        binary_baseline(number), segments=(SegmentedBaseline(key="plan", values=(free,), rows_beyond=0),)
    )


class Raw:
    """Predictions of all segments, their labels 0 to 40 s later; of free ones the labels are turned around."""

    def __init__(self, seed: int, rows: int = 900) -> None:
        random = np.random.default_rng(seed)
        self.rows: dict[int, list[P | L]] = defaultdict(list)  # by step
        self.pairs: list[tuple[tuple[str, str], int, int, int]] = []  # segments, arrival, bin, label
        for i in range(rows):
            at, score = int(random.integers(0, UNTIL_S - 60)), int(random.integers(0, BINS))
            segments = (KINDS[int(random.integers(0, 2))], PLANS[int(random.integers(0, 3))])
            positive = int(random.random() < MEANS[score])
            label = 1 - positive if segments[1] == "plan=free" else positive
            label_at = at + int(random.integers(0, 40))
            of = msgspec.structs.replace(definition(), segments=segments)
            self.rows[at // STEP_S].append(P(i + 1, START_S + at, score, of))
            self.rows[label_at // STEP_S].append(L(i + 1, START_S + label_at, float(label)))
            self.pairs.append((segments, label_at, score, label))

    def inside(self, end: int, segment: str) -> list[tuple[int, int]]:
        """Bin and label of the pairs of a segment in the window that ends there."""
        mine = [p for p in self.pairs if end - WINDOW_S <= p[1] < end and (not segment or segment in p[0])]
        return [(score, label) for _, _, score, label in mine]


def introduced(evaluate: Labels, of: Baseline, **segments: SegmentSettings) -> Speaker:
    """A source of predictions has said what it counts with."""
    speaker = Speaker()
    speaker.counts_with(of, counting=counting(**segments))
    evaluate.hears(speaker.says(None))
    return speaker


def run(seed: int, of: Baseline, *, crash_every: int = 0, rows: int = 900) -> tuple[Raw, Labels]:
    raw, evaluate = Raw(seed, rows), Labels(of)
    introduced(evaluate, of, **CUT)
    return raw, heard(raw.rows, evaluate, until_s=UNTIL_S, crash_every=crash_every)


@pytest.mark.parametrize("seed", range(3))
def test_the_windows_of_each_segment_are_those_of_its_raw_rows_and_the_whole_is_all_of_them(seed: int) -> None:
    raw, evaluate = run(seed, known())
    told = {report["segment"] for report in evaluate.performance}
    assert told == {"", *PLANS, *KINDS}
    for segment in told:
        last = {r["window"]["end"]: r for r in evaluate.performance if r["segment"] == segment}
        assert len(last) > 15
        for report in last.values():
            end = seconds(report["window"]["end"])
            rows = raw.inside(end, segment)
            counts = [np.bincount([s for s, v in rows if v == one], minlength=BINS).astype(np.int64) for one in (0, 1)]
            area = auc(*counts)
            assert report["n"] == len(rows), (segment, end)
            assert report["metrics"]["auc"] == (area.value if isinstance(area, Auc) else None)


def test_crashes_of_evaluate_change_nothing() -> None:
    (_, whole), (_, crashed) = run(1, known()), run(1, known(), crash_every=3)
    assert crashed.performance == whole.performance
    assert crashed.alerts == whole.alerts


def test_a_segment_that_got_worse_alerts_by_its_name_and_others_do_not() -> None:
    _, evaluate = run(2, known(), rows=9_000)
    alerts = [a for a in evaluate.alerts if a["labels"]["check"] == "auc" and a["status"] == "firing"]
    assert "plan=free" in {a["labels"]["segment"] for a in alerts}
    # the other plans are known by subtraction, and healthy; nothing is known of `c`
    assert not {a["labels"]["segment"] for a in alerts} & {"plan=pro", "plan=other", *KINDS}
    keys = {o.key for o in evaluate.sent if o.to.topic == "reports"}
    assert {b"m@0/performance", b"m@0/plan=free/performance"} <= keys
    unknown = [c for r in evaluate.performance if r["segment"] == "c=a" for c in r["checks"] if c["check"] == "auc"]
    assert {c["verdict"] for c in unknown} == {"undefined"}
    assert any(c["value"] is not None and "baseline" in c["reason"] for c in unknown)


def test_segments_that_the_model_has_not_are_not_kept_apart() -> None:
    raw, evaluate = Raw(3, rows=200), Labels(known())
    introduced(evaluate, known(), plan=SegmentSettings(values=("free",)))
    heard(raw.rows, evaluate, until_s=UNTIL_S)
    assert {r["segment"] for r in evaluate.performance} == {"", "plan=free", "plan=other"}


def test_a_segment_that_is_taken_out_ends_its_alerts() -> None:
    _, evaluate = run(2, known(), rows=9_000)
    firing = [a for a in evaluate.alerts if a["labels"]["segment"] == "plan=free"]
    assert firing[-1]["status"] == "firing"
    performance = evaluate.fold.performance
    performance.end_segments(ModelKey("m", "0"), {"plan=pro", "plan=other", *KINDS})
    evaluate.sent += evaluate.fold.outputs()
    ended = [a for a in evaluate.alerts if a["labels"]["segment"] == "plan=free" and a["status"] == "resolved"]
    assert "there is no such segment" in ended[-1]["annotations"]["summary"]
    assert "plan=free" not in {course.progress.segment for course in performance.courses.values()}


def test_without_segments_a_definition_has_the_id_that_it_had_before_there_were_any() -> None:
    plain = definition()
    assert plain.id == PerformanceDefinition(*msgspec.structs.astuple(plain)[:-1]).id
    ids = {msgspec.structs.replace(plain, segments=s).id for s in ((), ("a=1",), ("a=2",), ("a=1", "b=2"))}
    assert len(ids) == 4
