"""The newest predictions of a topic as columns, from messages that nobody has described."""

import json
import math
from typing import Any

import numpy as np
import pytest

from stream.baselines.columns import CategoricalColumn, NumericColumn
from stream.baselines.create import baseline_of
from stream.baselines.learning import Windows, learn
from stream.baselines.live import Selection, read_live
from stream.errors import InputError
from stream.ingest.foreign_shape import ForeignShape
from stream.records.prediction import CODE_INVALID, CODE_MISSING, Answer, ModelKey
from stream.records.source import Source
from tests.unit.stream.baselines.memory_log import MemoryLog

KEY = ModelKey("m", "1")
LEFT, RIGHT = Source("predictions", 0), Source("predictions", 1)
START_MS = 1_700_000_000_000


def prediction(i: int = 0, **changes: Any) -> dict[str, Any]:
    return {"model": "m", "version": "1", "ts": START_MS + i, "score": 0.5, "features": {"x": i}} | changes


def log_of(*values: Any, source: Source = LEFT) -> MemoryLog:
    log = MemoryLog()
    for value in values:
        log.put(source, value if isinstance(value, bytes) else json.dumps(value).encode(), timestamp_ms=START_MS)
    return log


async def read(log: MemoryLog, **selection: Any):
    return await read_live(log, [LEFT, RIGHT], Selection(key=KEY, **selection))


async def test_text_is_categorical_and_numbers_are_numeric() -> None:
    rows = [
        prediction(features={"hour": 5, "wet": True, "carrier": "UA"}),
        prediction(features={"hour": None, "wet": False, "carrier": None}),
        prediction(features={"hour": "six", "carrier": 7}),
        prediction(features={"hour": 7.5, "carrier": "UA"}),
    ]
    columns, _ = await read(log_of(*rows))
    hour, wet, carrier = columns.features
    assert isinstance(hour, NumericColumn)
    assert isinstance(wet, NumericColumn)
    assert isinstance(carrier, CategoricalColumn)
    assert hour.values.tolist() == [5, pytest.approx(math.nan, nan_ok=True), math.inf, 7.5]
    assert np.isnan(wet.values).tolist() == [False, False, True, True]
    assert (carrier.codes.tolist(), carrier.categories) == ([0, CODE_MISSING, CODE_INVALID, 0], ("UA",))


async def test_only_predictions_of_the_model_that_counting_would_take_are_used() -> None:
    log = log_of(
        prediction(1),
        b"no json",
        b"",
        7,
        prediction(2, model="other"),
        prediction(3, version="2"),
        {k: v for k, v in prediction(4).items() if k != "version"},  # version "0"
        prediction(5, score=1.5),
        prediction(6, ts=1_700_000_000),  # seconds
        prediction(7, ts="2023-11-14T22:13:20"),  # no zone
        prediction(8, ts="2023-11-14T22:13:20Z"),
        [prediction(9), "no prediction", prediction(10)],
    )
    columns, made = await read(log)
    (x,) = columns.features
    assert sorted(x.values.tolist()) == [1, 8, 9, 10]
    assert made.files == ("predictions/0[0, 12)",)


async def test_the_newest_rows_of_all_partitions_are_taken_by_event_time() -> None:
    log = MemoryLog()
    for i in range(100):
        source = LEFT if i % 3 else RIGHT
        log.put(source, json.dumps(prediction(i)).encode(), timestamp_ms=START_MS)
    columns, made = await read(log, last=10)
    assert columns.features[0].values.tolist() == list(range(90, 100))
    assert (made.rows, made.from_ms, made.to_ms) == (10, START_MS + 90, START_MS + 99)
    assert made.files == ("predictions/0[60, 66)", "predictions/1[30, 34)")


async def test_it_looks_back_until_there_are_enough_and_no_further() -> None:
    log = log_of(*[prediction(i, model="m" if i < 500 or i % 50 == 0 else "other") for i in range(1_000)])
    columns, _ = await read(log, last=10)
    assert columns.features[0].values.tolist() == [499, *range(500, 1_000, 50)][-10:]
    assert min(start for source, start in log.reads if source == LEFT) > 0


async def test_a_range_of_event_time_is_half_open() -> None:
    columns, _ = await read(log_of(*[prediction(i) for i in range(10)]), from_ms=START_MS + 3, to_ms=START_MS + 6)
    assert columns.features[0].values.tolist() == [3, 4, 5]


async def test_without_ts_the_record_says_when_it_was() -> None:
    _, made = await read(log_of(prediction(ts=None)))
    assert made.from_ms == START_MS


async def test_features_that_hold_neither_numbers_nor_text_are_left_out() -> None:
    columns, _ = await read(log_of(prediction(features={"x": 1, "list": [1]}), prediction(features={"x": 2})))
    assert [c.name for c in columns.features] == ["x"]
    assert "'list'" in columns.notes[0]


async def test_a_regression_and_a_model_without_an_answer() -> None:
    columns, _ = await read(log_of(prediction(score=None, value=-7.5)))
    assert columns.answer is Answer.VALUE
    assert columns.answer_column is not None
    assert columns.answer_column.values.tolist() == [-7.5]
    columns, _ = await read(log_of(prediction(score=None)))
    assert columns.answer is columns.answer_column is None


async def test_messages_of_another_shape() -> None:
    shape = ForeignShape({"score": "out.0", "features.x": "in.x"}, {"model": "m", "version": "1"})
    columns, _ = await read(log_of({"out": [0.25], "in": {"x": 3}}), own_shape=shape.prediction)
    assert columns.features[0].values.tolist() == [3]
    assert columns.answer_column is not None
    assert columns.answer_column.values.tolist() == [0.25]


async def test_none_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="no prediction of m@1 in topic predictions; check --model"):
        await read(log_of(prediction(model="other")), last=5)


async def test_it_becomes_a_baseline() -> None:
    columns, made = await read(log_of(*[prediction(i) for i in range(50)]))
    baseline = baseline_of(columns, KEY, made)
    assert [(s.name, sum(s.counts)) for s in baseline.series] == [("x", 50), ("score", 50)]


async def test_the_times_of_predictions_teach_how_much_healthy_windows_differ() -> None:
    log = log_of(*(prediction(i * 180_000) for i in range(20 * 25)))  # twenty an hour, for 25 hours
    columns, made = await read(log)
    found = learn(baseline_of(columns, KEY, made), columns, Windows((3_600_000,), 60_000))
    assert [(one.window_ms, round(one.rows.mean), one.provisional) for one in found.baseline.evidence] == [
        (3_600_000, 20, False)
    ]
    assert found.notes == ()
