"""A prediction of a model that nobody has registered, as its baseline may be learned from it.

Kept are the features and answers, as JSON. A feature that is neither a number, a text, true, false nor null is kept as
an empty list: it is invalid, whatever it held.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from stream.records.prediction import Answer, ModelKey


class UnknownRow(NamedTuple):
    """One accepted prediction of an unknown model."""

    key: ModelKey
    event_time_ms: int
    content: bytes  # JSON


def unknown_row(key: ModelKey, event_time_ms: int, prediction: Mapping[str, object]) -> UnknownRow:
    """The row of a prediction whose envelope is sound.

    >>> unknown_row(ModelKey("m", "0"), 0, {"model": "m", "score": 0.5, "features": {"x": 1, "y": {"z": 2}}}).content
    b'{"features":{"x":1,"y":[]},"score":0.5}'
    """
    features = prediction.get("features")
    values = features if isinstance(features, dict) else {}
    kept: dict[str, object] = {"features": {name: _scalar(value) for name, value in values.items()}}
    kept |= {answer.value: prediction[answer] for answer in Answer if prediction.get(answer) is not None}
    return UnknownRow(key, event_time_ms, msgspec.json.encode(kept))


def _scalar(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else []
