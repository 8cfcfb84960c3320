"""Segments: each has a course of its own, its alerts say which it is, and one that is taken out leaves nothing."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.alerts.rules import LatencyRule
from stream.alerts.silences import Requests, Silence, matcher_of
from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import SegmentedBaseline, SegmentValue
from stream.baselines.definition import Definition
from stream.evaluate.evaluator import NO_SEGMENT_BASELINE
from stream.records.partial import PanePart, Partial, pack_counts
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings, SegmentSettings
from tests.small_model import START_MS, baseline, prediction
from tests.small_model import settings as counting
from tests.unit.stream.evaluate.interleaved import is_the_same_interleaved, said_by_count
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, limits, relative

CUT = msgspec.structs.replace(counting(), segments={"plan": SegmentSettings(values=("free", "pro"))})
LOWER, UPPER = [100, 100, 0, 0], [0, 0, 100, 100]
Bins = dict[str, list[int]]


def known_plans(number: int = 1) -> Baseline:
    """Half of its rows are free, in the lower two bins of x and the score; the others are pro, in the upper two."""
    whole = baseline(number)
    lower = np.array([*LOWER, 0, 0, 200, 0, 0, 0, 0, 0, *LOWER, 0, 0])  # in the bins that PSI compares
    upper = Definition(whole, counting()).layout.baseline_coarse - lower
    values = (
        SegmentValue(value="free", rows=200, packed=pack_counts(lower)),
        SegmentValue(value="pro", rows=200, packed=pack_counts(upper)),
    )
    return msgspec.structs.replace(whole, segments=(SegmentedBaseline(key="plan", values=values, rows_beyond=0),))


REPORT = Draft202012Validator(
    json.loads((Path(__file__).parents[4] / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
)
ONE, TWO, UNKNOWN = known_plans(1), known_plans(2), baseline(1)


def pane_of(definition: Definition, segment: str, start: int, x: list[int], *, over_sla: int = 0) -> PanePart:
    """A pane of one segment, its rows in these bins of x and the score; so many of the answers over the SLA."""
    layout = definition.layout
    of_x, of_c, of_score, behind = layout.starts.tolist()
    counts = np.zeros(layout.width, np.int64)
    counts[of_x + 1 : of_x + 5] = counts[of_score + 1 : of_score + 5] = x  # the first bin is what lies out of range
    counts[of_c] = sum(x)
    if layout.latency is not None:
        within, over = layout.latency.index(np.array([1.0, 900.0])).tolist()
        counts[behind + within], counts[behind + over] = sum(x) - over_sla, over_sla
    return PanePart(definition.id, segment, START_MS + start, 0, 1, pack_counts(counts), START_MS)


def alerts_of(evaluate: Evaluate) -> list[tuple[str, str, str]]:
    return [(a["labels"]["segment"], a["labels"]["subject"], a["status"]) for a in evaluate.alerts]


def one_window(of: Baseline, x: Bins, counted: CountingSettings = CUT) -> Evaluate:
    """Three panes alike, which make one window; the whole is as the baseline has it."""
    evaluate, source = Evaluate(of, rules=limits(min_count=1)), Speaker()
    definition = source.counts_with(of, counting=counted)
    by_segment = {"": [100] * 4, **x}
    panes = [
        pane_of(definition, segment, start, bins) for start in (0, 1_000, 2_000) for segment, bins in by_segment.items()
    ]
    evaluate.hears(source.says(3_000, panes))
    return evaluate


def test_a_segment_is_compared_with_its_own_baseline() -> None:
    healthy = one_window(ONE, {"plan=free": LOWER, "plan=pro": UPPER})
    assert not [a for a in healthy.alerts if a["labels"]["subject"] != "c"]
    swapped = one_window(ONE, {"plan=free": UPPER, "plan=pro": UPPER})
    assert [a for a in alerts_of(swapped) if a[1] != "c"] == [
        ("plan=free", "x", "firing"),
        ("plan=free", "score", "firing"),
    ]


def test_a_report_of_a_segment_has_its_key_and_its_name() -> None:
    evaluate = one_window(ONE, {"plan=free": LOWER})
    keys = {o.key for o in evaluate.sent if o.to.topic == "reports"}
    assert keys == {b"m@0", b"m@0/plan=free"}  # a segment appears with its first row
    assert {r["segment"] for r in evaluate.reports} == {"", "plan=free"}


def test_what_the_baseline_does_not_know_is_shown_and_never_alerts() -> None:
    evaluate = one_window(UNKNOWN, {"plan=free": UPPER})
    report = [r for r in evaluate.reports if r["segment"] == "plan=free"][-1]
    (check,) = [c for c in report["checks"] if c["subject"] == "x"]
    assert (check["verdict"], check["reason"]) == ("undefined", NO_SEGMENT_BASELINE)
    assert check["value"] > 0.25
    assert check["evidence"]["baseline"][:4] == [100] * 4
    assert [a for a in alerts_of(evaluate) if a[0]] == []


@pytest.mark.parametrize("of", [ONE, UNKNOWN], ids=["known", "not known"])
def test_reports_of_segments_keep_their_schema(of: Baseline) -> None:
    reports = one_window(of, {"plan=free": UPPER, "plan=pro": UPPER}).reports
    assert {r["segment"] for r in reports} == {"", "plan=free", "plan=pro"}
    for report in reports:
        REPORT.validate(report)


def test_latency_is_judged_in_each_segment_and_needs_no_baseline() -> None:
    evaluate, source = Evaluate(UNKNOWN, rules=limits(min_count=1)), Speaker()
    evaluate.judging = replace(evaluate.judging, latency=LatencyRule())
    definition = source.counts_with(UNKNOWN, counting=msgspec.structs.replace(CUT, latency_sla_ms=250))
    panes = []
    for start in (0, 1_000, 2_000):
        panes.append(pane_of(definition, "", start, [500] * 4))
        panes.append(pane_of(definition, "plan=free", start, [250] * 4, over_sla=100))
        panes.append(pane_of(definition, "plan=pro", start, [250] * 4))
    evaluate.hears(source.says(3_000, panes))
    assert [a for a in alerts_of(evaluate) if a[1] == "latency"] == [("plan=free", "latency", "firing")]


def test_episodes_of_segments_are_told_apart_and_share_no_id() -> None:
    evaluate = one_window(ONE, {"plan=free": UPPER, "plan=pro": LOWER})
    about_x = [a for a in evaluate.alerts if a["labels"]["subject"] == "x"]
    assert len({a["id"] for a in about_x}) == len(about_x) == 2


@pytest.mark.parametrize("silenced_to", [0, 10_000])
def test_a_segment_that_is_taken_out_ends_its_alerts_and_is_forgotten(silenced_to: int) -> None:
    evaluate, source = Evaluate(ONE, TWO, rules=limits(min_count=1)), Speaker()
    first = source.counts_with(ONE, counting=CUT)
    evaluate.hears(
        source.says(
            3_000,
            [
                pane_of(first, segment, start, [100, 100, 100, 100] if not segment else UPPER)
                for start in (0, 1_000, 2_000)
                for segment in ("", "plan=free")
            ],
        )
    )
    assert ("plan=free", "x", "firing") in alerts_of(evaluate)
    # the second baseline is counted without segments, and the first one ends after two windows
    silence = Silence("s1", (matcher_of("segment=plan=free"),), 0, START_MS + silenced_to, "ann", "")
    evaluate.fold.activate(msgspec.msgpack.encode(Requests(1, (silence,))))
    source.no_longer(first)
    source.counts_with(ONE, until_ms=9_000, counting=CUT)
    second = source.counts_with(TWO, from_ms=3_000)
    for newest in range(4_000, 12_000, 1_000):
        panes = [pane_of(d, "", newest - 1_000, [100] * 4) for d in (first, second)]
        evaluate.hears(source.says(newest, panes))
        before = evaluate.state()
        evaluate.crash()
        assert evaluate.state() == before
    ended = [a for a in evaluate.alerts if a["labels"]["segment"] == "plan=free" and a["status"] == "resolved"]
    assert {a["labels"]["subject"] for a in ended} == {"x", "score", "c"} & {
        a["labels"]["subject"] for a in evaluate.alerts if a["labels"]["segment"] == "plan=free"
    }
    assert min(relative(a["evidence"]["window"]["end"]) for a in ended) >= silenced_to  # nobody is left uninformed
    assert "the model has no such segment now" in ended[0]["annotations"]["summary"]
    assert not evaluate.fold.courses[ModelKey("m", "0")].progress.segments
    assert all(b"plan=" not in register.key for register in evaluate.fold.live())


# -- a function of the partials, as for the whole

rows_of = st.lists(
    st.tuples(st.integers(0, 15_000), st.sampled_from(["free", "pro", "gold", None])), min_size=1, max_size=12
)
FAR_MS = 40_000


def said(rows: list[tuple[int, str | None]], source: int, checkpoints: set[int], promotion: int) -> list[Partial]:
    """What count says of a source; the promoted baseline is counted with other segments."""
    other = msgspec.structs.replace(CUT, segments={"plan": SegmentSettings(values=("pro",))})
    messages = [
        prediction(at_ms, x=offset / 12, segment={"plan": of_plan})
        for offset, (at_ms, of_plan) in enumerate([*rows, (FAR_MS, None)])
    ]
    return said_by_count(messages, source, checkpoints, promotion, ((ONE, CUT), (TWO, other)))


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(rows_of, rows_of),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.tuples(st.sets(st.integers(0, 12)), st.sets(st.integers(0, 12))),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_reports_and_alerts_do_not_depend_on_checkpoints_interleaving_or_crashes(
    rows: tuple[list[tuple[int, str | None]], list[tuple[int, str | None]]],
    promotions: tuple[int, int],
    checkpoints: tuple[set[int], set[int]],
    random: Random,
    crashes: bool,
) -> None:
    promoted = [min(promotions[i], len(rows[i])) for i in (0, 1)]
    plain = [said(rows[i], i, set(range(13)), promoted[i]) for i in (0, 1)]
    queues = [said(rows[i], i, checkpoints[i], promoted[i]) for i in (0, 1)]
    is_the_same_interleaved(lambda: Evaluate(ONE, TWO), plain, queues, random, crashes=crashes)
