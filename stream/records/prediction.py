"""Predictions as columns: what decoding hands to counting. No object per event after this point."""

import enum
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream.records.rejection import Rejection

CODE_MISSING: Final = -1  # null, or the feature is absent
CODE_UNSEEN: Final = -2  # a category that the baseline has not
CODE_INVALID: Final = -3  # wrong type, or a number that is not finite

STATUS_OK: Final = 0  # the answer is one
STATUS_FAILED: Final = 1  # `status` says that something went wrong
STATUS_BAD: Final = 2  # `status` is no text


class ModelKey(NamedTuple):
    """Which build of which model answered; statistics are kept per version."""

    model: str
    version: str

    def __str__(self) -> str:
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelColumns:
    """The values of one model's rows, in the order of the model's `Schema`."""

    row: npt.NDArray[np.int64]  # shape (n,): which rows of the PredictionBatch these are, ascending
    numeric: npt.NDArray[np.float64]  # shape (n, numeric features + answer), NaN = missing, +inf = invalid
    categorical: npt.NDArray[np.int32]  # shape (n, categorical features): category index, or a CODE_*
    id_hash: npt.NDArray[np.uint64] = field(  # shape (n,), of the model's name and the id; 0 = no id, or not asked for
        default_factory=lambda: np.empty(0, np.uint64)
    )
    latency_ms: npt.NDArray[np.float64] = (
        field(  # shape (n,), NaN = missing, +inf = bad; not to be looked at if not asked for
            default_factory=lambda: np.empty(0, np.float64)
        )
    )
    segments: npt.NDArray[np.int32] = field(  # shape (n, segment fields): index of the value, or a CODE_*
        default_factory=lambda: np.empty((0, 0), np.int32)
    )
    status: npt.NDArray[np.int8] = field(  # shape (n,): a STATUS_*; not to be looked at if not asked for
        default_factory=lambda: np.empty(0, np.int8)
    )


class UnknownPrediction(NamedTuple):
    """A well-formed prediction of a model that nobody has registered, under `unknown_models: learn`."""

    place: int  # as in PredictionBatch
    offset: int
    element: int | None  # position in an array message
    event_time_ms: int
    key: ModelKey
    content: bytes  # JSON: its features and answers
    value: bytes | None  # the message, or the element, as it came


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionBatch:
    """Predictions of one MessageBatch, in log order: row i is one prediction.

    `received` counts every prediction of the messages: rows here (known models), `ignored`
    ones (of models without a definition), `unknown` ones and rejections.
    """

    place: npt.NDArray[np.int64]  # shape (rows,), ascending: log order, within the batch, of all its predictions
    offset: npt.NDArray[np.int64]  # shape (rows,), ascending; elements of one array share it
    event_time_ms: npt.NDArray[np.int64]  # shape (rows,)
    time_place: npt.NDArray[np.int64]  # shape (times,), ascending: of the rows and of what is no row but has a time
    time_ms: npt.NDArray[np.int64]  # shape (times,): they move the watermark, whatever became of the predictions
    model: npt.NDArray[np.int32]  # shape (rows,): index into `models`
    models: list[ModelKey]
    columns: dict[ModelKey, ModelColumns]
    rejections: list[Rejection]  # in log order
    ignored: int  # predictions of unknown models under `unknown_models: ignore`
    received: int  # = rows + len(rejections) + ignored + len(unknown)
    unknown: list[UnknownPrediction] = field(default_factory=list)  # in log order; of models that are learned


class Answer(enum.StrEnum):
    """Which field of a prediction carries the model's number; the value is the field's name."""

    SCORE = "score"  # P(positive), in [0, 1]
    VALUE = "value"  # a regression's estimate, any finite number
    SCORES = "scores"  # P(class) of each class of a multiclass model, in [0, 1]


class SegmentField(NamedTuple):
    """A field of a prediction's `segment` object that is read."""

    name: str
    values: tuple[str, ...]  # index in it = code; any other value is CODE_UNSEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What decoding must know of a model: which series it has and what a category's index is.

    The numeric series are the numeric features and, last, the answer (`score` of a binary
    model, `value` of a regression, one number for each of `classes`) where the baseline has one.
    """

    numeric: tuple[str, ...]  # feature names, without the answer
    categorical: tuple[str, ...]  # feature names
    categories: tuple[tuple[str, ...], ...]  # per categorical feature; index in it = code
    answer: Answer | None
    ids: bool = False  # whether `prediction_id` is read: only where labels are joined
    latency: bool = False  # whether `latency_ms` is read: only where it is checked
    status: bool = False  # whether `status` is read: only where errors are counted
    classes: tuple[str, ...] = ()  # of a multiclass model, in the order of its series
    segments: tuple[SegmentField, ...] = ()  # what is read of `segment`: nothing, where no segments are counted by it
