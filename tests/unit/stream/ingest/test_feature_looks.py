"""Which rows are looked at, and what is seen of their features."""

import json
from collections.abc import Collection

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.chunk import place_of
from stream.ingest.feature_looks import FeatureLooks, drawn
from stream.ingest.settings import IngestSettings
from stream.ingest.value_codes import NULL, OTHER, number_code, value_code
from stream.records.feature_names import FeatureNames
from stream.records.source import MessageBatch
from tests.looked_at import looked_at
from tests.small_model import PREDICTIONS


def seen(*values: bytes, known: Collection[str] = "ab", settings: IngestSettings | None = None) -> FeatureNames:
    """What is noted of messages, and of the elements of arrays, when all that are drawn are like these."""
    names = FeatureNames()
    for value in values:
        parts = json.loads(value)
        for element in range(len(parts)) if isinstance(parts, list) else (None,):
            offset = next(o for o in range(1_000_000) if looked_at(o, element))
            batch = MessageBatch(
                source=PREDICTIONS,
                begin=offset,
                chained=True,
                offsets=np.array([offset]),
                timestamps_ms=np.zeros(1, np.int64),
                values=[value],
            )
            place = np.array([place_of(0, -1 if element is None else element)])
            FeatureLooks(batch, settings or IngestSettings()).note(
                batch.offsets, place, np.zeros(1, np.int64), known=frozenset(known), names_of=lambda _: names
            )
    return names


def test_rows_are_drawn_by_a_hash_of_offset_and_element() -> None:
    offsets = [*range(500), 2**40 + 7, 2**62]
    for element in (None, 0, 1, 99_999):
        place = np.array([place_of(i % 7, -1 if element is None else element) for i in range(len(offsets))])
        for partition in (0, 7):
            found = drawn(partition, np.array(offsets), place).tolist()
            assert found == [i for i, offset in enumerate(offsets) if looked_at(offset, element, partition)]


def test_of_each_64_messages_one_is_looked_at() -> None:
    at = drawn(5, 6_400 + np.arange(64_000), np.zeros(64_000, np.int64))
    assert (at // 64).tolist() == list(range(1_000))
    assert set(at % 64) == set(range(64))


@pytest.mark.parametrize(("step", "first"), [(2, 1), (8, 5), (64, 1), (128, 64), (64 * 987, 3)])
def test_no_rhythm_of_a_producer_hides_its_rows(step: int, first: int) -> None:
    """Of 64,000 rows a thousand; three standard deviations are 94."""
    at = drawn(3, first + step * np.arange(64_000), np.zeros(64_000, np.int64))
    assert abs(len(at) - 1_000) < 94
    assert max(np.diff(at)) < 1_000  # by chance one time in 7,000


def test_partitions_that_fill_in_step_are_looked_at_in_other_moments() -> None:
    """Of 64,000 offsets a thousand are drawn in each, and sixteen in both: two drawn at a time are chance."""
    offsets, place = np.arange(64_000), np.zeros(64_000, np.int64)
    assert len(np.intersect1d(drawn(0, offsets, place), drawn(1, offsets, place))) < 40


def test_elements_of_one_array_are_drawn_each_by_itself() -> None:
    at = drawn(0, np.full(64_000, 3), np.array([place_of(0, i) for i in range(64_000)]))
    assert abs(len(at) - 1_000) < 94
    assert max(np.diff(at)) < 1_000


def test_elements_are_drawn_however_short_the_arrays_are() -> None:
    """Of 16,000 arrays of four."""
    place = np.array([place_of(i // 4, i % 4) for i in range(64_000)])
    assert abs(len(drawn(0, np.arange(64_000) // 4, place)) - 1_000) < 94


def test_a_row_is_read_wherever_it_stands() -> None:
    assert seen(b'{"features": {"a": 1}}') == FeatureNames(1, {"b": 1})
    assert seen(b'[{}, {"features": {"b": null, "a": 2}}]') == FeatureNames(2, {"a": 1, "b": 1})
    assert seen(b'{"score": 1}') == FeatureNames(1, {"a": 1, "b": 1})


def test_in_a_foreign_shape_a_path_that_finds_nothing_is_an_absent_feature() -> None:
    settings = IngestSettings(fields={"features.a": "inputs.distance", "features.b": "inputs.wind"})
    message = b'{"inputs": {"distance": 7}, "features": {"o": null}}'
    assert seen(message, settings=settings) == FeatureNames(1, {"b": 1}, {"o": {NULL: 1}})


def test_null_is_not_absent_and_names_are_counted_by_row() -> None:
    features = ({"a": None, "b": 1}, {"b": 2, "c": "x"}, {"a": 1, "b": 1, "c": None})
    names = seen(*(orjson.dumps({"features": one}) for one in features))
    assert names == FeatureNames(3, {"a": 1}, {"c": {value_code("x"): 1, NULL: 1}})


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b'{"features": {"a": 1, "a": 2, "b": 3}}', FeatureNames(1)),
        (b'{"features": {"a": 1}, "features": {"b": 1, "a": 1}}', FeatureNames(1)),  # of two the last counts
        (b'{"features": {"a": 1, "b": 1}, "features": {"b": 1}}', FeatureNames(1, {"a": 1})),
        (b'{"features": {"\\u0061": 1, "b": 1}}', FeatureNames(1)),
        (b'{"features": {"a": 1e999, "b": [[{}]]}}', FeatureNames(1)),
        (b'{"features": {"a": 1e999, "b": 1, "c": 1e999}}', FeatureNames(1, {}, {"c": {OTHER: 1}})),
        (b'{"features": {"a": 123456789012345678901234567890, "b": 1}, "score": "x"}', FeatureNames(1)),
        (b'{"features": {"a": ' + b"[" * 490 + b"]" * 490 + b', "b": 1}}', FeatureNames(1)),
    ],
)
def test_a_short_look_sees_no_more_and_no_less_than_a_careful_one(message: bytes, found: FeatureNames) -> None:
    assert seen(message) == found
    constants = IngestSettings(constants={"model": "m"})  # then every look is a careful one
    assert seen(message, settings=constants) == found


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=3)


@given(st.sets(names, max_size=30), st.sets(names, max_size=3), st.sets(names, max_size=3))
def test_whatever_features_are_called_what_is_gone_and_what_is_new_is_seen(
    known: set[str], gone: set[str], new: set[str]
) -> None:
    there = known - gone | new
    found = seen(orjson.dumps({"features": dict.fromkeys(sorted(there))}), known=known)
    assert found.looked == 1
    assert found.absent.keys() == known - there
    assert sum(map(found.rows_of, found.unknown)) + found.beyond == len(there - known)


def test_codes_of_numbers_ascend_with_them() -> None:
    numbers = [-1e300, -3.0, -1.0, -1e-30, 0.0, 1e-30, 0.5, 1.0, 1.5, 2.0, 5e9, 1e300]
    codes = [number_code(n) for n in numbers]
    assert codes == sorted(codes)
    assert codes[0] == -256
    assert codes[-1] == 256
    assert (codes[2], codes[7], codes[9]) == (-129, 129, 133)  # four bins an octave, 1.0 in the 129th


def test_what_is_neither_number_nor_text_has_one_code() -> None:
    assert {value_code(v) for v in (True, [1], {"a": 1}, float("inf"), float("nan"))} == {OTHER}
    assert value_code(3) == value_code(3.0)
    assert value_code("3") != value_code(3)
