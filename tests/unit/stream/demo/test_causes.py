"""Why an alert fired: from the faults that were injected, and from the window itself without its gap."""

from dataclasses import replace

import pytest

from stream.alerts.evidence import bin_labels
from stream.baselines.baseline import Baseline
from stream.demo.causes import cause_of
from stream.demo.fault import KILOMETRES, STUCK
from stream.demo.results import Change, Episode
from stream.demo.settings import SERIES


def episode(subject: str, at_ms: int, *, check: str = "psi", current: tuple[int, ...] = ()) -> Episode:
    change = Change(
        severity="critical", at_ms=at_ms, value=0.8, threshold=0.25, n=200, p_value=1e-9, level=1e-4, current=current
    )
    return Episode(id="a", check=check, subject=subject, changes=(change,), resolved_at_ms=None)


@pytest.mark.parametrize(("subject", "check", "after", "words"), [
    ("distance", "psi", KILOMETRES, "the injected fault: distance in kilometres"),
    ("dep_delay", "psi", STUCK, "the injected fault: dep_delay stuck"),
    ("score", "psi", KILOMETRES, "the injected fault: distance in kilometres, which the model is fed with"),
    ("score", "auc", STUCK, "the injected fault: dep_delay stuck, which the model is fed with"),
])  # fmt: skip
def test_a_fault_is_the_cause_of_what_fires_after_it(
    healthy: Baseline, subject: str, check: str, after: object, words: str
) -> None:
    start_ms = after.start_ms  # type: ignore[attr-defined]
    found = cause_of(episode(subject, start_ms + 1, check=check), healthy)
    assert found is not None
    assert (found.in_words, found.fault) == (words, after)
    # A window that ends with the fault's first moment has nothing of it.
    before = cause_of(episode(subject, start_ms, check=check), healthy)
    assert before is None or before.fault is not after


def test_a_feature_that_is_not_broken_has_no_fault_for_a_cause(healthy: Baseline) -> None:
    assert cause_of(episode("hour", STUCK.start_ms + 1), healthy) is None


def window(baseline: Baseline, subject: str, *, missing: int, moved: bool) -> tuple[int, ...]:
    """200 rows of a feature, as in the baseline or all in one bin, and rows without a value."""
    series = baseline.series[SERIES.index(subject)]
    bins = bin_labels(series)
    inside = len(bins) - 2
    counts = [200, *[0] * (inside - 1)] if moved else [200 // inside] * inside
    return (*counts, missing, 0)


@pytest.mark.parametrize(("missing", "moved", "words"), [
    (50, False, "a gap in the data: 50 of 250 flights have no temp (20.0%; 0.0% in the baseline); without them the "),
    (50, True, None),  # it moved, too
    (0, True, None),
])  # fmt: skip
def test_a_gap_is_the_cause_if_nothing_is_left_without_it(
    healthy: Baseline, missing: int, moved: bool, words: str | None
) -> None:
    found = cause_of(episode("temp", 1, current=window(healthy, "temp", missing=missing, moved=moved)), healthy)
    assert (found is None) == (words is None)
    if found is not None and words is not None:
        assert found.in_words.startswith(words)
        assert found.fault is None


def test_a_window_that_is_all_gap_needs_no_test(healthy: Baseline) -> None:
    inside = len(window(healthy, "temp", missing=0, moved=False)) - 2
    current = (*[0] * inside, 7, 0)
    found = cause_of(episode("temp", 1, current=current), healthy)
    assert found is not None
    assert found.in_words.endswith("7 of 7 flights have no temp (100.0%; 0.0% in the baseline); nothing else is left")


def test_an_alert_that_brings_no_test_is_not_explained(healthy: Baseline) -> None:
    plain = episode("temp", 1, current=window(healthy, "temp", missing=50, moved=False))
    without = replace(plain, changes=(replace(plain.begins, level=None),))
    assert cause_of(without, healthy) is None


@pytest.mark.parametrize(("check", "subject", "words"), [
    ("missing", "temp", "a gap in the data: 50 of 200 flights have no temp"),
    ("out_of_range", "temp", "the season: 50 of 200 flights have a temp beyond all of January to March"),
    ("out_of_range", "hour", None),  # no season moves the schedule
    ("stuck", "temp", None),
])  # fmt: skip
def test_data_quality_says_itself_what_is_wrong(healthy: Baseline, check: str, subject: str, words: str | None) -> None:
    plain = episode(subject, 1, check=check)
    found = cause_of(replace(plain, changes=(replace(plain.begins, count=50),)), healthy)
    assert (None if found is None else found.in_words) == words
    assert cause_of(plain, healthy) is None  # without a count nothing is said
