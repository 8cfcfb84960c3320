"""Input that cannot be counted: a value with its reason and its coordinates, never an exception."""

from dataclasses import dataclass
from typing import Final

REJECTION_REASONS: Final = {
    "not_json": "the bytes are not one JSON value in UTF-8",
    "not_object": "a message must be an object, or an array of objects",
    "empty": "the message has no value",
    "too_large": "the message is longer than `limits.max_message_bytes`",
    "missing_model": "`model` is required",
    "missing_answer": "one of `score`, `value`, `scores`, `features` is required",
    "wrong_type": "a field of the envelope has the wrong type",
    "bad_time": "`ts` must be RFC 3339 with a zone, or epoch milliseconds",
    "future": "`ts` is further ahead of the record's timestamp than `windows.max_clock_skew`",
    "score_out_of_range": "`score` must be in [0, 1]",
    "unknown_model": "no baseline is registered for this model and version",
    "missing_id": "a label needs its prediction's `prediction_id`",
    "missing_label": "`label` is required; null retracts",
    "bad_label": "`label` is no label of its model: 0 or 1, true or false; of a regression a number",
}
"""Reason code: its rule in words. The codes are metric labels, so they are few and fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One message, or one element of an array message, that goes to the dead-letter topic as it came."""

    reason: str  # a key of REJECTION_REASONS
    detail: str  # for people: "score must be in [0, 1], got 1.7"
    offset: int  # of the message in its source
    index: int | None  # position in an array message, None for a message that is one prediction
    value: bytes | None  # the bytes as they came; an element's own bytes
