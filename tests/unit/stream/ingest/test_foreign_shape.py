"""Other producers' messages become our shape, and then obey the same rules."""

import re
from pathlib import Path

import numpy as np
import pytest

from stream.ingest.decode import Decoder
from stream.ingest.foreign_shape import ForeignShape
from stream.ingest.settings import IngestSettings
from tests.unit.stream.ingest.messages import SCHEMAS, M, batch_of, rows_of

SELDON = IngestSettings(
    fields={"score": "outputs.0.data.0", "features": "inputs", "features.x": "request.distance", "ts": "at"},
    constants={"model": "m"},
)


def test_a_foreign_message_becomes_the_row_of_its_translation() -> None:
    """Paths through lists, a whole object for the features, one feature from elsewhere, a constant model."""
    foreign = b'{"outputs":[{"data":[0.5]}],"inputs":{"y":2,"c":"UA"},"request":{"distance":7},"at":1364793300000}'
    ours = b'{"model":"m","score":0.5,"ts":1364793300000,"features":{"x":7,"y":2,"c":"UA"}}'
    translated = Decoder(SCHEMAS, SELDON).decode(batch_of([foreign]))
    assert rows_of(translated) == rows_of(Decoder(SCHEMAS, IngestSettings()).decode(batch_of([ours])))
    assert translated.models == [M]


def test_the_order_of_the_map_does_not_matter() -> None:
    """`features` as a whole comes first, however the operator wrote it."""
    one = ForeignShape({"features": "f", "features.x": "x"}, {})
    other = ForeignShape({"features.x": "x", "features": "f"}, {})
    message = {"f": {"x": 1, "y": 2}, "x": 3}
    assert one.prediction(message) == other.prediction(message) == message | {"features": {"x": 3, "y": 2}}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b'{"outputs":[]}', "missing_answer"),
        (b'{"outputs":[{"data":["high"]}]}', "wrong_type"),
        (b'{"outputs":[{"data":[2]}]}', "score_out_of_range"),
        (b'{"outputs":[{"data":[0.5]}],"at":1364793300}', "bad_time"),
        (b"3", "not_object"),
        (b"{", "not_json"),
    ],
)
def test_the_same_rules_apply_after_translation(message: bytes, reason: str) -> None:
    """What a path does not find is absent."""
    settings = IngestSettings(fields={"score": "outputs.0.data.0", "ts": "at"}, constants={"model": "m"})
    batch = Decoder(SCHEMAS, settings).decode(batch_of([message]))
    assert [rejection.reason for rejection in batch.rejections] == [reason]


DOCS = (Path(__file__).parents[4] / "docs" / "predictions.md").read_text(encoding="utf-8")
ROWS = DOCS.partition("| foreign message | becomes |\n|---|---|\n")[2].split("\n\n")[0].splitlines()


@pytest.mark.parametrize(("message", "becomes"), [row.strip("| ").split(" | ") for row in ROWS])
def test_a_foreign_message_becomes_what_the_documented_table_says(message: str, becomes: str) -> None:
    settings = IngestSettings(fields={"score": "out", "features.x": "in.0"}, constants={"model": "m"})
    batch = Decoder(SCHEMAS, settings).decode(batch_of([message.strip("`").encode()]))
    assert [f"dead letter `{rejection.reason}`" for rejection in batch.rejections] == re.findall(r"^dead[^:]+", becomes)
    if becomes.startswith("row"):
        expected = 7.0 if "x` is 7" in becomes or "[7]" in message else np.nan
        np.testing.assert_equal(batch.columns[M].numeric[0, 0], expected)


def test_of_a_segment_too_a_path_that_finds_nothing_makes_no_object() -> None:
    shape = ForeignShape({"segment.origin": "from", "features.x": "x"}, {})
    assert shape.prediction({"score": 1, "segment": None}) == {"score": 1, "segment": None}
    assert shape.prediction({"score": 1, "from": "EWR"}) == {"score": 1, "from": "EWR", "segment": {"origin": "EWR"}}


def test_elements_of_an_array_are_translated_one_by_one() -> None:
    """Each element is a foreign message."""
    settings = IngestSettings(fields={"score": "p"}, constants={"model": "m"})
    batch = Decoder(SCHEMAS, settings).decode(batch_of([b'[{"p":0.1},{"p":7},{"p":0.2}]']))
    assert batch.columns[M].numeric[:, 2].tolist() == [0.1, 0.2]
    assert [rejection.index for rejection in batch.rejections] == [1]


def test_constants_win_and_the_message_stays_as_it_was() -> None:
    """The bytes of a rejection are the message's; nor is its parsed value written to."""
    shape = ForeignShape({"features.x": "z"}, {"model": "m", "features.y": "1"})
    message = {"model": "other", "z": 1, "features": {"x": 0}}
    assert shape.prediction(message) == message | {"model": "m", "features": {"x": 1, "y": "1"}}
    assert message == {"model": "other", "z": 1, "features": {"x": 0}}


@pytest.mark.parametrize("path", ["a.1", "a.-1", "a.x", "b", "a.0.0", "a.²"])
def test_a_path_that_leads_nowhere_is_absent(path: str) -> None:
    """No negative positions, no positions in texts."""
    assert ForeignShape({"score": path}, {}).prediction({"a": ["text"]}) == {"a": ["text"], "score": None}
