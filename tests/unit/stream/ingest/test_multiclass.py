"""A multiclass model's `scores` and the classes that its labels name, by both routes of decoding alike."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.chunk import Units
from stream.ingest.decode import Decoder
from stream.ingest.id_hash import class_hashes, id_hash
from stream.ingest.labels import LabelDecoder, LabelRule
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_labels import TypedLabels
from stream.ingest.typed_rows import TypedRows
from stream.outcomes.covering import outcomes_partition
from stream.records.prediction import Answer, ModelKey, PredictionBatch, Schema
from tests.unit.stream.ingest import generated
from tests.unit.stream.ingest.generated import as_json
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, M, batch_of, rows_of
from tests.unit.stream.ingest.test_labels import rows_of as labels_of

CLASSES = ("ant", "bee", "3")
K = ModelKey("k", "0")
SCHEMAS = {
    K: Schema(numeric=("x",), categorical=(), categories=(), answer=Answer.SCORES, ids=True, classes=CLASSES),
    M: SCHEMA,
}
RULES = {"k": LabelRule("multiclass", CLASSES), "m": LabelRule("binary"), "price": LabelRule("regression")}

shares = st.one_of(st.floats(0, 1), st.sampled_from([0, 1, 0.5, -0.0]))
odd = st.one_of(generated.json_values, st.sampled_from([1.5, -0.1, True, None, 10**400, "0.5", 2**64]))
good_scores = st.one_of(
    st.lists(shares, min_size=3, max_size=3),
    st.fixed_dictionaries({}, optional={name: shares for name in (*CLASSES, "wasp", "")}),
)
any_scores = st.one_of(
    good_scores, st.none(), st.lists(shares | odd, max_size=4), st.dictionaries(st.sampled_from(CLASSES), shares | odd)
)
predictions = st.fixed_dictionaries(
    {"model": st.sampled_from(["k", "k", "m"]), "scores": any_scores},
    optional={
        "score": shares | odd,
        "features": st.fixed_dictionaries({}, optional={"x": shares}) | odd,
        "prediction_id": generated.good_ids,
        "ts": generated.good_times,
    },
)
names = st.one_of(st.sampled_from([*CLASSES, 3, 3.0, True, "wasp", "", 2**60, None, 0, 1]), odd)
labels = st.fixed_dictionaries(
    {"model": st.sampled_from(["k", "k", "m", "price"]), "prediction_id": generated.good_ids, "label": names},
    optional={"ts": generated.good_times, "score": odd, "version": st.sampled_from(["0", "1", "a\nb"])},
)


def prediction(scores: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "k", "prediction_id": "a", "scores": scores} | fields).encode()


def decode(*values: bytes | None, **options: bool) -> PredictionBatch:
    return Decoder(SCHEMAS, IngestSettings(), **options).decode(batch_of(values))


def label(name: Any) -> bytes:
    return json.dumps({"model": "k", "prediction_id": "a", "label": name}).encode()


def units(*values: bytes) -> Units:
    return Units(list(values), np.arange(len(values), dtype=np.int64), np.full(len(values), RECORD_MS, np.int64))


@pytest.mark.parametrize(
    ("scores", "read"),
    [
        ({"bee": 0.25, "ant": 0.5, "3": 0.25}, (0.5, 0.25, 0.25)),
        ([0.5, 0.25, 0.25], (0.5, 0.25, 0.25)),
        ({"ant": 1, "wasp": 7}, (1.0, math.nan, math.nan)),  # what is not read cannot be wrong
        ({}, (math.nan, math.nan, math.nan)),
    ],
)
def test_scores_are_read_by_class_or_in_order_on_the_fast_route(scores: Any, read: tuple[float, ...]) -> None:
    """A class that is not named is missing."""
    value = prediction(scores)
    columns = decode(value).columns[K]
    np.testing.assert_array_equal(columns.numeric[0], [math.nan, *read])
    assert TypedRows(SCHEMAS, IngestSettings()).read(units(value))[1] == []


@pytest.mark.parametrize(
    ("scores", "reason", "said"),
    [
        ([0.5, 0.5], "wrong_type", "3 numbers"),
        ([], "wrong_type", "an array of 0"),
        ([0.5, 0.5, 1.5], "score_out_of_range", "1.5"),
        ({"bee": -0.5}, "score_out_of_range", "bee"),
        ({"bee": "1"}, "wrong_type", "numbers"),
        ({"bee": None}, "wrong_type", "numbers"),
    ],
)
def test_scores_that_cannot_be_meant_are_a_dead_letter(scores: Any, reason: str, said: str) -> None:
    """The whole prediction, as with a score."""
    (rejection,) = decode(prediction(scores)).rejections
    assert rejection.reason == reason
    assert said in rejection.detail


@given(st.lists(as_json(predictions), max_size=6))
def test_both_routes_read_the_same_predictions(values: list[bytes]) -> None:
    """Beside a binary model, which reads as without the other."""
    fast, slow = decode(*values), decode(*values, only_careful=True)
    assert rows_of(fast) == rows_of(slow)
    assert fast.rejections == slow.rejections
    np.testing.assert_array_equal(fast.time_ms, slow.time_ms)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ant", 0.0), ("3", 2.0), (3, 2.0), (3.0, 2.0), ("wasp", -1.0), (True, -1.0), (0, -1.0), (None, math.nan)],
)
def test_a_label_names_a_class_by_its_text_or_its_number(name: Any, value: float) -> None:
    """One that the model does not have is no dead letter: new classes appear, and are wrong answers all the same."""
    batch = LabelDecoder(RULES, IngestSettings()).decode(batch_of([label(name)]))
    np.testing.assert_array_equal(batch.value, [value])
    assert TypedLabels(RULES, IngestSettings()).read(units(label(name)))[1] == []


@pytest.mark.parametrize("wrong", [[], {}, ["ant"]])
def test_what_is_no_name_is_no_label(wrong: Any) -> None:
    """The detail says what belongs there."""
    (rejection,) = LabelDecoder(RULES, IngestSettings()).decode(batch_of([label(wrong)])).rejections
    assert rejection.reason == "bad_label"
    assert "name of a class" in rejection.detail


@given(st.lists(as_json(labels), max_size=6))
def test_both_routes_read_the_same_labels(values: list[bytes]) -> None:
    """Also those of a binary model and of a regression, whose labels must not be text."""
    fast = LabelDecoder(RULES, IngestSettings()).decode(batch_of(values))
    slow = LabelDecoder(RULES, IngestSettings(), only_careful=True).decode(batch_of(values))
    assert labels_of(fast) == labels_of(slow)
    assert fast.rejections == slow.rejections


def test_the_classes_of_a_prediction_are_apart_and_in_one_partition() -> None:
    """So that they meet the label at the same record: all of them, or none."""
    ids = np.array([id_hash("k", i) for i in range(1_000)], np.uint64)
    mixed = class_hashes(ids, CLASSES)
    assert len(np.unique(mixed)) == 3_000
    homes = outcomes_partition(mixed.ravel(), 7).reshape(mixed.shape)
    np.testing.assert_array_equal(homes, np.repeat(outcomes_partition(ids, 7)[:, None], 3, axis=1))
    assert class_hashes(class_hashes(np.array([1 << 20], np.uint64), ("a",))[0], ("a",)).tolist() == [[1 << 20]]
