"""Hypothesis: predictions as producers send them, and what goes wrong on the way."""

import json
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from tests.unit.stream.ingest.messages import RECORD_MS

_usual_floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(st.integers(-(2**70), 2**70), _usual_floats, st.integers(-5, 5))
short_texts = st.text(max_size=5)
scalars = st.one_of(st.none(), st.booleans(), numbers, short_texts, st.sampled_from(["UA", "3", 3, 3.0, 2.5]))
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_texts, inner, max_size=3), max_leaves=6
)

moments = st.datetimes(datetime(1980, 1, 1), datetime(2020, 1, 1))
good_times = st.one_of(
    st.none(),
    st.integers(10**11, RECORD_MS),
    st.floats(10**11, RECORD_MS),
    moments.map(lambda t: t.isoformat() + "Z"),
    moments.map(lambda t: t.isoformat(timespec="milliseconds") + "+00:00"),
    moments.map(lambda t: t.isoformat(timespec="seconds") + "-05:30"),
)
good_ids = st.one_of(st.none(), st.text(max_size=8), st.integers(0, 99), st.integers(-(2**63), 2**64 - 1))
wrong_ids = st.sampled_from([3.0, 2.5, True, -(2**63) - 1, 2**64, [], {"id": 1}])
good_features = st.fixed_dictionaries(
    {},
    optional={
        "x": st.one_of(st.none(), numbers, st.booleans()),
        "y": st.floats(-1e9, 1e9),
        "c": st.sampled_from(["UA", "3", 3, 2.5, True, None, "ZZ", 4]),
        "unknown": json_values,
    },
)
good_predictions = st.fixed_dictionaries(
    {"model": st.sampled_from(["m", "other"]), "score": st.one_of(st.floats(0, 1), st.sampled_from([0, 1]))},
    optional={
        "version": st.sampled_from(["0", "1", "7"]),
        "ts": good_times,
        "features": good_features,
        "value": _usual_floats,
        "scores": st.dictionaries(st.text(max_size=3), _usual_floats, max_size=3) | st.lists(_usual_floats, max_size=3),
        "prediction_id": good_ids,
        "latency_ms": st.none() | st.floats(0, 1e6) | st.integers(0, 1_000),
        "segment": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    },
)
ENVELOPE = ["model", "version", "ts", "score", "value", "scores", "features", "prediction_id", "latency_ms", "segment",
            "new"]  # fmt: skip

PIECES = [
    *(bytes([byte]) for byte in b'\\"[{},-0\x00\xff '),
    b"",
    b"1e999",
    b"NaN",
    b"\\ud800",
    b"null",
    b'"model":"m",',
]


@st.composite
def wrong_predictions(draw: st.DrawFn) -> dict[str, Any]:
    """A good prediction in which up to three fields hold anything or are gone."""
    prediction: dict[str, Any] = dict(draw(good_predictions))
    for field in draw(st.lists(st.sampled_from(ENVELOPE), min_size=1, max_size=3)):
        if draw(st.booleans()):
            prediction.pop(field, None)
        else:
            prediction[field] = draw(json_values)
    if draw(st.booleans()):
        prediction["prediction_id"] = draw(wrong_ids)
    if draw(st.booleans()):
        prediction["features"] = {"x": draw(json_values), "c": draw(json_values)}
    return prediction


@st.composite
def as_json(draw: st.DrawFn, predictions: st.SearchStrategy[Any]) -> bytes:
    """A prediction as JSON: escaped or not, spaced or not, keys in any order."""
    prediction = draw(predictions)
    if isinstance(prediction, dict):
        prediction = {key: prediction[key] for key in draw(st.permutations(list(prediction)))}
    text = json.dumps(
        prediction, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of a good message of which a stretch is replaced, doubled or cut out."""
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.integers(0, 8)))
    pieces = [
        b"",
        b"1e999",
        b"NaN",
        b"\xff",
        b"\\ud800",
        b"\\",
        b'"',
        b"[",
        b"{",
        b"}",
        b",",
        b"null",
        b"-",
        b"0",
        b"\x00",
    ]
    return text[:start] + draw(st.sampled_from([*pieces, text[start:end] * 2])) + text[end:]


messages = st.one_of(
    as_json(good_predictions),
    as_json(wrong_predictions()),
    as_json(json_values),
    as_json(st.lists(st.one_of(good_predictions, wrong_predictions(), json_values), max_size=4)),
    damaged(as_json(good_predictions)),
    damaged(as_json(st.lists(good_predictions, max_size=3))),
    st.binary(max_size=20),
    st.none(),
)
