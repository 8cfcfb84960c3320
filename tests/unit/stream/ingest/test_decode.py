"""Every message becomes exactly what docs/predictions.md says, by whichever route and in whichever batch."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.learning import LearningSettings
from stream.records.prediction import Answer, ModelKey, PredictionBatch, Schema
from stream.records.rejection import REJECTION_REASONS
from tests.unit.stream.ingest import generated
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, WITH_IDS, M, batch_of, decode, rejection_of, rows_of

DOCS = Path(__file__).parents[4] / "docs" / "predictions.md"
GOOD = b'{"model":"m","score":0.5,"features":{"x":1,"y":2.5,"c":"UA"}}'
MANY = {
    M: replace(WITH_IDS, latency=True),
    ModelKey("m", "1"): Schema(numeric=("y", "z"), categorical=(), categories=(), answer=Answer.VALUE),
    ModelKey("other", "0"): Schema(numeric=(), categorical=("c", "x"), categories=(("UA",), ("1",)), answer=None),
}


def table(header: str) -> list[list[str]]:
    """Cells of each row of the table in docs/predictions.md that begins with this header."""
    text = DOCS.read_text(encoding="utf-8")
    _, _, rest = text.partition(header)
    lines = rest.split("\n\n")[0].strip().splitlines()[1:]
    return [[cell.strip() for cell in re.split(r" \| ", line.strip("|"))] for line in lines]


def outcomes(batch: PredictionBatch) -> list[str]:
    """What became of each prediction of one message, in the words of the table."""
    words = ["row"] * len(batch.offset)
    for rejection in batch.rejections:
        words.insert(rejection.index or 0, f"dead letter `{rejection.reason}`")
    return words


@pytest.mark.parametrize(("message", "becomes"), [r for r in table("| message | becomes |") if r[0].startswith("`")])
def test_a_message_becomes_what_the_documented_table_says(message: str, becomes: str) -> None:
    """The first words of the second column are the outcomes; the rest is explanation."""
    batch = decode(message.strip("`").encode())
    expected = re.findall(r"^nothing|row|dead letter `\w+`", re.split(r"[:;]|, or |, version|, at |, cut", becomes)[0])
    assert expected
    assert outcomes(batch) == [one for one in expected if one != "nothing"]


FEATURE_CASES = [
    (kind, value, meaning)
    for kind, values, meaning in table("| feature | value | counts as |")
    for value in re.findall(r"`([^`]+)`", values)
]


@pytest.mark.parametrize(("kind", "value", "meaning"), FEATURE_CASES)
def test_a_feature_counts_as_the_documented_table_says(kind: str, value: str, meaning: str) -> None:
    """missing is NaN or -1, invalid +inf or -3, unseen -2; what it is otherwise, the table names."""
    name = "x" if kind == "numeric" else "c"
    columns = decode(f'{{"model":"m","score":0.5,"features":{{"{name}":{value}}}}}'.encode()).columns[M]
    word = re.split(r"[; ]", meaning)[0]
    if kind == "numeric":
        special = {"missing": np.nan, "invalid": np.inf, "1,": float(value == "true")}
        np.testing.assert_array_equal(columns.numeric[0, 0], special[word] if word in special else float(value))
    elif word in ("missing", "unseen", "invalid"):
        assert columns.categorical[0, 0] == {"missing": -1, "unseen": -2, "invalid": -3}[word]
    else:
        category = "3" if value == "3.0" else value.strip('"')
        assert columns.categorical[0, 0] == SCHEMA.categories[0].index(category)


REASONS = {
    "not_json": b"{",
    "not_object": b"3",
    "empty": None,
    "too_large": b'{"model":"m","score":0.5,"note":"' + b"x" * 200 + b'"}',
    "missing_model": b'{"score":0.5}',
    "missing_answer": b'{"model":"m"}',
    "wrong_type": b'{"model":7,"score":0.5}',
    "bad_time": b'{"model":"m","score":0.5,"ts":"yesterday"}',
    "future": b'{"model":"m","score":0.5,"ts":"2031-01-01T00:00:00Z"}',
    "score_out_of_range": b'{"model":"m","score":1.7}',
    "unknown_model": b'{"model":"n","score":0.5}',
}


OF_LABELS_ONLY = {"missing_id", "missing_label", "bad_label"}


@pytest.mark.parametrize("reason", [reason for reason in REJECTION_REASONS if reason not in OF_LABELS_ONLY])
def test_every_reason_has_a_message_that_gets_it_and_keeps_its_bytes(reason: str) -> None:
    """The rejection carries the very bytes, the offset and no index."""
    rejection = rejection_of(REASONS[reason], IngestSettings(max_message_bytes=200))
    assert (rejection.reason, rejection.offset, rejection.index) == (reason, 100, None)
    assert rejection.value is REASONS[reason]
    assert 10 < len(rejection.detail) < 400


def test_a_row_has_its_values_in_the_order_of_the_schema() -> None:
    """Numeric features, then the score; categories by their code."""
    batch = decode(GOOD)
    columns = batch.columns[M]
    assert columns.numeric.tolist() == [[1.0, 2.5, 0.5]]
    assert columns.categorical.tolist() == [[0]]
    assert (batch.offset.tolist(), batch.event_time_ms.tolist(), batch.models) == ([100], [RECORD_MS], [M])


def test_the_columns_have_the_declared_types_even_without_rows() -> None:
    """int64, int64, int32; an empty batch and a batch of nothing but rejections are batches too."""
    for batch in (decode(), decode(b"{"), decode(GOOD)):
        types = [array.dtype for array in (batch.offset, batch.event_time_ms, batch.model)]
        assert types == [np.int64, np.int64, np.int32]
        for columns in batch.columns.values():
            of_columns = [a.dtype for a in (columns.row, columns.numeric, columns.categorical, columns.id_hash)]
            assert of_columns == [np.int64, np.float64, np.int32, np.uint64]


def test_an_elements_rejection_has_its_index_and_exactly_its_own_bytes() -> None:
    """Spaces between elements belong to none of them."""
    bad = b'{ "model":"m",  "score": 7.50 }'
    batch = decode(b"{", b" [" + GOOD + b" ,\n" + bad + b" , 3,[]]", GOOD)
    assert [(r.reason, r.offset, r.index, r.value) for r in batch.rejections] == [
        ("not_json", 100, None, b"{"),
        ("score_out_of_range", 101, 1, bad),
        ("not_object", 101, 2, b"3"),
        ("not_object", 101, 3, b"[]"),
    ]
    assert batch.offset.tolist() == [101, 102]
    assert batch.received == 6


def test_rows_of_all_routes_stand_in_log_order() -> None:
    """A careful row (an invalid feature) between two fast ones, and one in an array."""
    careful = b'{"model":"m","score":0.25,"features":{"x":"a text"}}'
    batch = decode(GOOD, careful, b"[" + careful + b"," + GOOD + b"]", GOOD)
    assert batch.offset.tolist() == [100, 101, 102, 102, 103]
    assert batch.columns[M].row.tolist() == [0, 1, 2, 3, 4]
    assert batch.columns[M].numeric[:, 0].tolist() == [1.0, np.inf, np.inf, 1.0, 1.0]
    assert batch.columns[M].numeric[:, 2].tolist() == [0.5, 0.25, 0.25, 0.5, 0.5]


def test_careful_rows_of_an_array_stand_before_those_of_the_messages_behind_it() -> None:
    """Arrays are read last; a pane's first row is the one that comes first in the log, all the same."""
    careful = b'{"model":"m","score":0.25,"features":{"x":"a text"}}'
    later = b'{"model":"m","score":0.75,"features":{"x":"a text"}}'
    batch = decode(b"[" + careful + b"]", later)
    assert batch.columns[M].row.tolist() == [0, 1]
    assert batch.columns[M].numeric[:, 2].tolist() == [0.25, 0.75]


def test_unknown_models_can_be_ignored_and_are_counted() -> None:
    """`ignored` keeps the sum whole."""
    batch = decode(GOOD, b'{"model":"n","score":9}', b"[]", settings=IngestSettings(unknown_models="ignore"))
    assert (len(batch.offset), batch.ignored, batch.received, batch.rejections) == (1, 1, 2, [])


def test_an_unknown_version_is_told_which_versions_there_are_and_what_to_do() -> None:
    """The detail names the way out."""
    detail = rejection_of(b'{"model":"m","version":"9","score":0.5}').detail
    assert "versions with a baseline: '0'" in detail
    assert "driftline baseline create" in detail


def test_two_halves_of_one_json_value_do_not_lend_each_other_bytes() -> None:
    """Each message stands alone, although together they would parse."""
    batch = decode(GOOD[:20], GOOD[20:], b"[" + GOOD, GOOD + b"]", GOOD)
    assert [r.offset for r in batch.rejections] == [100, 101, 102, 103]
    assert {r.reason for r in batch.rejections} == {"not_json"}
    assert batch.offset.tolist() == [104]


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"model":"m","score":0.5,"x":[', b'[{"x":', b'{"model":"m","features":{"x":[']
)
@pytest.mark.parametrize("closed", [True, False])
def test_deep_nesting_is_a_rejection_and_not_the_end(opening: bytes, closed: bool) -> None:
    """100,000 brackets, in an array message, in an unread field, in a feature."""
    closing = opening.replace(b"[", b"]").replace(b"{", b"}")[::-1] if closed else b""
    value = opening * 100_000 + b"1" + re.sub(rb"[^]}]", b"", closing) * 100_000
    assert rejection_of(value).reason == "not_json"


def test_a_long_string_in_a_feature_that_nobody_counts_does_no_harm() -> None:
    """9 MB in one message: the row counts."""
    value = b'{"model":"m","score":0.5,"features":{"text":"' + b"x" * 9_000_000 + b'"}}'
    assert decode(value).received == len(decode(value).offset) == 1


def test_a_long_string_where_a_number_belongs_keeps_the_detail_short() -> None:
    """Details become headers."""
    value = b'{"model":"' + b"x" * 9_000_000 + b'","score":0.5}'
    assert len(rejection_of(value).detail) < 400


SETTINGS = [IngestSettings(), IngestSettings(unknown_models="ignore", max_message_bytes=120)]


@settings(max_examples=500, deadline=None)
@given(st.lists(generated.messages, max_size=6), st.sampled_from([MANY, {M: SCHEMA}, {}]), st.sampled_from(SETTINGS))
def test_the_fast_route_reads_what_the_careful_one_reads(
    values: list[bytes | None], schemas: dict[ModelKey, Schema], ingest: IngestSettings
) -> None:
    """Rows, rejections with their details, and counts."""
    fast, careful = (Decoder(schemas, ingest, only_careful=only).decode(batch_of(values)) for only in (False, True))
    assert rows_of(fast) == rows_of(careful)
    assert fast.rejections == careful.rejections
    assert (fast.received, fast.ignored) == (careful.received, careful.ignored)
    assert (fast.time_place.tolist(), fast.time_ms.tolist()) == (careful.time_place.tolist(), careful.time_ms.tolist())


@settings(max_examples=200, deadline=None)
@given(st.lists(generated.messages, max_size=6))
def test_the_times_that_move_the_watermark_do_not_depend_on_the_models_known(values: list[bytes | None]) -> None:
    """An owner that hears of a baseline later sees the same watermark at every place."""
    few, many = (Decoder(schemas, IngestSettings()).decode(batch_of(values)) for schemas in ({}, MANY))
    assert (few.time_place.tolist(), few.time_ms.tolist()) == (many.time_place.tolist(), many.time_ms.tolist())
    times = dict(zip(many.time_place.tolist(), many.time_ms.tolist(), strict=True))
    assert [times[place] for place in many.place.tolist()] == many.event_time_ms.tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(generated.messages, max_size=8), st.integers(0, 8))
def test_batches_cut_anywhere_give_the_same_rows(values: list[bytes | None], cut: int) -> None:
    """A replay fetches differently."""
    decoder = Decoder(MANY, IngestSettings())
    whole = decoder.decode(batch_of(values))
    cut = min(cut, len(values))
    parts = [decoder.decode(batch_of(values[:cut])), decoder.decode(batch_of(values[cut:], first=100 + cut))]
    assert rows_of(whole) == [row for part in parts for row in rows_of(part)]
    assert whole.time_ms.tolist() == [time_ms for part in parts for time_ms in part.time_ms.tolist()]
    assert whole.rejections == [rejection for part in parts for rejection in part.rejections]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(generated.messages, st.binary()), max_size=5), st.booleans())
def test_nothing_raises_and_nothing_vanishes(values: list[bytes | None], ignore: bool) -> None:
    """received = rows + rejections + ignored, and no message that holds a prediction is without one of them."""
    batch = Decoder(MANY, IngestSettings(unknown_models="ignore" if ignore else "dead-letter")).decode(batch_of(values))
    assert batch.received == len(batch.offset) + len(batch.rejections) + batch.ignored
    assert sorted(int(row) for columns in batch.columns.values() for row in columns.row) == list(
        range(len(batch.offset))
    )
    assert all(rejection.reason in REJECTION_REASONS for rejection in batch.rejections)
    assert (np.diff(batch.offset) >= 0).all()


@settings(max_examples=200, deadline=None)
@given(generated.as_json(generated.good_predictions))
def test_good_predictions_of_known_models_are_rows(value: bytes) -> None:
    """The generator's own claim, so that the properties above are not about rejections only."""
    schemas = {ModelKey(m, v): WITH_IDS for m in ("m", "other") for v in ("0", "1", "7")}
    batch = Decoder(schemas, IngestSettings()).decode(batch_of([value]))
    assert (len(batch.offset), batch.rejections) == (1, [])


def test_predictions_of_unknown_models_are_handed_on_to_be_learned_and_are_counted() -> None:
    learning = LearningSettings(pane_ms=1, allowed_lateness_ms=1, span_ms=1, rows=200, models=1, features=1)
    values = (GOOD, b'[{"model":"n","score":0.5,"ts":1700000000000}, {"model":"n","score":9}]', b'{"model":"n"}')
    batch = decode(*values, settings=IngestSettings(unknown_models="learn", learning=learning))
    [found] = batch.unknown
    assert (found.key, found.offset, found.element, found.event_time_ms) == (("n", "0"), 101, 0, 1_700_000_000_000)
    assert (found.content, found.value) == (
        b'{"features":{},"score":0.5}',
        b'{"model":"n","score":0.5,"ts":1700000000000}',
    )
    assert found.place in batch.time_place  # it moves the watermark
    assert [r.reason for r in batch.rejections] == ["score_out_of_range", "missing_answer"]
    assert (len(batch.offset), batch.ignored, batch.received) == (1, 0, 4)
