"""The envelope's rules at their edges; what each rule is for stands in docs/predictions.md."""

from typing import Any

import pytest

from stream.ingest.careful_rows import CarefulRows, Row
from stream.ingest.envelope import IGNORED
from stream.ingest.fault import Fault
from stream.ingest.settings import IngestSettings
from stream.records.prediction import Answer, ModelKey, Schema
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, WITH_IDS, M

REGRESSION = ModelKey("price", "0")
SCHEMAS = {M: SCHEMA, REGRESSION: Schema(numeric=(), categorical=(), categories=(), answer=Answer.VALUE)}


def read(prediction: Any, **settings: Any) -> Any:
    """One prediction by the slow route."""
    return CarefulRows(SCHEMAS, IngestSettings(**settings)).read(prediction, RECORD_MS)


@pytest.mark.parametrize("score", [0, 1, 0.0, 1.0, 5e-324])
def test_the_range_of_a_score_is_closed(score: float) -> None:
    """0 and 1 are scores."""
    assert isinstance(read({"model": "m", "score": score}), Row)


@pytest.mark.parametrize("score", [-5e-324, -1, 1.0000000000000002, 2, 1e300])
def test_a_score_outside_its_range_is_refused(score: float) -> None:
    """However little."""
    assert read({"model": "m", "score": score}).reason == "score_out_of_range"


def test_the_range_binds_only_models_whose_baseline_describes_the_score() -> None:
    """A regression may carry another number there; its own answer is `value`."""
    row = read({"model": "price", "score": 7, "value": -3})
    assert row.numeric == [-3.0]


@pytest.mark.parametrize("field", ["model", "version"])
@pytest.mark.parametrize(("name", "fine"), [("x" * 200, True), ("x" * 201, False), ("é ünï", True), ("a\nb", False)])
def test_a_name_of_an_unknown_model_must_be_fit_to_be_a_key(field: str, name: str, fine: bool) -> None:
    """1 to 200 characters without control characters, even where unknown models are ignored."""
    prediction = {"model": "m", "version": "7", "score": 0.5} | {field: name}
    assert read(prediction).reason == ("unknown_model" if fine else "wrong_type")
    ignored = read(prediction, unknown_models="ignore")
    assert ignored is IGNORED if fine else ignored.reason == "wrong_type"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"score": float("inf")}, "score must be a finite number, got inf"),
        ({"value": []}, "value must be a finite number, got an array"),
        ({"scores": [0.5, None]}, "scores must hold numbers"),
        ({"scores": {"a": True}}, "scores must hold numbers"),
        ({"features": "x"}, "features must be an object, got 'x'"),
        ({"version": ""}, "version must have 1 to 200 characters, got 0"),
        ({"version": 3}, 'version must be a text such as "3", got 3'),
        ({"model": ["m"]}, "model must be a text, got an array"),
    ],
)
def test_a_detail_says_what_was_found_and_what_belongs_there(wrong: dict[str, Any], says: str) -> None:
    """All of these are `wrong_type`."""
    fault = read({"model": "m", "score": 0.5} | wrong)
    assert isinstance(fault, Fault)
    assert fault.reason == "wrong_type"
    assert says in fault.detail


@pytest.mark.parametrize("wrong", [1.0, 2.5, True, {}, ["a"], 2**64, -(2**63) - 1])
def test_an_id_is_a_text_or_a_whole_number(wrong: Any) -> None:
    """Where labels are joined; elsewhere it is not read, and what is not read cannot be wrong."""
    prediction = {"model": "m", "score": 0.5, "prediction_id": wrong}
    fault = CarefulRows({M: WITH_IDS}, IngestSettings()).read(prediction, RECORD_MS)
    assert isinstance(fault, Fault)
    assert fault.reason == "wrong_type"
    assert "prediction_id must be a text, or a whole number of 64 bits, got " in fault.detail
    assert isinstance(read(prediction), Row)


def test_the_first_complaint_in_the_documented_order_wins() -> None:
    """Each repair uncovers the next one."""
    prediction = {"model": 3, "version": 3, "ts": 3, "score": "3"}
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("wrong_type", {"model": "other"}),
        ("wrong_type", {"version": "0"}),
        ("unknown_model", {"model": "m"}),
        ("bad_time", {"ts": None}),
        ("wrong_type", {"score": 3}),
        ("score_out_of_range", {"score": None}),
        ("missing_answer", {"features": {}}),
    ]
    for reason, repair in repairs:
        assert read(prediction).reason == reason
        prediction |= repair
    assert isinstance(read(prediction), Row)
