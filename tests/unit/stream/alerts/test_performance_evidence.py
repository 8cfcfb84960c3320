"""What an alert shows of both classes: bins of the score, now and in the baseline."""

import json
import math

import numpy as np

from stream.alerts.performance_evidence import classes_evidence, classes_in_words

LABELS = ("below 0.25", "[0.25, 0.5)", "[0.5, 0.75)", "0.75 and above")
EDGES = (-math.inf, 0.25, 0.5, 0.75, math.inf)
NOW = np.array([0, 50, 30, 99]), np.array([2, 50, 70, 1])  # of the first bin two rows say nothing
BEFORE = np.array([90, 60, 40, 10]), np.array([10, 40, 60, 90])


def test_evidence_is_plain_json_with_infinite_edges_as_null() -> None:
    evidence = json.loads(json.dumps(classes_evidence(LABELS, EDGES, NOW, BEFORE), allow_nan=False))
    assert evidence["edges"] == [None, 0.25, 0.5, 0.75, None]
    assert evidence["negatives"] == [0, 50, 30, 99]
    assert evidence["baseline_positives"] == [10, 40, 60, 90]


def test_the_bins_whose_share_of_positives_moved_most_are_told_first() -> None:
    words = classes_in_words(classes_evidence(LABELS, EDGES, NOW, BEFORE))
    assert words == (
        "score 0.75 and above: 1.0% of 100 rows positive, 90.0% in the baseline; "
        "[0.25, 0.5): 50.0% of 100 rows positive, 40.0% in the baseline; "
        "[0.5, 0.75): 70.0% of 100 rows positive, 60.0% in the baseline"
    )


def test_without_labels_in_the_baseline_the_largest_bins_are_told() -> None:
    now = np.array([5, 50, 3, 99]), np.array([1, 50, 7, 1])
    evidence = classes_evidence(LABELS, EDGES, now, None)
    assert evidence["baseline_negatives"] is None
    assert classes_in_words(evidence).startswith("score [0.25, 0.5): 50.0% of 100 rows positive; 0.75 and above: 1.0%")


def test_empty_bins_are_no_division_by_zero() -> None:
    none = np.zeros(4, np.int64), np.zeros(4, np.int64)
    assert "0.0% of 0 rows" in classes_in_words(classes_evidence(LABELS, EDGES, none, none))
