"""Data quality of a window: what is said of it, counted by hand and by plain loops."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from detectors import Smoothing, Undefined, Verdict
from stream.alerts.quality_rules import Limits, QualityRule
from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.evidence import NO_RATE, Rate, RateEvidence, RowsEvidence, SeriesEvidence, WindowEvidence
from stream.baselines.layout import Counts, Layout
from stream.evaluate.quality_evaluator import QualityCheck, QualityWindow, evaluate_quality
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN, ModelColumns
from tests.small_model import baseline
from tests.unit.stream.evaluate.partials import limits

WINDOW_MS = 3_000
LAYOUT = Layout(baseline())  # x: 4 bins of 100 rows each over [0, 1]; c: a 200, b 190, z (other) 10; score like x
RULE = QualityRule(level=1e-4)
HEALTHY_X = (0.1, 0.3, 0.6, 0.9)


def window(xs: "list[float]", codes: "list[int] | None" = None, scores: "list[float] | None" = None) -> Counts:
    """Counts of so many rows; NaN is missing, inf invalid."""
    n = len(xs)
    columns = ModelColumns(
        row=np.arange(n),
        numeric=np.array([xs, scores or [HEALTHY_X[i % 4] for i in range(n)]], np.float64).T,
        categorical=np.array(codes or [i % 2 for i in range(n)], np.int32).reshape(n, 1),
    )
    return np.bincount(LAYOUT.flat_bins(columns).ravel(), minlength=LAYOUT.width).astype(np.int64)


def healthy_xs(n: int) -> list[float]:
    return [HEALTHY_X[i % 4] for i in range(n)]


def judged(
    counts: Counts, rule: QualityRule = RULE, *, complete: bool = True, layout: Layout = LAYOUT
) -> QualityWindow:
    known = layout.baseline.evidence_for(WINDOW_MS)
    yardstick = Yardstick(
        layout=layout,
        settings=ModelSettings(window_ms=WINDOW_MS, psi=limits(), smoothing=Smoothing(), quality=rule),
        pane_ms=1_000,
        known=known,
        evidence=None if known is None else known.series,
    )
    found = evaluate_quality(yardstick.quality, counts, int(counts[: layout.starts[1]].sum()), complete=complete)
    assert found is not None
    return found


def check(found: QualityWindow, name: str, subject: str) -> QualityCheck:
    (one,) = [c for c in found.checks if (c.check, c.subject) == (name, subject)]
    return one


def breaches(found: QualityWindow) -> dict[tuple[str, str], Verdict]:
    return {(c.check, c.subject): c.verdict for c in found.checks if c.verdict not in (Verdict.OK, Verdict.UNDEFINED)}


def learned(
    *, missing: Rate = NO_RATE, beyond: Rate = NO_RATE, overdispersion: float = 0.0, blocks: int = 100
) -> Baseline:
    """The small baseline with evidence, alike for each series."""
    one = SeriesEvidence(overdispersion=overdispersion, blocks=blocks, block_rows=400.0)
    evidence = WindowEvidence(
        window_ms=WINDOW_MS,
        pane_ms=1_000,
        stored=(one,) * 3,
        rates=(RateEvidence(missing=missing, beyond=beyond),) * 3,
        rows=RowsEvidence(windows=blocks, mean=400.0, smallest=300, overdispersion=0.0, longest_silence_ms=10),
    )
    return msgspec.structs.replace(baseline(), evidence=(evidence,))


def test_traffic_as_in_the_baseline_has_nothing_to_say() -> None:
    found = judged(window(healthy_xs(400)))
    assert breaches(found) == {}
    assert {c.reason for c in found.checks} <= {None, "too few values"}  # c has two kept categories, and one is no loss


def test_each_series_says_what_it_is_made_of() -> None:
    xs = [np.nan, np.inf, -1.0, 2.0, 0.1, 0.1, 0.3]
    codes = [CODE_MISSING, CODE_INVALID, CODE_UNSEEN, CODE_UNSEEN, 0, 0, 2]
    found = judged(window(xs, codes, [0.1] * 7))
    told = {s.subject: (s.missing, s.invalid, s.beyond, s.different, s.fullest) for s in found.series}
    assert told["x"] == (1, 1, 2, 4, 2)  # below, above, two bins
    assert told["c"] == (1, 1, 2, 1, 2)  # `other` and `unseen` are no category
    assert told["score"] == (0, 0, 0, 1, 7)


@pytest.mark.parametrize(
    ("bad", "verdict", "reason"),
    [
        (4, Verdict.OK, None),  # 0.67 %: less than a point above the baseline's 0.12 %
        (7, Verdict.UNDEFINED, "sampling noise"),  # of 400 rows none was missing: 7 of 600 may be chance
        (30, Verdict.WARNING, None),
        (60, Verdict.WARNING, None),  # 10 %, not ten points above
        (61, Verdict.CRITICAL, None),
    ],
)
def test_missing_values_need_the_effect_and_the_evidence(bad: int, verdict: Verdict, reason: str | None) -> None:
    found = check(judged(window([np.nan] * bad + healthy_xs(600 - bad))), "missing", "x")
    assert (found.verdict, found.reason, found.value, found.count) == (verdict, reason, bad / 600, bad)


def test_the_p_value_is_that_of_the_law_that_the_baseline_leaves() -> None:
    """Of 400 rows none was missing: Beta(1/2, 400.5)."""
    found = check(judged(window([np.nan] * 30 + healthy_xs(570))), "missing", "x")
    assert found.p_value == pytest.approx(betabinom.sf(29, 600, 0.5, 400.5), rel=1e-6)
    assert found.healthy == pytest.approx(0.5 / 401)


def test_out_of_range_has_wilks_law() -> None:
    """Beyond the extremes of 400 rows lies a share of new ones that is Beta(2, 399)."""
    found = check(judged(window([-1.0] * 20 + [7.0] * 20 + healthy_xs(560))), "out_of_range", "x")
    assert found.p_value == pytest.approx(betabinom.sf(39, 600, 2, 399), rel=1e-6)
    assert (found.verdict, found.count) == (Verdict.WARNING, 40)


def test_a_category_is_as_new_as_the_rare_ones_of_the_baseline_were() -> None:
    """`z` may have been seen once, for all that is known, so one of 400 new rows is unseen when all is well."""
    found = check(judged(window(healthy_xs(600), [CODE_UNSEEN] * 50 + [0, 1] * 275)), "unseen", "c")
    assert found.p_value == pytest.approx(betabinom.sf(49, 600, 1.5, 399.5), rel=1e-6)
    assert found.verdict is Verdict.WARNING


def test_what_healthy_windows_differ_by_takes_evidence_away() -> None:
    rate = Rate(rate=0.01, overdispersion=0.1)
    counts = window([np.nan] * 30 + healthy_xs(570))
    calm = check(judged(counts, layout=Layout(learned(missing=rate))), "missing", "x")
    assert (calm.verdict, calm.reason, calm.provisional) == (Verdict.UNDEFINED, "sampling noise", False)
    assert check(judged(counts), "missing", "x").provisional


def test_what_is_rare_but_normal_is_not_out_of_range() -> None:
    """Healthy windows brought new extremes in 5 % of their rows, so 6 % is nothing."""
    counts = window([7.0] * 36 + healthy_xs(564))
    assert check(judged(counts), "out_of_range", "x").verdict is Verdict.WARNING
    layout = Layout(learned(beyond=Rate(rate=0.05, overdispersion=0.01)))
    assert check(judged(counts, layout=layout), "out_of_range", "x").verdict is Verdict.OK


def test_the_answer_is_judged_as_missing_stuck_and_poor_in_values_only() -> None:
    found = judged(window(healthy_xs(400), scores=[0.1] * 400))
    assert {c.check for c in found.checks if c.subject == "score"} == {"missing", "stuck", "cardinality"}
    assert breaches(found) == {("stuck", "score"): Verdict.CRITICAL}


def test_a_constant_is_stuck_and_not_poor_in_values_beside() -> None:
    found = judged(window([0.3] * 400))
    stuck = check(found, "stuck", "x")
    assert (stuck.verdict, stuck.value, stuck.count, stuck.at) == (Verdict.CRITICAL, 1.0, 400, 2)
    cardinality = check(found, "cardinality", "x")
    assert (cardinality.verdict, cardinality.reason) == (Verdict.UNDEFINED, "stuck")


def test_a_constant_beside_missing_values_is_stuck_all_the_same() -> None:
    found = judged(window([0.3] * 200 + [np.nan] * 200))
    assert check(found, "stuck", "x").value == 1.0
    assert check(found, "stuck", "x").n == 200


def test_what_is_constant_in_each_healthy_window_is_not_stuck() -> None:
    """As the month is: the share of its bin differs between windows as much as it can."""
    counts = window([0.3] * 400)
    assert check(judged(counts, layout=Layout(learned(overdispersion=1.0))), "stuck", "x").reason == "sampling noise"
    assert check(judged(counts, layout=Layout(learned())), "stuck", "x").verdict is Verdict.CRITICAL


def many_bins() -> Layout:
    edges = tuple(k / 100 for k in range(1, 100))
    wide = msgspec.structs.replace(
        baseline().series[0], inner_edges=edges, coarse_starts=tuple(range(0, 100, 10)), counts=(10,) * 100
    )
    return Layout(msgspec.structs.replace(baseline(), answer=None, series=(wide,)))


def of_many(xs: "np.ndarray") -> Counts:
    layout = many_bins()
    columns = ModelColumns(row=np.arange(len(xs)), numeric=xs[:, None], categorical=np.zeros((len(xs), 0), np.int32))
    return np.bincount(layout.flat_bins(columns).ravel(), minlength=layout.width).astype(np.int64)


def test_numbers_that_are_rounded_have_too_few_different_values() -> None:
    xs = np.random.default_rng(7).random(600)
    assert breaches(judged(of_many(xs), layout=many_bins())) == {}
    found = judged(of_many(np.round(xs * 10) / 10 * 0.99), layout=many_bins())
    assert breaches(found) == {("cardinality", "x"): Verdict.CRITICAL}
    one = check(found, "cardinality", "x")
    # 1 - exp(-600 / 100) of 100 bins are occupied in a healthy window, to a hair.
    assert one.value == pytest.approx(1 - 11 / (100 * (1 - np.exp(-6))), rel=1e-9)


def test_few_rows_have_few_different_values() -> None:
    xs = np.random.default_rng(7).random(60)
    found = judged(of_many(xs), layout=many_bins())
    assert check(found, "cardinality", "x").verdict is Verdict.OK
    assert check(found, "cardinality", "x").count < 60


@pytest.mark.parametrize(
    ("rows", "complete", "reason"), [(0, True, "empty"), (49, True, "too few"), (400, False, "window filling")]
)
def test_what_the_window_does_not_tell_is_undefined(rows: int, complete: bool, reason: str) -> None:
    found = judged(window([np.nan] * rows) if rows else np.zeros(LAYOUT.width, np.int64), complete=complete)
    one = check(found, "missing", "x")
    assert (one.verdict, one.reason) == (Verdict.UNDEFINED, reason)
    assert (one.value == Undefined("empty")) == (rows == 0)


def test_the_plain_rule_asks_for_the_effect_alone() -> None:
    found = check(judged(window([np.nan] * 7 + healthy_xs(593)), replace(RULE, rule="threshold")), "missing", "x")
    assert found.verdict is Verdict.WARNING


def test_by_the_plain_rule_the_limit_is_what_is_seen() -> None:
    counts = window(healthy_xs(60))
    plain, tested = (check(judged(counts, rule), "missing", "x") for rule in (replace(RULE, rule="threshold"), RULE))
    assert plain.detectable == plain.warning
    assert tested.detectable is not None
    assert tested.detectable > 3 * tested.warning


def test_what_is_constant_in_the_baseline_is_not_stuck_by_the_plain_rule_either() -> None:
    """The test would find it healthy; the limit alone would alarm for ever."""
    constant = Layout(create_baseline({"x": np.full(400, 7.0), "y": np.arange(400.0)}, model="m", version="1"))
    counts = np.zeros(constant.width, np.int64)
    counts[constant.baseline_counts == 400] = 400  # x, as ever
    counts[constant.starts[1] + 1] = 400  # y, in one of its bins
    for rule in (RULE, QualityRule(rule="threshold")):
        found = judged(counts, rule, layout=constant)
        assert breaches(found) == {("stuck", "y"): Verdict.CRITICAL}
        if rule is not RULE:
            assert {c.subject for c in found.checks if c.check == "stuck"} == {"y"}


def test_what_is_off_is_not_judged() -> None:
    rule = replace(RULE, limits={"missing": Limits(warning=0.01, critical=0.1)}, off=frozenset({"c"}))
    assert {(c.check, c.subject) for c in judged(window(healthy_xs(400)), rule).checks} == {
        ("missing", "x"), ("missing", "score"),
    }  # fmt: skip
    assert evaluate_quality(None, window(healthy_xs(4)), 4, complete=True) is None


@given(st.integers(50, 2_000), st.floats(0, 1))
def test_a_share_that_is_said_to_be_seen_is_seen(n: int, extra: float) -> None:
    """From the detectable share on the verdict is a breach."""
    at = check(judged(window(healthy_xs(n))), "missing", "x").detectable
    assert at is not None
    bad = min(n, int(np.ceil((at + extra * (1 - at)) * n)))
    found = check(judged(window([np.nan] * bad + healthy_xs(n - bad))), "missing", "x")
    assert found.verdict in (Verdict.WARNING, Verdict.CRITICAL)


def test_the_budget_gives_each_test_its_level() -> None:
    """x and c have six checks each, the score three: 15 tests; nothing else is tested, so they have it all."""
    settings = ModelSettings(window_ms=WINDOW_MS, psi=limits(), smoothing=Smoothing(), quality=QualityRule())
    yardstick = Yardstick(layout=LAYOUT, settings=settings, pane_ms=60_000)
    assert settings.tests(baseline())["quality"] == 15
    assert yardstick.quality is not None
    assert set(yardstick.levels) == {"quality"}
    assert yardstick.quality.level == pytest.approx(60_000 / (30 * 86_400_000) / 15)
    plain = replace(settings, quality=QualityRule(rule="threshold"))
    assert plain.tests(baseline())["quality"] == 0
    assert replace(settings, quality=QualityRule(level=1e-3)).tests(baseline())["quality"] == 0


def test_a_segment_is_not_judged_again() -> None:
    settings = ModelSettings(window_ms=WINDOW_MS, psi=limits(), smoothing=Smoothing(), quality=RULE)
    yardstick = Yardstick(layout=LAYOUT, settings=settings, pane_ms=1_000, segment="origin=EWR")
    assert yardstick.quality is None


def test_what_is_spent_is_the_level_of_each_test_that_was_made() -> None:
    """Of 13 checks the cardinality of c, of two categories, is none."""
    found = judged(window([np.nan] * 7 + healthy_xs(593)))
    assert check(found, "missing", "x").reason == "sampling noise"  # a test that was made
    made = [c for c in found.checks if c.reason in (None, "sampling noise")]
    assert len(made) == 12
    assert found.spent == pytest.approx(12 * 1e-4)
    assert judged(window(healthy_xs(600)), replace(RULE, rule="threshold")).spent == 0


@given(
    st.lists(st.sampled_from([0.1, 0.3, 0.3, 0.3, -1.0, np.nan, np.inf]), max_size=120),
    st.lists(st.sampled_from([0, 0, 0, 1, 2, CODE_MISSING, CODE_UNSEEN, CODE_INVALID]), min_size=120, max_size=120),
    st.sampled_from(["budget", "threshold"]),
    st.booleans(),
    st.booleans(),
)
def test_all_series_together_are_judged_as_one_by_one(
    xs: list[float], codes: list[int], rule: str, few_values: bool, complete: bool
) -> None:
    """What stands out, how many were judged, and what is spent follow from the verdicts one by one."""
    limits = dict(RULE.limits)
    if few_values:
        del limits["stuck"], limits["unseen"]
    counts = window([0.3] * 30 + xs, [0] * 30 + codes[: len(xs)])
    found = judged(counts, replace(RULE, rule=rule, limits=limits), complete=complete)
    says_what_its_checks_say(found)


@given(st.integers(1, 100), st.integers(40, 300), st.integers(0, 300))
def test_series_of_many_values_together_are_judged_as_one_by_one(different: int, rows: int, missing: int) -> None:
    """From a constant, which is stuck and then not poor in values besides, to as many values as there are bins."""
    xs = np.append(np.arange(rows) % different / 100 + 0.005, [np.nan] * missing)
    says_what_its_checks_say(judged(of_many(xs), layout=many_bins()))


def says_what_its_checks_say(found: QualityWindow) -> None:
    assert list(found.beyond) == [c for c in found.checks if c.is_beyond]
    assert found.judged == sum(c.verdict is not Verdict.UNDEFINED for c in found.checks)
    made = sum(c.verdict is not Verdict.UNDEFINED or c.reason == "sampling noise" for c in found.checks)
    assert found.spent == (made * found.level if found.rule.rule == "budget" else 0.0)


def test_what_alerts_are_about_is_told_beside_what_stands_out() -> None:
    found = judged(window([np.nan] * 60 + healthy_xs(540)))
    (beyond,) = found.beyond
    assert (beyond.check, beyond.subject) == ("missing", "x")
    assert found.told(["psi|x", "missing|x", "missing", "missing|gone", "unseen|x"]) == (beyond,)
    assert found.told(["stuck|c", "missing|score"]) == (
        beyond, check(found, "missing", "score"), check(found, "stuck", "c"),
    )  # fmt: skip


def test_a_window_stays_as_it_was_judged() -> None:
    """The sum of a course moves on, and somebody asks for a check that said nothing."""
    counts = window(healthy_xs(400))
    found = judged(counts)
    counts += 1_000
    assert check(found, "missing", "x").count == 0


def test_a_feature_of_which_the_baseline_has_no_value_has_no_bins_to_be_stuck_in() -> None:
    nothing = msgspec.structs.replace(
        baseline().series[1], categories=(), other_categories=(), counts=(), other=0, missing=400
    )
    layout = Layout(msgspec.structs.replace(baseline(), answer=None, series=(nothing, baseline().series[0])))
    counts = np.zeros(layout.width, np.int64)
    counts[layout.starts[0] + 2] = counts[layout.starts[1] + 2] = 400  # all are unseen now
    found = judged(counts, layout=layout)
    assert (found.series[0].different, found.series[0].fullest, found.series[0].beyond) == (0, 0, 400)
    assert check(found, "stuck", "c").verdict is Verdict.OK
    assert check(found, "cardinality", "c").reason == "too few values"
    assert check(found, "unseen", "c").verdict is Verdict.CRITICAL
