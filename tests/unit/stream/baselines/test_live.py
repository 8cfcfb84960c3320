"""The newest predictions of a topic as columns, from messages that nobody has described."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.baselines.columns import CategoricalColumn, NumericColumn
from stream.baselines.create import baseline_of, check_answer
from stream.baselines.learning import Windows, learn
from stream.baselines.live import Selection, read_live
from stream.errors import InputError
from stream.ingest.countable import Countable
from stream.ingest.settings import IngestSettings
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


async def read(log: MemoryLog, settings: IngestSettings | None = None, **selection: Any):
    wanted = Selection(key=KEY, **selection)
    countable = Countable(KEY, settings or IngestSettings(), answer=wanted.answer, ids=True)
    return await read_live(log, [LEFT, RIGHT], wanted, countable.read)


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
    assert columns.notes == (
        "7 messages are left out, since counting refuses them: 2 bad_time, 1 empty, 1 not_json, 2 not_object, "
        "1 score_out_of_range; docs/predictions.md says why",
    )


DOCS = Path(__file__).parents[4] / "docs" / "predictions.md"
DOCUMENTED_MS = 1_735_689_600_000  # the record's timestamp in docs/predictions.md


def documented() -> list[tuple[str, str]]:
    """Each message of the table with what it becomes; those of the documented model, and of none."""
    _, _, rest = DOCS.read_text(encoding="utf-8").partition("| message | becomes |")
    cells = [re.split(r" \| ", line.strip("|"), maxsplit=1) for line in rest.split("\n\n")[0].strip().splitlines()[1:]]
    return [(message.strip(" `"), becomes) for message, becomes in cells if message.strip().startswith("`")]


REFUSED = [(message, becomes) for message, becomes in documented() if becomes.startswith("dead letter")]


@pytest.mark.parametrize(("message", "becomes"), REFUSED)
async def test_no_documented_dead_letter_is_a_row_and_none_keeps_the_good_rows_out(message: str, becomes: str) -> None:
    """The model of the table is `m`, version `0`; a dead letter that names another model is not its."""
    key = ModelKey("m", "0")
    good = [json.dumps(prediction(i, version="0", ts=DOCUMENTED_MS - 50 + i)).encode() for i in range(20)]
    log = MemoryLog()
    for value in (*good[:10], message.encode(), *good[10:]):
        log.put(LEFT, value, timestamp_ms=DOCUMENTED_MS)
    countable = Countable(key, IngestSettings(), answer=Answer.SCORE, ids=True)

    columns, made = await read_live(log, [LEFT], Selection(key=key), countable.read)

    check_answer(columns)  # what refused the whole command before
    assert [name.name for name in columns.features] == ["x"]
    assert columns.features[0].values.tolist() == list(range(20))
    assert (made.from_ms, made.to_ms) == (DOCUMENTED_MS - 50, DOCUMENTED_MS - 31)
    (reason,) = re.findall(r"^dead letter `(\w+)`", becomes)
    of_another = reason == "unknown_model" or "\\u0000" in message
    said = f"1 message is left out, since counting refuses it: 1 {reason}; docs/predictions.md says why"
    assert columns.notes == (() if of_another else (said,))


async def test_if_counting_refuses_everything_it_is_said_why_there_is_nothing() -> None:
    with pytest.raises(InputError, match=r"no prediction of m@1 .*\(2 messages are left out.*: 2 wrong_type;"):
        await read(log_of(prediction(score="0.5"), prediction(score=True)))


async def test_an_id_that_no_label_could_find_is_a_dead_letter_only_where_labels_are_joined() -> None:
    log = log_of(prediction(1), prediction(2, prediction_id=1.5))
    for ids, rows in ((True, [1]), (False, [1, 2])):
        countable = Countable(KEY, IngestSettings(), answer=Answer.SCORE, ids=ids)
        columns, _ = await read_live(log, [LEFT], Selection(key=KEY), countable.read)
        assert columns.features[0].values.tolist() == rows


async def test_a_feature_with_the_answers_name_does_not_keep_the_others_from_being_counted() -> None:
    columns, made = await read(log_of(prediction(1), prediction(2, features={"x": 2, "score": 3})))
    assert [s.name for s in baseline_of(columns, KEY, made).series] == ["x", "score"]
    assert columns.notes == ("feature 'score' has the answer's name and is left out",)


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


async def test_a_regression_may_carry_any_number_as_its_score() -> None:
    rows = [prediction(i, score=7, value=-i) for i in range(3)]
    columns, _ = await read(log_of(*rows), answer=Answer.VALUE)
    assert columns.answer is Answer.VALUE
    assert columns.answer_column is not None
    assert columns.answer_column.values.tolist() == [0, -1, -2]


async def test_messages_of_another_shape() -> None:
    shape = IngestSettings(fields={"score": "out.0", "features.x": "in.x"}, constants={"model": "m", "version": "1"})
    columns, _ = await read(log_of({"out": [0.25], "in": {"x": 3}}), shape)
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
    log = MemoryLog()
    for i in range(20 * 25):  # twenty an hour, for 25 hours; each as it happens
        one = prediction(i * 180_000)
        log.put(LEFT, json.dumps(one).encode(), timestamp_ms=one["ts"])
    columns, made = await read(log)
    found = learn(baseline_of(columns, KEY, made), columns, Windows((3_600_000,), 60_000))
    assert [(one.window_ms, round(one.rows.mean), one.provisional) for one in found.baseline.evidence] == [
        (3_600_000, 20, False)
    ]
    assert found.notes == ()
