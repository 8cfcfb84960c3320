"""Labels as columns: what decoding hands to the labels fold. No object per label after this point."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.records.rejection import Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelBatch:
    """Labels of one MessageBatch, in log order: row i is one label; all arrays of rows have shape (rows,).

    `received` counts every label of the messages: rows here, labels of unknown models that configuration
    ignores, and rejections.
    """

    place: npt.NDArray[np.int64]  # ascending: log order, within the batch, of all its labels
    offset: npt.NDArray[np.int64]  # ascending; elements of one array share it
    event_time_ms: npt.NDArray[np.int64]  # when the truth became known
    time_place: npt.NDArray[np.int64]  # shape (times,), ascending: of the rows and of what is no row but has a time
    time_ms: npt.NDArray[np.int64]  # shape (times,): they move the watermark, whatever became of the labels
    model: npt.NDArray[np.int32]  # index into `models`
    models: list[str]
    id_hash: npt.NDArray[np.uint64]  # of the model's name and the prediction's id, never 0
    value: npt.NDArray[np.float64]  # 0 or 1; a regression's number; the place of a class, -1 for none; NaN: retracted
    score: npt.NDArray[np.float64]  # in [0, 1], of a label that brings its prediction's score; NaN: none
    version: npt.NDArray[np.int32]  # index into `versions`: which build gave `score`; "0" where there is none
    versions: list[str]
    rejections: list[Rejection]  # in log order
    ignored: int  # labels of unknown models under `unknown_models: ignore`
    received: int  # = rows + len(rejections) + ignored
