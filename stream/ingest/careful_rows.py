"""The slow route: one prediction at a time through every rule; it alone refuses.

Promise: every JSON value becomes exactly one of a row, a `Fault`, or IGNORED. A broken envelope refuses
the message; a wrong feature value is invalid in its own series and the row counts.
Cost: about 7 us for 10 features, after parsing.
The order of the checks is the order of the table in docs/predictions.md: the first complaint wins.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from stream.ingest.class_scores import class_scores, class_scores_fault
from stream.ingest.envelope import IGNORED, Ignored, model_key, name_fault
from stream.ingest.event_time import event_time
from stream.ingest.fault import Fault, shown
from stream.ingest.feature_values import MISSING_NUMBER, Codes, categorical_code, category_codes, numeric_value
from stream.ingest.id_hash import NO_ID, id_fault, id_hash
from stream.ingest.latency_values import latency_value
from stream.ingest.segment_values import codes_of, segment_codes
from stream.ingest.settings import IngestSettings
from stream.ingest.status_values import status_code
from stream.ingest.unknown_rows import UnknownRow, unknown_row
from stream.records.prediction import STATUS_OK, Answer, ModelKey, Schema

_ANSWER_FIELDS: Final = ("score", "value", "scores", "features")
# What nobody has registered is held to what every model is: a score is in [0, 1].
OF_ANY_MODEL: Final = Schema(numeric=(), categorical=(), categories=(), answer=Answer.SCORE)


class Row(NamedTuple):
    """One accepted prediction, its values in the order of the model's `Schema`."""

    key: ModelKey
    event_time_ms: int
    numeric: list[float]  # numeric features, then the answer where the schema has one
    categorical: list[int]
    id_hash: int = NO_ID
    latency_ms: float = MISSING_NUMBER
    segments: Sequence[int] = ()  # codes of the schema's segment fields
    status: int = STATUS_OK


Outcome = Row | UnknownRow | Fault | Ignored


class CarefulRows:
    """The rules, for the models of `schemas`."""

    def __init__(self, schemas: Mapping[ModelKey, Schema], settings: IngestSettings) -> None:
        self._schemas = dict(schemas)
        self._settings = settings
        self._codes: dict[ModelKey, list[Codes]] = {
            key: [category_codes(categories) for categories in schema.categories] for key, schema in schemas.items()
        }
        self._segments = {key: codes_of(schema.segments) for key, schema in schemas.items()}

    def read(self, prediction: object, record_timestamp_ms: int) -> Outcome:
        """What one prediction becomes; `prediction` is any JSON value."""
        if not isinstance(prediction, dict):
            return Fault("not_object", f"a prediction is a JSON object, got {shown(prediction)}")
        key = model_key(prediction)
        if isinstance(key, Fault):
            return key
        schema = self._schemas.get(key)
        if schema is None:
            return self._unknown(key, prediction, record_timestamp_ms)
        event_time_ms = self._event_time(prediction, record_timestamp_ms)
        if isinstance(event_time_ms, Fault):
            return event_time_ms
        return _envelope_fault(prediction, schema) or self._row(key, schema, event_time_ms, prediction)

    def _event_time(self, prediction: dict[str, object], record_timestamp_ms: int) -> int | Fault:
        return event_time(
            prediction.get("ts"),
            record_timestamp_ms=record_timestamp_ms,
            max_clock_skew_ms=self._settings.max_clock_skew_ms,
        )

    def _unknown(self, key: ModelKey, prediction: dict[str, object], record_timestamp_ms: int) -> Outcome:
        if fault := name_fault("model", key.model) or name_fault("version", key.version):
            return fault
        if self._settings.unknown_models == "learn":
            event_time_ms = self._event_time(prediction, record_timestamp_ms)
            if isinstance(event_time_ms, Fault):
                return event_time_ms
            return _envelope_fault(prediction, OF_ANY_MODEL) or unknown_row(key, event_time_ms, prediction)
        if self._settings.unknown_models == "ignore":
            return IGNORED
        versions = sorted(other.version for other in self._schemas if other.model == key.model)
        known = f"; versions with a baseline: {shown(', '.join(versions))}" if versions else ""
        return Fault(
            "unknown_model",
            f"no baseline for model {shown(key.model)}, version {shown(key.version)}{known}; "
            "register one with `driftline baseline create`, or set `unknown_models: ignore`",
        )

    def _row(self, key: ModelKey, schema: Schema, event_time_ms: int, prediction: dict[str, object]) -> Row:
        features = prediction.get("features")
        values: dict[str, object] = features if isinstance(features, dict) else {}
        numeric = [numeric_value(values.get(name)) for name in schema.numeric]
        if schema.answer is Answer.SCORES:
            numeric += class_scores(prediction.get(schema.answer.value), schema.classes)
        elif schema.answer is not None:
            numeric.append(_answer(prediction.get(schema.answer.value)))
        codes = self._codes[key]
        categorical = [categorical_code(values.get(n), c) for n, c in zip(schema.categorical, codes, strict=True)]
        return Row(
            key,
            event_time_ms,
            numeric,
            categorical,
            id_hash=_id_hash(key, prediction) if schema.ids else NO_ID,
            latency_ms=latency_value(prediction.get("latency_ms")) if schema.latency else MISSING_NUMBER,
            segments=segment_codes(prediction.get("segment"), self._segments[key]),
            status=status_code(prediction.get("status")) if schema.status else STATUS_OK,
        )


def _envelope_fault(prediction: dict[str, object], schema: Schema) -> Fault | None:
    if all(prediction.get(field) is None for field in _ANSWER_FIELDS):
        return Fault("missing_answer", "one of `score`, `value`, `scores`, `features` is required")
    for field in ("score", "value"):
        if not _is_number(prediction.get(field)):
            return Fault("wrong_type", f"{field} must be a finite number, got {shown(prediction[field])}")
    if not _is_scores(prediction.get("scores")):
        return Fault("wrong_type", f"scores must hold numbers, by class or in order, got {shown(prediction['scores'])}")
    if not isinstance(prediction.get("features"), dict | None):
        return Fault("wrong_type", f"features must be an object, got {shown(prediction['features'])}")
    id_of_wrong_type = id_fault(prediction.get("prediction_id")) if schema.ids else None
    return id_of_wrong_type or _score_fault(prediction.get("score"), schema) or _scores_fault(prediction, schema)


def _score_fault(score: object, schema: Schema) -> Fault | None:
    if schema.answer is Answer.SCORE and isinstance(score, int | float) and not 0 <= score <= 1:
        return Fault("score_out_of_range", f"score must be in [0, 1], got {shown(score)}")
    return None


def _scores_fault(prediction: dict[str, object], schema: Schema) -> Fault | None:
    return class_scores_fault(prediction.get("scores"), schema.classes) if schema.answer is Answer.SCORES else None


def _is_number(value: object) -> bool:
    """Whether it is null or a finite number; a boolean is none."""
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_scores(value: object) -> bool:
    """Whether it is null, or finite numbers in an object or an array."""
    if value is None:
        return True
    numbers = list(value.values()) if isinstance(value, dict) else value
    return isinstance(numbers, list) and all(one is not None and _is_number(one) for one in numbers)


def _id_hash(key: ModelKey, prediction: dict[str, object]) -> int:
    prediction_id = prediction.get("prediction_id")
    return id_hash(key.model, prediction_id) if isinstance(prediction_id, str | int) else NO_ID


def _answer(value: object) -> float:
    return float(value) if isinstance(value, int | float) else MISSING_NUMBER
