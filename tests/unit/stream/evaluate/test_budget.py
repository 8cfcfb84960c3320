"""One window judged by the rule `budget`: evidence at the budget's level, and effect."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2_contingency

from detectors import Threshold, Verdict
from detectors.budget import FalseAlarmBudget
from detectors.evidence import INDEPENDENT_ROWS, Evidence
from stream.alerts.budget_plan import BudgetPlan
from stream.alerts.rules import BUDGET, NEVER, LatencyRule, PerformanceRules, Rules, WorseRule
from stream.baselines.definition import Definition
from stream.evaluate.evaluator import Check, SeriesTest, evaluate_window
from stream.evaluate.report import test_record as record_of_test
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from tests.small_model import baseline, settings
from tests.unit.stream.evaluate.partials import judging

LAYOUT = Definition(baseline(), settings()).layout
EFFECTS = Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=1)
MINUTE = 60_000
EVALUATIONS = 30 * 1_440  # in the budget's period
EVEN = [100, 100, 100, 100]  # as in the baseline
HEALTHY = Evidence(
    overdispersion=0.0, spreads=(), directions=(), blocks=50, block_rows=100.0, tail_start=np.inf, tail_scale=1.0,
    guard=0.0,
)  # fmt: skip


def rules(**subjects: Threshold) -> ModelSettings:
    return replace(judging(), psi=Rules(default=EFFECTS, subjects=subjects, rule=BUDGET))


def window(x: list[int]) -> npt.NDArray[np.int64]:
    """Rows by bin of x; in c and the score they lie as in the baseline, nearly."""
    rows = sum(x)
    of_each = (x, [rows - rows // 2, rows // 2], [rows // 4 + rows % 4, rows // 4, rows // 4, rows // 4])
    counts = np.zeros(LAYOUT.width, np.int64)
    for first, bins in zip(LAYOUT.series_coarse_starts, of_each, strict=True):
        counts[LAYOUT.coarse_starts[first : first + len(bins)]] = bins
    return counts


def judged(
    x: list[int], of: ModelSettings | None = None, evidence: tuple[Evidence, ...] | None = None
) -> dict[str, Check]:
    yardstick = Yardstick(layout=LAYOUT, settings=of or rules(), pane_ms=MINUTE, evidence=evidence)
    found = evaluate_window(yardstick, window(x), start_ms=0, end_ms=3_600_000, complete=True)
    return {check.subject: check for check in found.checks}


def of_series(check: Check) -> SeriesTest:
    assert check.test is not None
    return check.test


def test_without_evidence_it_is_the_g_test_of_independent_rows() -> None:
    x = [130, 90, 95, 85]
    oracle = chi2_contingency([x, EVEN], correction=False, lambda_="log-likelihood")
    check = judged(x)["x"]
    assert of_series(check).p_value == pytest.approx(oracle.pvalue, rel=1e-5)
    assert check.provisional
    assert isinstance(check.value, float)
    assert of_series(check).psi_corrected == pytest.approx(max(0.0, check.value - 3 * (1 / 400 + 1 / 400)))


def test_each_test_has_its_share_of_the_budget() -> None:
    """Two features and a score: a half and 0.15 of the budget, and nothing else is tested."""
    found = judged([100] * 4)
    assert of_series(found["x"]).level == pytest.approx(0.5 / 0.65 / 2 / EVALUATIONS)
    assert of_series(found["score"]).level == pytest.approx(0.15 / 0.65 / EVALUATIONS)
    generous = replace(rules(), budget=BudgetPlan(budget=FalseAlarmBudget.parse("10 per 30d")))
    assert of_series(judged([100] * 4, generous)["x"]).level == pytest.approx(10 * 0.5 / 0.65 / 2 / EVALUATIONS)


def test_few_rows_a_bin_have_a_quarter_of_the_level() -> None:
    """x has four bins with rows in the baseline: from 80 rows on the level is whole."""
    few, enough = (of_series(judged([n, 20, 20, 20])["x"]).level for n in (19, 20))
    assert few == pytest.approx(enough / 4)


def test_rows_that_come_alike_count_as_the_independent_ones_they_are_worth() -> None:
    """Sessions of nine: 9 x 80 rows are worth 80, which are enough for four bins; one session less is not."""
    for rows, share in ((720, 1.0), (711, 0.25)):
        sessions = replace(HEALTHY, overdispersion=8 / rows)
        clumped, alone = (judged([rows, 0, 0, 0], evidence=(one,) * 3)["x"] for one in (sessions, HEALTHY))
        assert of_series(clumped).level == pytest.approx(share * of_series(alone).level)


@pytest.mark.parametrize(("x", "verdict"), [
    ([100, 100, 100, 100], Verdict.OK),
    ([9_600, 10_400, 10_000, 10_000], Verdict.OK),          # certain, and too small to be told
    ([13, 4, 4, 4], Verdict.OK),                            # large, and chance may do it
    ([1_000, 1_400, 1_000, 600], Verdict.NOTICE),           # PSI 0.09
    ([1_000, 1_600, 900, 500], Verdict.WARNING),            # 0.18
    ([1_000, 1_900, 700, 400], Verdict.CRITICAL),           # 0.33
])  # fmt: skip
def test_an_alert_needs_evidence_and_effect(x: list[int], verdict: Verdict) -> None:
    check = judged(x)["x"]
    assert (check.verdict, check.reason, check.rule) == (verdict, None, "budget")


def test_healthy_wander_takes_the_evidence_away() -> None:
    """Windows of the baseline that differ by a tenth of a share: what was certain is none of it."""
    x = [1_000, 1_900, 700, 400]
    known = judged(x, evidence=(HEALTHY,) * 3)["x"]
    assert (known.verdict, known.provisional) == (Verdict.CRITICAL, False)
    wandering = judged(x, evidence=(replace(HEALTHY, overdispersion=0.1),) * 3)["x"]
    assert wandering.verdict is Verdict.OK
    assert of_series(wandering).p_value > 0.05 > of_series(known).p_value
    assert of_series(wandering).detectable_psi > 3 * of_series(known).detectable_psi


def test_no_window_alarms_that_is_nearer_than_one_of_the_baseline() -> None:
    x = [1_000, 1_900, 700, 400]
    farthest = -float(np.log(of_series(judged(x, evidence=(HEALTHY,) * 3)["x"]).p_value))
    for guard, verdict in ((farthest - 0.1, Verdict.CRITICAL), (farthest + 0.1, Verdict.OK)):
        assert judged(x, evidence=(replace(HEALTHY, guard=guard),) * 3)["x"].verdict is verdict


@pytest.mark.parametrize(("farthest", "verdict"), [(0.3, Verdict.CRITICAL), (3.0, Verdict.OK), (np.inf, Verdict.OK)])
def test_what_is_far_beyond_every_healthy_window_needs_no_other_evidence(farthest: float, verdict: Verdict) -> None:
    wanders = replace(HEALTHY, overdispersion=0.01, guard=1_000.0, blocks=168, farthest_psi=farthest)
    check = judged([10, 10, 10, 970], evidence=(wanders,) * 3)["x"]
    assert check.verdict is verdict
    psi, times = of_series(check).psi_corrected, of_series(check).times_farthest
    assert times == (pytest.approx(psi / farthest) if verdict is Verdict.CRITICAL else None)
    assert ("far" in record_of_test(check)) == (times is not None)


def test_what_has_evidence_rests_on_it_however_far_it_is() -> None:
    check = judged([10, 10, 10, 970], evidence=(replace(HEALTHY, farthest_psi=0.01),) * 3)["x"]
    assert (check.verdict, of_series(check).times_farthest) == (Verdict.CRITICAL, None)


def test_evidence_of_too_few_windows_is_provisional() -> None:
    assert judged([100] * 4, evidence=(replace(HEALTHY, blocks=19),) * 3)["x"].provisional
    assert judged([100] * 4, evidence=(INDEPENDENT_ROWS,) * 3)["x"].provisional


def test_what_is_switched_off_is_shown_and_spends_nothing() -> None:
    found = judged([1_000, 1_900, 700, 400], rules(x=NEVER))
    assert (found["x"].verdict, found["x"].reason) == (Verdict.OK, None)
    assert of_series(found["c"]).level == pytest.approx(0.5 / 0.65 / EVALUATIONS)


def test_what_can_be_seen_is_seen_and_what_cannot_is_not() -> None:
    """At half the PSI named a window so shifted is hardly ever told of, at twice it nearly always."""
    rng = np.random.default_rng(11)
    even, toward = np.full(4, 0.25), np.array([1, -1, 1, -1])
    named = of_series(judged([500] * 4)["x"]).detectable_psi
    sizes = np.linspace(0, 0.95, 2_000)
    psis = [float((((c := even * (1 + s * toward)) - even) * np.log(c / even)).sum()) for s in sizes]
    for times, low, high in ((0.5, 0.0, 0.1), (2.0, 0.9, 1.0)):
        shifted = even * (1 + sizes[np.searchsorted(psis, times * named)] * toward)
        windows = rng.multinomial(2_000, shifted, size=200).tolist()
        assert low <= np.mean([judged(x)["x"].verdict.is_breach for x in windows]) <= high


def test_an_empty_window_has_no_test() -> None:
    check = judged([0, 0, 0, 0])["x"]
    assert (check.verdict, check.reason, check.test) == (Verdict.UNDEFINED, "empty", None)


def test_the_plain_rule_asks_for_no_evidence() -> None:
    check = judged([13, 4, 4, 4], judging())["x"]
    assert (check.verdict, check.rule, check.test, check.provisional) == (Verdict.CRITICAL, "threshold", None, False)


def test_tests_are_counted_by_what_the_model_has() -> None:
    of = replace(rules(), latency=LatencyRule())
    assert of.tests(baseline()) == {"features": 2, "score": 1, "performance": 0, "latency": 1, "quality": 0}
    assert of.tests(baseline(), parts=4) == {"features": 8, "score": 4, "performance": 0, "latency": 4, "quality": 0}
    fixed = replace(of, latency=LatencyRule(level=0.01), psi=judging().psi)
    assert fixed.tests(baseline()) == {"features": 0, "score": 0, "performance": 0, "latency": 0, "quality": 0}


def test_a_level_of_the_configuration_wins_over_the_budgets() -> None:
    given = PerformanceRules(auc=WorseRule(tolerance=0.05, level=0.01), brier=None)
    assert given.at(1e-6) == PerformanceRules(
        auc=WorseRule(tolerance=0.05, level=0.01), brier=None, mae=WorseRule(tolerance=0.1, level=1e-6)
    )
    assert (LatencyRule().at(1e-6).level, LatencyRule(level=0.01).at(1e-6).level) == (1e-6, 0.01)
