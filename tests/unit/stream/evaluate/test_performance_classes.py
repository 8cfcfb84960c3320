"""The classes of a window together: what is compared with what, and what is said where nothing can be."""

from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import Auc, Undefined, Verdict
from detectors.multiclass import comparable
from detectors.wander import Reading, Wander, auc_reading
from stream.alerts.rules import PerformanceRules, WorseRule
from stream.baselines.baseline import Baseline, ClassScores
from stream.baselines.grid import ScoreGrid
from stream.evaluate.label_coverage import Cohort, LabelCoverage
from stream.evaluate.performance_checks import _centred
from stream.evaluate.performance_classes import ClassPerformance, macro_cohorts
from stream.evaluate.performance_evaluator import (
    ClassCounts,
    PerformanceEvaluation,
    Span,
    evaluate_classes,
    performance_baseline,
)
from stream.records.performance import Counts, Sections
from tests.small_model import baseline
from tests.unit.stream.evaluate.labels import definition

GRID = ScoreGrid(edges=(0.5,), means=(0.25, 0.75), threshold=0.5)
NONE = LabelCoverage(predictions=0, labelled=0, bands=(), cohorts=())
RULES = PerformanceRules(auc=WorseRule(tolerance=0.05, min_samples=10))
Rows = dict[str, tuple[int, int]]  # of each class: rows with a high score of it, rows with a low one


def labelled(rows: Rows) -> tuple[ClassScores, ...]:
    """The counts of classes whose rows have a high score for their own class, or for the next one instead."""
    names = list(rows)
    found = []
    for i, name in enumerate(names):
        high, low = rows[name]
        fooled = rows[names[i - 1]][1]  # rows of the class before, taken for this one
        others = sum(h + w for other, (h, w) in rows.items() if other != name) - fooled
        found.append(ClassScores(name=name, grid=GRID, negatives=(others, 0, 0, fooled), positives=(low, 0, 0, high)))
    return tuple(found)


def known(rows: Rows | None) -> Baseline:
    classes = labelled(rows) if rows else tuple(ClassScores(name=n, grid=GRID) for n in "abc")
    return msgspec.structs.replace(baseline(1), task="multiclass", answer="scores", scores=classes)


def evaluated(rows: Rows, before: Rows | None, *, comparable_grids: bool = True) -> PerformanceEvaluation:
    of = definition(category="a", bins=4)
    sections = Sections.of(of)
    by_class: list[Counts] = []
    for one in labelled(rows):
        counts = np.zeros(sections.width, np.int64)
        counts[sections.negatives], counts[sections.positives] = one.negatives or (), one.positives or ()
        by_class.append(counts)
    together = performance_baseline(known(before), msgspec.structs.replace(of, category="", task="multiclass"))
    return evaluate_classes(
        of,
        ClassCounts(by_class[0], by_class if comparable_grids else None),
        together,
        RULES,
        span=Span(0, 1, complete=True),
        coverage=NONE,
    )


BEFORE: Rows = {"a": (900, 100), "b": (900, 100), "c": (900, 100)}


@pytest.mark.parametrize(
    ("now", "verdict", "reason"),
    [
        ({"a": (180, 20), "b": (180, 20), "c": (180, 20)}, Verdict.OK, None),
        ({"a": (100, 100), "b": (100, 100), "c": (100, 100)}, Verdict.CRITICAL, None),
        ({"a": (180, 20), "b": (180, 20), "c": (0, 5)}, Verdict.OK, None),  # too few of c to say anything of c
        ({"a": (5, 0), "b": (5, 0), "c": (5, 0)}, Verdict.UNDEFINED, "too few"),
        ({"a": (0, 0), "b": (0, 0), "c": (0, 0)}, Verdict.UNDEFINED, "empty"),
    ],
)
def test_macro_auc_is_judged_over_the_classes_with_enough_rows(now: Rows, verdict: Verdict, reason: str | None) -> None:
    """A class that comes or goes is no model that became better or worse."""
    (check,) = evaluated(now, BEFORE).checks
    assert (check.check, check.subject, check.verdict, check.reason) == ("auc", "macro", verdict, reason)


def test_without_a_labelled_baseline_there_are_numbers_and_no_verdict() -> None:
    found = evaluated(BEFORE, None)
    (check,) = found.checks
    assert (check.verdict, check.reason) == (Verdict.UNDEFINED, "no labelled baseline")
    assert isinstance(found.auc, Auc)
    assert check.value == found.auc.value


def test_pairs_that_were_counted_by_other_grids_are_in_no_number() -> None:
    """But they are labels, and are counted as such."""
    found = evaluated(BEFORE, BEFORE, comparable_grids=False)
    assert (found.n, found.auc, found.checks[0].reason) == (3_000, Undefined("no score grid"), "no score grid")


def test_accuracy_is_told_from_the_counts_of_the_classes() -> None:
    found = evaluated(BEFORE, BEFORE)
    assert isinstance(found.classes, ClassPerformance)
    assert found.classes.metrics.accuracy == 0.9
    assert found.classes.unknown == 0
    assert found.classes.positives == (1_000, 1_000, 1_000)


def area(value: float, rows: int = 100) -> Auc:
    return Auc(value, value, value, 0.01, rows, rows)


def test_only_classes_that_both_have_are_compared() -> None:
    now, before = [area(0.5), area(0.7), Undefined("one class")], [area(0.75, rows=29), area(0.8), area(0.9)]
    assert comparable(now, before, 30) == (area(0.7), area(0.8))
    first, all_before = comparable(now[2:], before[2:], 30)
    assert (first, all_before) == (Undefined("too few"), area(0.9))


def cohort(start_ms: int, auc: Any) -> Cohort:
    return Cohort(start_ms=start_ms, end_ms=start_ms + 1, predictions=7, labelled=5, auc=auc, mae=None)


def test_a_cohort_has_the_mean_of_its_classes() -> None:
    """Its counts are those of any class: all have the same rows."""
    classes = [[cohort(0, area(0.5)), cohort(1, area(0.25))], [cohort(0, area(0.75)), cohort(1, Undefined("empty"))]]
    first, second = macro_cohorts(classes)
    assert (first.value, first.predictions, first.labelled) == (0.625, 7, 5)
    assert second.value == 0.25


def test_what_live_windows_taught_is_held_around_the_classes_that_are_compared() -> None:
    """A rare class that is hard is in the baseline's mean, and in no window's."""
    easy, hard = (Auc(value, value, value, 0.01, 900, 300) for value in (0.95, 0.7))
    live = Wander(mean=auc_reading(Auc(0.825, 0.825, 0.825, 0.01, 900, 300)).badness, deviation=0.1, mean_se=0.1,
                  windows=48, worst=0.0)  # fmt: skip
    both = comparable([easy, Undefined("one class")], [easy, hard], 30)[1]
    centred = _centred(live, both)
    assert centred is not None
    assert (centred.mean, centred.deviation) == (auc_reading(easy).badness, 0.1)
    assert centred.p_value(Reading(auc_reading(easy).badness, 0.05)) == pytest.approx(0.5)
    of_baseline = Wander(mean=-2.0, deviation=0.1, mean_se=0.1, windows=48, worst=2.0)
    assert _centred(of_baseline, both) is of_baseline
