"""Windows against a seasonal baseline: the mixture of their own hours, by the rows that lie in each."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import Threshold
from stream.alerts.rules import BUDGET, Rules
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.baselines.evidence import RateEvidence, RowsEvidence, SeriesEvidence, WindowEvidence
from stream.baselines.layout import Layout
from stream.baselines.season import HOUR_MS, SeasonBaseline, SeasonKind, packed
from stream.evaluate.yardstick import yardstick_of
from stream.records.settings import SegmentSettings
from tests.small_model import START_MS, baseline, settings
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, judging, limits, part

WINDOW_MS = 3_000
ONE_HOUR = START_MS // HOUR_MS % 24
NEXT_HOUR_MS = HOUR_MS - START_MS % HOUR_MS  # after START_MS
ROWS = 400  # of each slot


def seasonal(*lengths_ms: int, whole: tuple[int, ...] = (), each: int = ROWS) -> Baseline:
    """All of x lies in bin h % 4 at hour h, the rest as in the whole; with evidence for these window lengths."""
    plain = baseline()
    layout = Layout(plain)
    of_whole = layout.baseline_coarse * each // 400
    counts = np.tile(of_whole, (24, 1))
    counts[:, :4] = each * np.eye(4, dtype=np.int64)[np.arange(24) % 4]
    season = SeasonBaseline(
        kind=SeasonKind.HOUR_OF_DAY,
        timezone="UTC",
        rows=(each,) * 24,
        packed=packed(counts),
        evidence=tuple(evidence(length, 100) for length in lengths_ms),
    )
    return msgspec.structs.replace(plain, season=season, evidence=tuple(evidence(length, 50) for length in whole))


def evidence(window_ms: int, blocks: int) -> WindowEvidence:
    one = SeriesEvidence(blocks=blocks, block_rows=400.0)
    rows = RowsEvidence(windows=blocks, mean=400.0, smallest=1, overdispersion=0.0, longest_silence_ms=1)
    return WindowEvidence(
        window_ms=window_ms, pane_ms=window_ms, stored=(one,) * 3, rates=(RateEvidence(),) * 3, rows=rows
    )


def run(of: Baseline, *panes: tuple[int, int, int], season: str | None = None, rules: Rules | None = None) -> Evaluate:
    """Panes with so many rows, all in one bin: start after START_MS, rows, bin."""
    evaluate = Evaluate(of, rules=rules, window_ms=WINDOW_MS)
    evaluate.judging = replace(evaluate.judging, season=season)
    source = Speaker()
    definition = source.counts_with(of)
    begin = panes[0][0]
    evaluate.hears(source.says(begin, [part(definition, begin - 3_000, 1)]))  # so that the first window is complete
    for start, rows, bin_of in panes:
        evaluate.hears(source.says(start + 1_000, [part(definition, start, rows, bin_of=bin_of)]))
    return evaluate


def x_of(report: dict[str, Any]) -> dict[str, Any]:
    return next(check for check in report["checks"] if check["subject"] == "x")


def test_a_window_is_compared_with_its_own_hour() -> None:
    report = run(seasonal(), (0, 400, ONE_HOUR % 4)).reports[-1]
    assert report["season"] == "hour-of-day UTC"
    assert x_of(report)["value"] < 0.01
    assert x_of(report)["evidence"]["baseline"] == [ROWS * (b == ONE_HOUR % 4) for b in range(4)] + [0, 0]


def test_what_is_normal_at_another_hour_is_drift_at_this_one() -> None:
    report = run(seasonal(), (0, 400, (ONE_HOUR + 1) % 4)).reports[-1]
    assert x_of(report)["value"] > 5


@pytest.mark.parametrize("season", ["none", "hour-of-week"])
def test_a_season_that_the_configuration_does_not_want_is_not_used(season: str) -> None:
    report = run(seasonal(), (0, 400, ONE_HOUR % 4), season=season).reports[-1]
    assert report["season"] is None
    assert x_of(report)["evidence"]["baseline"] == [100] * 4 + [0, 0]
    assert x_of(report)["value"] > 1


def test_over_the_full_hour_the_rows_of_each_side_weigh() -> None:
    # [300 rows at 01:59:59][100 rows at 02:00:00]
    first, second = ONE_HOUR % 4, (ONE_HOUR + 1) % 4
    before = NEXT_HOUR_MS - 1_000
    assert before % 1_000 == 0
    evaluate = run(seasonal(), (before, 300, first), (NEXT_HOUR_MS, 100, second))
    # Known as well as 1 / (.75^2 / 400 + .25^2 / 400) = 640 rows.
    expected = {first: 480, second: 160}
    assert x_of(evaluate.reports[-1])["evidence"]["baseline"][:4] == [expected.get(b, 0) for b in range(4)]
    assert x_of(evaluate.reports[-1])["value"] < 0.01


def test_after_a_crash_the_hours_are_what_they_were() -> None:
    panes = [(NEXT_HOUR_MS - 2_000, 50, 0), (NEXT_HOUR_MS - 1_000, 300, 1), (NEXT_HOUR_MS, 100, 2)]
    of = seasonal()
    whole, source, crashed = run(of, *panes), Speaker(), Evaluate(of, window_ms=WINDOW_MS)
    definition = source.counts_with(of)
    begin = panes[0][0]
    crashed.hears(source.says(begin, [part(definition, begin - 3_000, 1)]))
    for start, rows, bin_of in panes:
        crashed.crash()
        crashed.hears(source.says(start + 1_000, [part(definition, start, rows, bin_of=bin_of)]))
    assert crashed.reports == whole.reports


def test_an_alert_says_what_it_was_compared_with() -> None:
    evaluate = run(seasonal(), (0, 400, (ONE_HOUR + 1) % 4), rules=limits())
    assert "; compared with the same hour-of-day (UTC)" in evaluate.alerts[0]["annotations"]["description"]


def test_by_the_budget_the_evidence_is_that_of_the_hours() -> None:
    rules = Rules(default=Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=1), rule=BUDGET)
    of = seasonal(WINDOW_MS, whole=(WINDOW_MS,), each=40_000)
    healthy, moved = (x_of(run(of, (0, 400, b % 4), rules=rules).reports[-1]) for b in (ONE_HOUR, ONE_HOUR + 1))
    assert (healthy["verdict"], healthy["provisional"], healthy["p_value"] > 0.5) == ("ok", False, True)
    assert (moved["verdict"], moved["p_value"] < 1e-9) == ("critical", True)


@pytest.mark.parametrize(
    ("of", "pane_ms", "segment", "used", "blocks"),
    [
        (seasonal(WINDOW_MS), 1_000, "", True, 100),
        (seasonal(WINDOW_MS, whole=(WINDOW_MS,)), 1_000, "", True, 100),
        (seasonal(whole=(WINDOW_MS,)), 1_000, "", False, 50),  # how much hours differ is not known, the whole is
        (seasonal(whole=(9_000,)), 1_000, "", True, None),  # neither is
        (seasonal(WINDOW_MS, whole=(WINDOW_MS,)), 1_000, "origin=EWR", False, 50),  # a segment has no hours
        (seasonal(WINDOW_MS, whole=(WINDOW_MS,)), 7_000, "", False, 50),  # panes that do not divide an hour
        (baseline(), 1_000, "", False, None),
    ],
)
def test_which_season_and_which_evidence_a_window_is_judged_with(
    of: Baseline, pane_ms: int, segment: str, used: bool, blocks: int | None
) -> None:
    cut = msgspec.structs.replace(settings(pane_ms), segments={"origin": SegmentSettings(values=("EWR",))})
    found = yardstick_of(Definition(of, cut), judging(), WINDOW_MS, segment)
    assert (found.season is not None) is used
    assert (None if found.evidence is None else found.evidence[0].blocks) == blocks


def test_without_a_season_nobody_counts_rows_by_pane() -> None:
    yardstick = yardstick_of(Definition(baseline(), settings()), judging(), WINDOW_MS)

    def never() -> dict[int, int]:
        raise AssertionError("nobody asks")

    assert yardstick.hours(never) is None
