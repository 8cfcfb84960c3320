"""What schemas/prediction.schema.json allows, the decoder accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.prediction import Answer, ModelKey, Schema
from tests.unit.stream.ingest import generated
from tests.unit.stream.ingest.messages import RECORD_MS, batch_of

SCHEMA_FILE = Path(__file__).parents[4] / "schemas" / "prediction.schema.json"
DOCUMENT = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(DOCUMENT)
SERIES = Schema(
    numeric=("x", "distance"),
    categorical=("c", "carrier"),
    categories=(("UA",), ("UA",)),
    answer=Answer.SCORE,
    ids=True,
)


def reasons(message: Any) -> list[str]:
    """Why predictions of the message are refused, with a baseline for every model it names."""
    predictions = message if isinstance(message, list) else [message]
    keys = {ModelKey(one["model"], one.get("version") or "0") for one in predictions}
    decoder = Decoder(dict.fromkeys(keys, SERIES), IngestSettings())
    batch = decoder.decode(batch_of([json.dumps(message).encode()], timestamp_ms=RECORD_MS))
    assert batch.received == len(predictions)
    return [f"{rejection.reason}: {rejection.detail}" for rejection in batch.rejections]


def test_the_schema_is_a_schema() -> None:
    """Draft 2020-12, with examples."""
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert len(DOCUMENT["examples"]) >= 5


@pytest.mark.parametrize("example", DOCUMENT["examples"])
def test_every_example_is_valid_and_counted(example: Any) -> None:
    """The first one is that of the documentation."""
    VALIDATOR.validate(example)
    assert reasons(example) == []


@settings(max_examples=200, deadline=None)
@given(st.one_of(generated.good_predictions, generated.wrong_predictions()))
def test_what_the_schema_allows_the_decoder_accepts(prediction: Any) -> None:
    """The other way round it is not so: the decoder passes over what it does not read."""
    # JSON Schema takes 1.0 for an integer; as an id it is none.
    if VALIDATOR.is_valid(prediction) and not isinstance(prediction.get("prediction_id"), float):
        assert [reason for reason in reasons(prediction) if not reason.startswith("future")] == []


@settings(max_examples=100, deadline=None)
@given(st.lists(generated.good_predictions, max_size=3))
def test_good_predictions_are_valid(predictions: list[Any]) -> None:
    """So that the property above is not about nothing. The schema wants plain feature values and texts for segments."""
    for prediction in predictions:
        prediction.get("features", {}).pop("unknown", None)
    VALIDATOR.validate(predictions)


@pytest.mark.parametrize(
    "wrong",
    [
        {"score": 0.5},
        {"model": "m"},
        {"model": "m", "score": 1.5},
        {"model": "m", "score": "0.5"},
        {"model": 3, "score": 0.5},
        {"model": "m", "version": 3, "score": 0.5},
        {"model": "m", "score": 0.5, "ts": 1364793300},
        {"model": "m", "score": 0.5, "ts": "2013-04-01T05:15:00"},
        {"model": "m", "score": None, "features": None},
        {"model": "m", "score": 0.5, "prediction_id": 2.5},
        {"model": "m", "score": 0.5, "prediction_id": True},
        {"model": "m", "score": 0.5, "prediction_id": 2**64},
        "m",
        [[{"model": "m", "score": 0.5}]],
    ],
)
def test_the_schema_refuses_what_the_decoder_refuses(wrong: Any) -> None:
    """Otherwise a producer's own check would pass what becomes a dead letter."""
    assert not VALIDATOR.is_valid(wrong)
