"""The slow route of labels: one at a time through every rule; it alone refuses.

Promise: every JSON value becomes exactly one of a label, a `Fault`, or IGNORED.
The order of the checks is the order of the table in docs/predictions.md: the first complaint wins.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from stream.ingest.envelope import DEFAULT_VERSION, IGNORED, Ignored, model_key, name_fault
from stream.ingest.event_time import event_time
from stream.ingest.fault import Fault, shown
from stream.ingest.feature_values import number_text
from stream.ingest.id_hash import id_fault, id_hash
from stream.ingest.settings import IngestSettings

LARGEST_FLOAT32: Final = 3.4028234663852886e38  # labels of a regression travel as float32
RETRACTED: Final = math.nan
NO_SCORE: Final = math.nan
_RULE_OF: Final = {
    "binary": "0, 1, false or true",
    "regression": "a number below 3.4e38",
    "multiclass": "the name of a class",
}
UNKNOWN_CLASS: Final = -1.0  # of a multiclass model: a label that names none of its classes


@dataclass(frozen=True, slots=True)
class LabelRule:
    """What a model's labels are."""

    task: str  # binary | regression | multiclass
    classes: tuple[str, ...] = ()  # of a multiclass model; a label's value is its class's place here

    @property
    def is_regression(self) -> bool:
        """Whether a label is any number."""
        return self.task == "regression"

    @property
    def is_multiclass(self) -> bool:
        """Whether a label is a class's name; if it is no regression's either, it is one of two classes."""
        return self.task == "multiclass"


class Label(NamedTuple):
    """One accepted label."""

    model: str
    event_time_ms: int
    id_hash: int
    value: float  # of a multiclass model the place of its class; NaN: retracted
    score: float  # NaN: none
    version: str  # "0" without a score


Outcome = Label | Fault | Ignored


class CarefulLabels:
    """The rules, for the models of `rules`."""

    def __init__(self, rules: Mapping[str, LabelRule], settings: IngestSettings) -> None:
        self._rules = dict(rules)
        self._settings = settings

    def read(self, label: object, record_timestamp_ms: int) -> Outcome:
        """What one label becomes; `label` is any JSON value."""
        if not isinstance(label, dict):
            return Fault("not_object", f"a label is a JSON object, got {shown(label)}")
        key = model_key(label)
        if isinstance(key, Fault):
            return key
        rule = self._rules.get(key.model)
        if rule is None:
            return self._unknown(key.model)
        event_time_ms = event_time(
            label.get("ts"),
            record_timestamp_ms=record_timestamp_ms,
            max_clock_skew_ms=self._settings.max_clock_skew_ms,
        )
        if isinstance(event_time_ms, Fault):
            return event_time_ms
        fault = _id_fault(label) or _label_fault(label, rule) or _score_fault(label, rule, key.version)
        if fault is not None:
            return fault
        score = _score(label, rule)
        version = DEFAULT_VERSION if math.isnan(score) else key.version
        hashed = id_hash(key.model, label["prediction_id"])
        return Label(key.model, event_time_ms, hashed, _value(label["label"], rule), score, version)

    def _unknown(self, model: str) -> Outcome:
        if fault := name_fault("model", model):
            return fault
        if self._settings.unknown_models in ("ignore", "learn"):  # what is being learned does not wait for labels yet
            return IGNORED
        return Fault(
            "unknown_model",
            f"no baseline of model {shown(model)} that labels can be compared with; register one that has "
            "a score or a value with `driftline baseline create`, or set `unknown_models: ignore`",
        )


def is_class(value: object) -> bool:
    """Whether it names one of two classes: true or 1, false or 0.

    >>> [is_class(value) for value in (True, 0, 1.0, 2, 0.5, "1", "yes")]
    [True, True, True, False, False, False, False]
    """
    return isinstance(value, int | float) and value in (0, 1)


def is_truth(value: object) -> bool:
    """Whether it can be the truth that an estimate is compared with: a number that float32 holds.

    >>> [is_truth(value) for value in (3, -0.5, 1e39, True, "3")]
    [True, True, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_FLOAT32


def class_place(value: object, places: Mapping[str, int]) -> float | None:
    """The place of the class that a label names, UNKNOWN_CLASS for another name; None: it is no name.

    >>> [class_place(value, {"3": 0, "true": 1}) for value in ("3", 3, 3.0, True, "x", None, [])]
    [0.0, 0.0, 0.0, 1.0, -1.0, None, None]
    """
    if isinstance(value, int | float):
        value = number_text(value) or ""
    return float(places.get(value, UNKNOWN_CLASS)) if isinstance(value, str) else None


def _id_fault(label: dict[str, object]) -> Fault | None:
    prediction_id = label.get("prediction_id")
    if prediction_id is None or prediction_id == "":
        return Fault("missing_id", "`prediction_id` is required, the id of the prediction that this is the truth of")
    return id_fault(prediction_id)


def _label_fault(label: dict[str, object], rule: LabelRule) -> Fault | None:
    if "label" not in label:
        return Fault("missing_label", "`label` is required; null takes back what was said before")
    value = label["label"]
    if value is None or _is_good(value, rule):
        return None
    return Fault("bad_label", f"label must be {_RULE_OF[rule.task]}, or null to retract, got {shown(value)}")


def _is_good(value: object, rule: LabelRule) -> bool:
    if rule.is_multiclass:
        return isinstance(value, str | int | float)
    return is_truth(value) if rule.is_regression else is_class(value)


def _score_fault(label: dict[str, object], rule: LabelRule, version: str) -> Fault | None:
    score = label.get("score")
    if score is None or rule.is_regression or rule.is_multiclass:  # what is not read cannot be wrong
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        return Fault("wrong_type", f"score must be a finite number, got {shown(score)}")
    if not 0 <= score <= 1:
        return Fault("score_out_of_range", f"score must be in [0, 1], got {shown(score)}")
    return name_fault("version", version)


def _score(label: dict[str, object], rule: LabelRule) -> float:
    score = label.get("score")
    is_read = not (rule.is_regression or rule.is_multiclass)
    return float(score) if isinstance(score, int | float) and is_read else NO_SCORE


def _value(label: object, rule: LabelRule) -> float:
    if rule.is_multiclass:
        found = class_place(label, {name: i for i, name in enumerate(rule.classes)})
        return RETRACTED if found is None else found
    return float(label) if isinstance(label, int | float) else RETRACTED
