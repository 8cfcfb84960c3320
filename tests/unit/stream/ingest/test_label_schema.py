"""What schemas/label.schema.json allows, the decoder accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.ingest.labels import LabelDecoder, LabelRule
from stream.ingest.settings import IngestSettings
from tests.unit.stream.ingest.generated_labels import good_labels, wrong_labels
from tests.unit.stream.ingest.messages import RECORD_MS, batch_of

SCHEMA_FILE = Path(__file__).parents[4] / "schemas" / "label.schema.json"
DOCUMENT = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(DOCUMENT)
TASKS = {"price": "regression", "house-price": "regression", "animal": "multiclass"}


def reasons(message: Any) -> list[str]:
    """Why labels of the message are refused, with a rule for every model it names."""
    labels = message if isinstance(message, list) else [message]
    rules = {one["model"]: LabelRule(TASKS.get(one["model"], "binary"), ("cat", "dog")) for one in labels}
    batch = LabelDecoder(rules, IngestSettings()).decode(
        batch_of([json.dumps(message).encode()], timestamp_ms=RECORD_MS)
    )
    assert batch.received == len(labels)
    return [f"{rejection.reason}: {rejection.detail}" for rejection in batch.rejections]


def test_the_schema_is_a_schema() -> None:
    """Draft 2020-12, with examples."""
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert len(DOCUMENT["examples"]) >= 5


@pytest.mark.parametrize("example", DOCUMENT["examples"])
def test_every_example_is_valid_and_taken(example: Any) -> None:
    """The first one is that of the documentation."""
    VALIDATOR.validate(example)
    assert reasons(example) == []


@settings(max_examples=200, deadline=None)
@given(st.one_of(good_labels, wrong_labels()))
def test_what_the_schema_allows_the_decoder_accepts(label: Any) -> None:
    """But for what depends on the model: a class is 0 or 1, and a truth no boolean. JSON Schema takes 1.0 for 1."""
    if VALIDATOR.is_valid(label) and not isinstance(label["prediction_id"], float):
        assert [reason for reason in reasons(label) if not reason.startswith(("future", "bad_label"))] == []


@settings(max_examples=100, deadline=None)
@given(st.lists(good_labels, max_size=3))
def test_good_labels_are_valid(labels: list[Any]) -> None:
    """So that the property above is not about nothing."""
    VALIDATOR.validate(labels)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "m", "label": 1},
        {"prediction_id": "a", "label": 1},
        {"prediction_id": "a", "model": "m"},
        {"prediction_id": "", "model": "m", "label": 1},
        {"prediction_id": None, "model": "m", "label": 1},
        {"prediction_id": 2.5, "model": "m", "label": 1},
        {"prediction_id": True, "model": "m", "label": 1},
        {"prediction_id": "a", "model": "m", "label": ["yes"]},
        {"prediction_id": "a", "model": "m", "label": 1e39},
        {"prediction_id": "a", "model": "m", "label": 1, "score": 1.5},
        {"prediction_id": "a", "model": "m", "label": 1, "version": 3},
        {"prediction_id": "a", "model": "m", "label": 1, "ts": 1364793300},
        [[{"prediction_id": "a", "model": "m", "label": 1}]],
        "a",
    ],
)
def test_the_schema_refuses_what_the_decoder_refuses(wrong: Any) -> None:
    """Otherwise a producer's own check would pass what becomes a dead letter."""
    assert not VALIDATOR.is_valid(wrong)
