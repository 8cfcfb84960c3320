"""Names of features in one window: vanished, new, probably renamed; numbers worked out by hand."""

from dataclasses import replace

import msgspec
import pytest
from scipy.stats import betabinom, binom

from detectors import Smoothing, Verdict
from stream.alerts.quality_rules import SCHEMA, Limits, QualityRule
from stream.baselines.layout import Layout
from stream.evaluate.quality_yardstick import QualityYardstick
from stream.evaluate.schema_evaluator import SchemaCheck, SchemaWindow, evaluate_schema, usual_names
from stream.evaluate.settings import ModelSettings
from stream.evaluate.yardstick import Yardstick
from stream.ingest.value_codes import value_code
from stream.records.feature_names import FeatureNames, ValueCodes
from tests.small_model import baseline, categorical, numeric
from tests.unit.stream.evaluate.partials import limits

RULE = QualityRule(level=1e-4)
LIKE_X: ValueCodes = {value_code(v): 5 for v in (0.1, 0.3, 0.6, 0.9)}  # 20 values, the gap is 0.1875
LIKE_C: ValueCodes = {value_code("a"): 10, value_code("b"): 10}
LIKE_NONE: ValueCodes = {value_code(700.0): 20}


def yardstick(rule: QualityRule = RULE, layout: Layout | None = None) -> QualityYardstick:
    judging = ModelSettings(window_ms=3_000, psi=limits(), smoothing=Smoothing(), quality=rule)
    made = Yardstick(layout=layout or Layout(baseline()), settings=judging, pane_ms=1_000).quality
    assert made is not None
    return made


def judged(
    names: FeatureNames, *, usual: "tuple[str, ...] | None" = (), rule: QualityRule = RULE, complete: bool = True
) -> SchemaWindow:
    found = evaluate_schema(yardstick(rule), names, usual, complete=complete)
    assert found is not None
    return found


def check(found: SchemaWindow, subject: str) -> SchemaCheck:
    (only,) = [c for c in found.checks if c.subject == subject]
    return only


def verdicts(found: SchemaWindow) -> dict[str, tuple[str, str]]:
    return {c.subject: (c.change, str(c.verdict)) for c in found.checks}


def test_a_window_with_the_baselines_names_is_well() -> None:
    found = judged(FeatureNames(looked=20))
    assert verdicts(found) == {"x": ("vanished", "ok"), "c": ("vanished", "ok")}
    assert found.spent == pytest.approx(2e-4)


def test_a_feature_that_no_row_has_has_vanished() -> None:
    """Healthy: never missing in 400 rows, so a mean of 0.5 / 401 and an overdispersion of 1 / 402."""
    x = check(judged(FeatureNames(looked=20, absent={"x": 20})), "x")
    rate, size = 0.5 / 401, 401.0  # size = (1 - rho) / rho
    assert x.p_value == pytest.approx(betabinom.sf(19, 20, rate * size, (1 - rate) * size), rel=1e-9)
    assert (x.change, x.verdict, x.value, x.count, x.n) == ("vanished", Verdict.CRITICAL, 1.0, 20, 20)
    assert x.limit_of(Verdict.CRITICAL) == pytest.approx(0.9 + rate)


@pytest.mark.parametrize(("absent", "verdict"), [(10, "ok"), (11, "warning"), (18, "warning"), (19, "critical")])
def test_the_limits_are_shares_above_the_healthy_one(absent: int, verdict: str) -> None:
    """Of 20 rows: 0.5 and 0.00125 are 10.02 rows, 0.9 and 0.00125 are 18.02."""
    assert str(check(judged(FeatureNames(looked=20, absent={"c": absent})), "c").verdict) == verdict


def test_without_evidence_it_is_sampling_noise_unless_the_rule_asks_for_none() -> None:
    names = FeatureNames(looked=5, absent={"x": 3})
    x = check(judged(names, rule=replace(RULE, level=1e-9)), "x")
    assert (x.verdict, x.reason) == (Verdict.UNDEFINED, "sampling noise")
    plain = judged(names, rule=replace(RULE, level=1e-9, rule="threshold"))
    assert check(plain, "x").verdict is Verdict.WARNING
    assert plain.spent == 0.0


@pytest.mark.parametrize(
    ("looked", "complete", "reason"), [(4, True, "too few"), (0, True, "empty"), (20, False, "window filling")]
)
def test_of_what_says_too_little_no_verdict_is_given(looked: int, complete: bool, reason: str) -> None:
    found = judged(FeatureNames(looked=looked, absent={"x": looked} if looked else {}), complete=complete)
    assert {(str(c.verdict), c.reason) for c in found.checks} == {("undefined", reason)}
    assert found.spent == 0.0


def test_a_feature_that_the_baseline_mostly_misses_cannot_vanish() -> None:
    rare = replace_series(missing=300)  # of 400 rows
    found = evaluate_schema(yardstick(layout=rare), FeatureNames(looked=20, absent={"x": 20}), (), complete=True)
    assert found is not None
    assert check(found, "x").verdict is Verdict.OK


def replace_series(missing: int) -> Layout:
    x = msgspec.structs.replace(numeric("x"), missing=missing, counts=(25, 25, 25, 25))
    return Layout(msgspec.structs.replace(baseline(), series=(x, categorical("c"), numeric("score"))))


def test_of_names_without_number_the_most_frequent_are_looked_after() -> None:
    """A producer that writes an id as a name: in 20 rows 5,000 of them, and one that is new, and a feature renamed."""
    unknown = {f"id-{i:04}": {0: 1 + (i == 4_321)} for i in range(5_000)} | {"new": {0: 20}, "is x": LIKE_X}
    found = judged(FeatureNames(looked=20, absent={"x": 20}, unknown=unknown))
    beside = [c.subject for c in found.checks if c.change == "new"]
    assert len(beside) == 128
    assert {"new", "is x", "id-4321", "id-0000"} < set(beside)
    assert (check(found, "new").verdict, check(found, "x").change) == (Verdict.NOTICE, "renamed")
    assert usual_names(yardstick(), FeatureNames(looked=20, unknown=unknown)) == ("id-4321", "is x", "new")


def test_only_what_is_beyond_its_limit_or_has_an_alert_is_judged_one_by_one() -> None:
    names = FeatureNames(looked=20, absent={"x": 20, "c": 3}, unknown={"rare": {0: 2}, "new": {0: 20}})
    found = judged(names)
    assert [c.subject for c in found.crossed] == ["x", "new"]
    assert [c.subject for c in found.told(["schema|x", "psi|c"])] == ["x", "new"]
    assert [c.subject for c in found.told(["schema|c", "schema|rare", "schema|gone"])] == ["x", "c", "new", "rare"]
    assert found.judged == len(found.checks) == 4
    names.subtract(FeatureNames(looked=20, absent={"x": 20}))  # the sum of windows moves on
    assert check(found, "x").count == 20


def test_what_is_told_cites_the_names_that_were_no_news() -> None:
    names = FeatureNames(looked=20, absent={"x": 20}, unknown={"new": {0: 20}, "known": {0: 20}})
    found = judged(names, usual=("known",))
    assert {c.subject: c.usual for c in found.checks} == {"x": ("known",), "c": (), "new": ("known",)}


def test_a_name_in_half_of_the_rows_is_new_and_told_as_info() -> None:
    """Of 20 rows: the limit is 10, and a name in a quarter of all rows is in 15 with p = 3.8e-6, in 12 with 9.4e-4."""
    found = judged(FeatureNames(looked=20, unknown={"new": {0: 15}, "by chance": {0: 12}, "in fewer": {0: 9}}))
    assert verdicts(found) == {
        "x": ("vanished", "ok"), "c": ("vanished", "ok"),
        "new": ("new", "info"), "by chance": ("new", "undefined"), "in fewer": ("new", "ok"),
    }  # fmt: skip
    new = check(found, "new")
    assert new.value == 0.75
    assert new.p_value == pytest.approx(binom.sf(14, 20, 0.25), rel=1e-9)
    assert [new.limit_of(severity) for severity in (Verdict.NOTICE, Verdict.WARNING)] == [0.5, None]
    assert check(found, "by chance").reason == "sampling noise"
    assert found.spent == pytest.approx(2e-4)  # of what may vanish: names that do not come cannot alarm
    plain = judged(FeatureNames(looked=20, unknown={"by chance": {0: 12}}), rule=replace(RULE, rule="threshold"))
    assert check(plain, "by chance").verdict is Verdict.NOTICE


def test_what_was_there_from_the_beginning_is_no_news() -> None:
    names = FeatureNames(looked=20, unknown={"request": {0: 20}})
    assert "request" not in verdicts(judged(names, usual=("request",)))
    assert "request" not in verdicts(judged(names, usual=None))  # not known yet


def test_a_vanished_feature_was_renamed_to_the_new_one_that_fits_and_came_as_often() -> None:
    found = judged(FeatureNames(looked=20, absent={"x": 20}, unknown={"wind": LIKE_X, "id": LIKE_NONE}))
    x = check(found, "x")
    assert (x.change, x.verdict, x.p_value is not None) == ("renamed", Verdict.CRITICAL, True)
    assert x.renamed is not None
    assert (x.renamed.name, x.renamed.likeness.values) == ("wind", 20)
    assert x.renamed.likeness.gap == pytest.approx(0.1875)
    assert verdicts(found)["wind"] == ("new", "ok")  # told of with x
    assert verdicts(found)["id"] == ("new", "info")


def test_a_name_that_came_less_often_is_another_feature() -> None:
    fewer = {code: 4 for code in LIKE_X}  # 16 rows, x went from 20
    found = judged(FeatureNames(looked=20, absent={"x": 20}, unknown={"wind": fewer}))
    assert verdicts(found) == {"x": ("vanished", "critical"), "c": ("vanished", "ok"), "wind": ("new", "info")}
    about = fewer | {value_code(0.9): 6}  # 18 rows: within a tenth
    assert verdicts(judged(FeatureNames(looked=20, absent={"x": 20}, unknown={"wind": about})))["x"][0] == "renamed"


def test_two_renamed_at_once_are_told_apart_by_their_values() -> None:
    names = FeatureNames(looked=20, absent={"x": 20, "c": 20}, unknown={"one": LIKE_C, "two": LIKE_X})
    found = judged(names)
    renamed = {c.subject: c.renamed.name for c in found.checks if c.renamed}
    assert renamed == {"x": "two", "c": "one"}


def test_each_new_name_is_one_features_and_the_best_fit_wins() -> None:
    """Two numeric features that are alike: one name cannot be both."""
    twins = Layout(msgspec.structs.replace(baseline(), series=(numeric("x"), numeric("y"), numeric("score"))))
    names = FeatureNames(looked=20, absent={"x": 20, "y": 20}, unknown={"wind": LIKE_X})
    found = evaluate_schema(yardstick(layout=twins), names, (), complete=True)
    assert found is not None
    assert {c.subject: c.change for c in found.checks if c.verdict.is_breach} == {"x": "renamed", "y": "vanished"}


def test_it_was_not_renamed_to_what_was_there_before() -> None:
    found = judged(FeatureNames(looked=20, absent={"x": 20}, unknown={"wind": LIKE_X}), usual=("wind",))
    x = check(found, "x")
    assert (x.change, x.renamed, x.usual) == ("vanished", None, ("wind",))


def test_usual_are_the_names_of_a_tenth_of_the_rows_but_what_a_feature_was_renamed_to() -> None:
    names = FeatureNames(
        looked=20, absent={"x": 20}, unknown={"wind": LIKE_X, "id": LIKE_NONE, "now and then": {0: 2}, "once": {0: 1}}
    )
    assert usual_names(yardstick(), names) == ("id", "now and then")
    assert usual_names(yardstick(), FeatureNames(looked=19, unknown={"id": {0: 19}})) is None


def test_what_is_off_is_not_judged() -> None:
    names = FeatureNames(looked=20, absent={"x": 20})
    off = replace(RULE, limits={name: one for name, one in RULE.limits.items() if name != SCHEMA})
    assert evaluate_schema(yardstick(off), names, (), complete=True) is None
    assert evaluate_schema(None, names, (), complete=True) is None
    assert "x" not in verdicts(judged(names, rule=replace(RULE, off=frozenset({"x"}))))
    new = FeatureNames(looked=20, unknown={"nightly": {0: 20}})
    assert "nightly" not in verdicts(judged(new, rule=replace(RULE, off=frozenset({"nightly"}))))
    wide = replace(RULE, limits={SCHEMA: Limits(warning=0.1, critical=0.2)})
    assert check(judged(FeatureNames(looked=20, absent={"x": 3}), rule=wide), "x").verdict is Verdict.WARNING
