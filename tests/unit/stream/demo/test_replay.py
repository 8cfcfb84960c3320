"""How the replay is cut and paced."""

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.demo.flights import Flights
from stream.demo.messages import labels, predictions
from stream.demo.replay import AS_FAST_AS_IT_GOES, CHUNK_MESSAGES, STEP_S, chunks, merged

times = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=300).map(lambda t: np.array(sorted(t), np.int64))


@given(times, st.sampled_from([1.0, 60.0, 86_400.0, AS_FAST_AS_IT_GOES]))
def test_chunks_hold_every_message_once_in_order(event_time_ms: np.ndarray, speed: float) -> None:
    cut = list(chunks(event_time_ms, speed))
    assert [begin for begin, _ in cut] == [0, *(end for _, end in cut[:-1])]
    assert cut[-1][1] == len(event_time_ms)


@given(times, st.sampled_from([1.0, 60.0, 86_400.0]))
def test_no_chunk_spans_more_wall_time_than_a_step(event_time_ms: np.ndarray, speed: float) -> None:
    for begin, end in chunks(event_time_ms, speed):
        assert event_time_ms[end - 1] - event_time_ms[begin] <= speed * STEP_S * 1_000


def test_no_chunk_is_larger_than_the_partitions_may_be_apart() -> None:
    assert {end - begin for begin, end in chunks(np.zeros(5_000, np.int64), AS_FAST_AS_IT_GOES)} == {CHUNK_MESSAGES}


def test_predictions_and_labels_are_one_stream_in_order_of_event_time(flights: Flights) -> None:
    both = [predictions(flights, np.zeros(len(flights))), labels(flights)]
    published = merged(*both)
    assert (np.diff(published.event_time_ms) >= 0).all()
    for part, is_label in zip(both, (False, True), strict=True):
        rows = np.flatnonzero(published.is_label == is_label).tolist()
        assert [published.values[i] for i in rows] == part.values
        assert [published.keys[i] for i in rows] == part.keys
    np.testing.assert_array_equal(published.predicted_ms, flights.event_time_ms)


def test_a_label_never_precedes_its_prediction(flights: Flights) -> None:
    published = merged(predictions(flights, np.zeros(len(flights))), labels(flights))
    ids = [orjson.loads(value)["prediction_id"] for value in published.values]
    seen: set[str] = set()
    for prediction_id, is_label in zip(ids, published.is_label.tolist(), strict=True):
        assert is_label == (prediction_id in seen)
        seen.add(prediction_id)
