"""Every label message becomes exactly what docs/predictions.md says, by whichever route and in whichever batch."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.ingest.chunk import Units
from stream.ingest.id_hash import id_hash
from stream.ingest.labels import LabelDecoder, LabelRule
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_labels import TypedLabels
from stream.records.label import LabelBatch
from stream.records.rejection import REJECTION_REASONS, Rejection
from tests.unit.stream.ingest import generated_labels as generated
from tests.unit.stream.ingest.generated import as_json
from tests.unit.stream.ingest.messages import RECORD_MS, batch_of

RULES = {"m": LabelRule("binary"), "price": LabelRule("regression")}
GOOD = b'{"prediction_id":"a","model":"m","label":1}'
SETTINGS = [IngestSettings(), IngestSettings(unknown_models="ignore", max_message_bytes=90)]


def decode(*values: bytes | None, ingest: IngestSettings | None = None, **options: bool) -> LabelBatch:
    return LabelDecoder(RULES, ingest or IngestSettings(), **options).decode(batch_of(values))


def label(**fields: Any) -> bytes:
    """A label of model `m` for id `a`; `...` takes a field away."""
    message = {"prediction_id": "a", "model": "m", "label": 1} | fields
    return json.dumps({name: value for name, value in message.items() if value is not ...}).encode()


def rejection_of(value: bytes | None, ingest: IngestSettings | None = None) -> Rejection:
    batch = decode(value, ingest=ingest)
    assert batch.received == 1
    (rejection,) = batch.rejections
    return rejection


def rows_of(batch: LabelBatch) -> list[tuple[object, ...]]:
    """Each label in full, in log order; NaN as a text, to compare."""
    return [
        (
            int(batch.place[i]),
            int(batch.offset[i]),
            int(batch.event_time_ms[i]),
            batch.models[batch.model[i]],
            int(batch.id_hash[i]),
            repr(float(batch.value[i] + 0.0)),
            repr(float(batch.score[i] + 0.0)),
            batch.versions[batch.version[i]],
        )
        for i in range(len(batch.place))
    ]


def left_alone(*values: bytes | None) -> list[int]:
    """Which values are for the slow route."""
    n = len(values)
    units = Units(list(values), np.arange(n, dtype=np.int64), np.full(n, RECORD_MS, np.int64))
    return TypedLabels(RULES, IngestSettings()).read(units)[1]


@pytest.mark.parametrize(("said", "value"), [("true", 1), ("false", 0), ("1", 1), ("0", 0), ("1.0", 1), ("-0.0", 0)])
def test_a_class_is_true_or_false_or_one_or_zero(said: str, value: float) -> None:
    """All the ways in which producers write the two classes."""
    message = b'{"prediction_id":"a","model":"m","label":' + said.encode() + b"}"
    assert decode(message).value.tolist() == [value]
    assert left_alone(message) == []


@pytest.mark.parametrize("wrong", [2, -1, 0.5, "1", "yes", "true", [1], {}, 1e300])
def test_anything_else_is_no_class(wrong: Any) -> None:
    """The detail says what belongs there."""
    rejection = rejection_of(label(label=wrong))
    assert rejection.reason == "bad_label"
    assert "label must be 0, 1, false or true, or null to retract, got " in rejection.detail


@pytest.mark.parametrize("number", [0, -3, 2.5, 1e-300, 3.4028234663852886e38, -3.4028234663852886e38])
def test_the_truth_of_a_regression_is_a_number_that_float32_holds(number: float) -> None:
    """It travels as one."""
    message = label(model="price", label=number)
    assert decode(message).value.tolist() == [number]
    assert left_alone(message) == []


@pytest.mark.parametrize("wrong", [True, 1e39, -1e39, "3", [], 10**400])
def test_what_is_no_such_number_is_refused(wrong: Any) -> None:
    """Also a boolean: it is a class, and this is no classifier."""
    rejection = rejection_of(label(model="price", label=wrong))
    assert rejection.reason == "bad_label"
    assert "label must be a number below 3.4e38, or null to retract, got " in rejection.detail


@pytest.mark.parametrize("model", ["m", "price"])
def test_null_retracts_and_nothing_at_all_is_a_mistake(model: str) -> None:
    """A producer that forgets the field must not take labels back."""
    retraction = label(model=model, label=None)
    assert np.isnan(decode(retraction).value).tolist() == [True]
    assert left_alone(retraction) == []
    assert rejection_of(label(model=model, label=...)).reason == "missing_label"


REASONS: dict[str, bytes | None] = {
    "not_json": b"{",
    "not_object": b"3",
    "empty": None,
    "too_large": label(note="x" * 200),
    "missing_model": label(model=...),
    "wrong_type": label(model=7),
    "unknown_model": label(model="n"),
    "bad_time": label(ts="yesterday"),
    "future": label(ts="2031-01-01T00:00:00Z"),
    "missing_id": label(prediction_id=...),
    "missing_label": label(label=...),
    "bad_label": label(label="spam"),
    "score_out_of_range": label(score=1.7),
}


@pytest.mark.parametrize("reason", [reason for reason in REJECTION_REASONS if reason != "missing_answer"])
def test_every_reason_has_a_message_that_gets_it_and_keeps_its_bytes(reason: str) -> None:
    """The rejection carries the very bytes, the offset and no index."""
    rejection = rejection_of(REASONS[reason], IngestSettings(max_message_bytes=200))
    assert (rejection.reason, rejection.offset, rejection.index) == (reason, 100, None)
    assert rejection.value is REASONS[reason]
    assert 10 < len(rejection.detail) < 400


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prediction_id": None}, "`prediction_id` is required"),
        ({"prediction_id": ""}, "`prediction_id` is required"),
        ({"prediction_id": 1.0}, "prediction_id must be a text, or a whole number of 64 bits, got 1.0"),
        ({"prediction_id": True}, "prediction_id must be a text, or a whole number of 64 bits, got true"),
        ({"prediction_id": 2**64}, "prediction_id must be a text, or a whole number of 64 bits, got 1.8"),
        ({"version": 3}, 'version must be a text such as "3", got 3'),
        ({"score": "0.5"}, "score must be a finite number, got '0.5'"),
        ({"score": True}, "score must be a finite number, got true"),
        ({"score": 0.5, "version": "a\nb"}, "version must not hold control characters"),
        ({"model": "n\x00"}, "model must not hold control characters"),
        ({"model": "n"}, "no baseline of model 'n' that labels can be compared with"),
    ],
)
def test_a_detail_says_what_was_found_and_what_belongs_there(wrong: dict[str, Any], says: str) -> None:
    assert says in rejection_of(label(**wrong)).detail


def test_the_first_complaint_in_the_documented_order_wins() -> None:
    """Each repair uncovers the next one."""
    fields: dict[str, Any] = {
        "model": 3, "version": 3, "ts": 3, "prediction_id": None, "label": ..., "score": "3"
    }  # fmt: skip
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("wrong_type", {"model": "other"}),
        ("wrong_type", {"version": "0"}),
        ("unknown_model", {"model": "m"}),
        ("bad_time", {"ts": None}),
        ("missing_id", {"prediction_id": {}}),
        ("wrong_type", {"prediction_id": 3}),
        ("missing_label", {"label": 3}),
        ("bad_label", {"label": None}),
        ("wrong_type", {"score": 3}),
        ("score_out_of_range", {"score": 0.3}),
    ]
    for reason, repair in repairs:
        assert rejection_of(label(**fields)).reason == reason
        fields |= repair
    assert len(decode(label(**fields)).place) == 1


def test_a_label_may_bring_the_score_and_the_version_that_gave_it() -> None:
    """Without a score the version says nothing; neither does a score of a regression."""
    batch = decode(
        label(score=0.25, version="3"),
        label(version="3"),
        label(score=None, version="3"),
        label(score=1),
        label(model="price", score=7, version="3"),
    )
    assert [(repr(row[6]), row[7]) for row in rows_of(batch)] == [
        ("'0.25'", "3"), ("'nan'", "0"), ("'nan'", "0"), ("'1.0'", "0"), ("'nan'", "0")
    ]  # fmt: skip


def test_an_id_is_hashed_with_its_model_and_numbers_meet_texts() -> None:
    """A label for another model's id meets nothing."""
    batch = decode(label(prediction_id=17), label(prediction_id="17"), label(prediction_id="17", model="price"))
    assert batch.id_hash.tolist() == [id_hash("m", "17"), id_hash("m", "17"), id_hash("price", "17")]
    assert len(set(batch.id_hash.tolist())) == 2


def test_unknown_models_can_be_ignored_and_are_counted() -> None:
    """`ignored` keeps the sum whole; what follows the name is not read."""
    batch = decode(GOOD, label(model="n", label="?"), b"[]", ingest=IngestSettings(unknown_models="ignore"))
    assert (len(batch.offset), batch.ignored, batch.received, batch.rejections) == (1, 1, 2, [])


def test_elements_of_an_array_stand_in_log_order_and_keep_their_own_bytes() -> None:
    """A careful one between fast ones: its id is a number beyond 53 bits in a message that orjson refuses."""
    bad = b'{ "prediction_id":"b", "model":"m","label":7 }'
    careful = b'{"prediction_id":9007199254740993,"model":"m","label":0,"note":[1e999]}'
    batch = decode(GOOD, b"[" + GOOD + b" ,\n" + bad + b"," + careful + b"]", GOOD)
    assert batch.offset.tolist() == [100, 101, 101, 102]
    assert batch.value.tolist() == [1, 1, 0, 1]
    assert batch.id_hash[2] == id_hash("m", "9007199254740993")
    assert [(r.reason, r.offset, r.index, r.value) for r in batch.rejections] == [("bad_label", 101, 1, bad)]


@pytest.mark.parametrize("only_careful", [False, True])
def test_a_number_that_no_float_holds_does_not_change_the_numbers_beside_it(only_careful: bool) -> None:
    """orjson refuses such a message as a whole; read again, a whole number is still one."""
    message = b'{"prediction_id":9007199254740993,"model":"m","label":0,"note":1e999}'
    batch = decode(message, only_careful=only_careful)
    assert batch.id_hash.tolist() == [id_hash("m", "9007199254740993")]
    assert rejection_of(message.replace(b"9007199254740993", b"18446744073709551616")).reason == "wrong_type"


@pytest.mark.parametrize("only_careful", [False, True])
@pytest.mark.parametrize("score", ["0.5", True, 7, -1, []])
def test_the_score_of_a_regression_is_not_read_and_cannot_be_wrong(score: Any, only_careful: bool) -> None:
    assert len(decode(label(model="price", score=score), only_careful=only_careful).place) == 1


def test_one_odd_label_does_not_slow_its_neighbours() -> None:
    """Only its position is left over."""
    odd = [label(label="x"), label(prediction_id=""), label(score=2), label(ts="?"), label(model="n"), None, b"\xff"]
    values = [one for pair in zip([GOOD] * len(odd), odd, strict=True) for one in pair]
    assert left_alone(*values) == list(range(1, 2 * len(odd), 2))


def test_the_columns_have_the_declared_types_even_without_rows() -> None:
    """An empty batch and a batch of nothing but rejections are batches too."""
    for batch in (decode(), decode(b"{"), decode(GOOD), decode(label(label=None), b'{"x":1e999}')):
        arrays = (batch.place, batch.offset, batch.event_time_ms, batch.time_place, batch.time_ms)
        assert [array.dtype for array in arrays] == [np.int64] * 5
        assert [batch.model.dtype, batch.version.dtype, batch.id_hash.dtype] == [np.int32, np.int32, np.uint64]
        assert [batch.value.dtype, batch.score.dtype] == [np.float64, np.float64]


def test_a_refused_label_moves_the_watermark_all_the_same() -> None:
    """Of every message that names a model and a time; lateness must not depend on the models known."""
    batch = decode(GOOD, label(label="?"), label(model="n", ts=RECORD_MS - 5), b"{}", label(ts="?"))
    assert batch.time_ms.tolist() == [RECORD_MS, RECORD_MS, RECORD_MS - 5]
    assert batch.place.tolist() == batch.time_place[:1].tolist()


@settings(max_examples=500, deadline=None)
@given(st.lists(generated.messages, max_size=6), st.sampled_from([RULES, {}]), st.sampled_from(SETTINGS))
def test_the_fast_route_reads_what_the_careful_one_reads(
    values: list[bytes | None], rules: dict[str, LabelRule], ingest: IngestSettings
) -> None:
    """Labels, rejections with their details, and counts."""
    fast, careful = (LabelDecoder(rules, ingest, only_careful=only).decode(batch_of(values)) for only in (False, True))
    assert rows_of(fast) == rows_of(careful)
    assert fast.rejections == careful.rejections
    assert (fast.models, fast.versions) == (careful.models, careful.versions)
    assert (fast.received, fast.ignored) == (careful.received, careful.ignored)
    assert (fast.time_place.tolist(), fast.time_ms.tolist()) == (careful.time_place.tolist(), careful.time_ms.tolist())


@settings(max_examples=200, deadline=None)
@given(st.lists(generated.messages, max_size=8), st.integers(0, 8))
def test_batches_cut_anywhere_give_the_same_labels(values: list[bytes | None], cut: int) -> None:
    """A replay fetches differently."""
    decoder = LabelDecoder(RULES, IngestSettings())
    whole = decoder.decode(batch_of(values))
    cut = min(cut, len(values))
    parts = [decoder.decode(batch_of(values[:cut])), decoder.decode(batch_of(values[cut:], first=100 + cut))]
    assert [row[1:] for row in rows_of(whole)] == [row[1:] for part in parts for row in rows_of(part)]
    assert whole.time_ms.tolist() == [time_ms for part in parts for time_ms in part.time_ms.tolist()]
    assert whole.rejections == [rejection for part in parts for rejection in part.rejections]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(generated.messages, st.binary()), max_size=5), st.sampled_from(SETTINGS))
def test_nothing_raises_and_nothing_vanishes(values: list[bytes | None], ingest: IngestSettings) -> None:
    """received = labels + rejections + ignored; every value can travel."""
    batch = LabelDecoder(RULES, ingest).decode(batch_of(values))
    assert batch.received == len(batch.place) + len(batch.rejections) + batch.ignored
    assert all(rejection.reason in REJECTION_REASONS for rejection in batch.rejections)
    assert (np.diff(batch.offset) >= 0).all()
    assert (batch.id_hash != 0).all()
    assert not np.isinf(batch.value.astype(np.float32)).any()


@settings(max_examples=200, deadline=None)
@given(as_json(generated.good_labels))
def test_good_labels_of_known_models_are_rows(value: bytes) -> None:
    """The generator's own claim, so that the properties above are not about rejections only."""
    batch = LabelDecoder(dict.fromkeys(("m", "price", "other"), LabelRule("binary")), IngestSettings()).decode(
        batch_of([value])
    )
    assert (len(batch.place), batch.rejections) == (1, [])
    assert math.isnan(batch.value[0]) or batch.value[0] in (0, 1)
