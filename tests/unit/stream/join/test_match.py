"""A label meets its prediction: event time decides, whatever comes first."""

import msgspec
import numpy as np
import pytest

from stream.join.fold import JoinFold
from stream.records.performance import MOMENTS, Sections
from tests.unit.stream.join.outcomes import (
    DAY,
    FRAUD,
    HOUR,
    MINUTE,
    NAN,
    PRICE,
    L,
    P,
    definition,
    join,
    labels,
    panes,
    predictions,
    read,
    scored,
)

T = 10 * DAY
V2 = msgspec.structs.replace(FRAUD, version="2")


def test_a_label_after_its_prediction_joins_it_in_two_panes():
    fold = read(join(), predictions().say(P(7, T, 4)), labels().say(L(7, T + 2 * HOUR, 1)))
    assert (fold.ledger.joined, fold.ledger.waiting, fold.ledger.waiting_labels) == (1, 0, 0)
    assert scored(fold, T + 2 * HOUR).positives == {4: 1}, "by arrival"
    assert scored(fold, T, cohort=True) == ({}, {4: 1}, 1), "by prediction time, with all predictions"


def test_a_label_before_its_prediction_waits_and_joins_it():
    fold = read(join(), labels().say(L(7, T + HOUR, 0)))
    assert (fold.ledger.waiting_labels, fold.ledger.joined) == (1, 0)
    read(fold, predictions().say(P(7, T, 4)))
    assert (fold.ledger.waiting_labels, fold.ledger.joined) == (0, 1)
    assert scored(fold, T + HOUR).negatives == {4: 1}


@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize(
    ("delay_s", "joined"),
    [(-301, 0), (-300, 1), (0, 1), (DAY, 1), (DAY + 1, 0)],
)
def test_event_time_decides_a_match_and_not_what_is_in_memory(delay_s: int, joined: int, label_first: bool):
    """[----------------) -early <= label - prediction <= time to live, both ends included"""
    records = [predictions().say(P(7, T)), labels().say(L(7, T + delay_s))]
    fold = read(join(), *(reversed(records) if label_first else records))
    assert (fold.ledger.joined, fold.ledger.waiting) == (joined, 1 - joined)


def test_the_arrival_pane_of_an_early_label_is_that_of_its_prediction():
    fold = read(join(), labels().say(L(7, T - 120)), predictions().say(P(7, T)))
    assert scored(fold, T).positives == {3: 1}


def test_a_label_too_late_for_one_copy_still_waits_for_another():
    out = predictions()
    fold = read(join(), out.say(P(7, T)), labels().say(L(7, T + DAY + HOUR)))
    assert (fold.ledger.joined, fold.ledger.waiting_labels) == (0, 1), "as if the prediction were absent"
    read(fold, out.say(P(7, T + 2 * HOUR)))
    assert (fold.ledger.joined, fold.ledger.duplicates) == (1, 1), "the newest copy stands"


def test_a_second_copy_of_a_prediction_counts_once():
    out = predictions()
    fold = read(join(), out.say(P(7, T, 4)), out.say(P(7, T, 4)), out.say(P(8, T), P(8, T)))
    assert (fold.ledger.predictions, fold.ledger.duplicates, fold.ledger.waiting) == (4, 2, 2)
    assert scored(fold, T, cohort=True).predictions == 2


def test_a_copy_with_a_later_time_takes_the_place_of_the_labelled_one():
    out = predictions()
    fold = read(join(), out.say(P(7, T, 4)), labels().say(L(7, T + MINUTE)), out.say(P(7, T + 30, 6)))
    assert (fold.ledger.joined, fold.ledger.duplicates, fold.ledger.waiting) == (1, 1, 0)
    assert scored(fold, T, cohort=True) == ({}, {6: 1}, 1)


@pytest.mark.parametrize("label", [None, 0, 1], ids=["no label", "label first", "label between"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "other",
    [
        P(7, T, 6),
        P(7, T, 2, definition("fraud", baseline=2)),
        P(7, T, 4, definition("fraud", ttl_s=HOUR)),
        P(7, T, 4, V2),
    ],
    ids=["score", "baseline", "settings", "version"],
)
def test_which_of_two_copies_with_one_time_stands_does_not_depend_on_which_came_first(
    other: P, first: int, label: int | None
):
    copies = [P(7, T, 4), other]
    several = [predictions(i, sources=2) for i in (0, 1)]
    said = [writer.say(copy) for writer, copy in zip(several, copies, strict=True)]
    later = [labels().say(L(7, T + 2 * HOUR))]
    one, two = (said[i] for i in (first, 1 - first))
    fold = read(join(), *{None: [one, two], 0: [*later, one, two], 1: [one, *later, two]}[label])
    together = read(join(), predictions().say(*copies), *(later if label is not None else []))
    assert panes(fold) == panes(together)
    assert (fold.ledger.waiting + fold.ledger.joined, fold.ledger.duplicates) == (1, 1)
    assert _times_to_live(fold) == _times_to_live(together)


def _times_to_live(fold: JoinFold) -> set[int]:
    """Of the definitions that have a row."""
    return {fold.definitions.known[n].ttl_ms for n in np.flatnonzero(fold.waiting.held).tolist()}


def test_a_labelled_copy_is_recognised_for_the_whole_time_to_live():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T)), truth.say(L(7, T + MINUTE)))
    read(fold, out.say(watermark_s=T + 20 * HOUR), truth.say(watermark_s=T + 20 * HOUR))
    read(fold, out.say(P(7, T, late=True)))
    assert (fold.ledger.duplicates, fold.ledger.waiting) == (1, 0)


def test_without_dedupe_a_labelled_prediction_is_forgotten_once_it_cannot_be_corrected():
    brief = definition(dedupe=False, revision_s=HOUR)
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(7, T, of=brief)), truth.say(L(7, T + MINUTE)))
    read(fold, out.say(watermark_s=T + 20 * HOUR), truth.say(watermark_s=T + 20 * HOUR))
    assert fold.waiting.rows == 0
    read(fold, out.say(P(7, T, of=brief, late=True)))
    assert (fold.ledger.duplicates, fold.ledger.waiting) == (0, 1), "the price: a second copy counts again"


def test_the_score_that_a_label_brings_needs_no_join():
    fold = read(join(), labels().say(L(7, T, 1, of=FRAUD, payload=5), L(8, T, 0, of=FRAUD, payload=2)))
    assert (fold.ledger.inline, fold.ledger.joined, fold.ledger.waiting) == (2, 0, 0)
    assert scored(fold, T) == ({2: 1}, {5: 1}, 0)
    assert scored(fold, T, cohort=True) == ({2: 1}, {5: 1}, 2)


@pytest.mark.parametrize("label_first", [True, False])
def test_a_prediction_that_comes_after_all_counts_instead_of_the_score_in_its_label(label_first: bool):
    records = [predictions().say(P(7, T, 4)), labels().say(L(7, T + HOUR, 1, of=FRAUD, payload=5))]
    fold = read(join(), *(reversed(records) if label_first else records))
    assert (fold.ledger.inline, fold.ledger.joined, fold.ledger.duplicates) == (0, 1, 0)
    assert scored(fold, T, cohort=True) == ({}, {4: 1}, 1)
    assert scored(fold, T + HOUR).positives == {4: 1}


def test_a_regression_sums_whole_units_of_its_errors():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, 12.34, PRICE), P(2, T, 10.0, PRICE)), truth.say(L(1, T, 12.0), L(2, T, 12.5)))
    sums = panes(fold)[PRICE.id, False, T]
    named = dict(zip(MOMENTS, sums[Sections.of(PRICE).moments], strict=True))
    assert named == {
        "labelled": 2,
        "clipped": 0,
        "error": 3 - 25,
        "absolute_error": 28,
        "squared_error": 9 + 625,
        "label": 120 + 125,
        "squared_label": 120**2 + 125**2,
    }


def test_an_error_beyond_all_measure_is_clipped_and_counted():
    fold = read(join(), predictions().say(P(1, T, 1e30, PRICE)), labels().say(L(1, T, 12.0)))
    sums = panes(fold)[PRICE.id, False, T][Sections.of(PRICE).moments]
    assert sums[:4] == [1, 1, 1 << 17, 1 << 17]


def test_a_regression_s_label_that_is_revised_takes_its_old_sums_out():
    out, truth = predictions(), labels()
    fold = read(join(), out.say(P(1, T, 12.0, PRICE)), truth.say(L(1, T, 99.0)), truth.say(L(1, T + 5, 11.5)))
    sums = panes(fold)[PRICE.id, False, T][Sections.of(PRICE).moments]
    assert sums == [1, 0, 5, 5, 25, 115, 115**2]


def test_models_of_one_partition_are_counted_apart():
    credit = definition("credit")
    fold = read(join(), predictions().say(P(1, T), P(2, T, 5, credit)), labels().say(L(2, T, 0), L(1, T, NAN)))
    assert scored(fold, T, of=credit).negatives == {5: 1}
    assert scored(fold, T).negatives == {}
