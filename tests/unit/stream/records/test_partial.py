"""Partials: counts packed small, records with a version."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import SnapshotError
from stream.records.feature_names import FeatureNames
from stream.records.partial import (
    NO_TIME,
    ActiveDefinition,
    PanePart,
    Partial,
    decode_partial,
    encode_partial,
    pack_counts,
    unpack_counts,
)
from tests.small_model import settings

PARTIAL = Partial(
    source="predictions/3",
    incarnation=1,
    sources=4,
    next_offset=812,
    newest_event_ms=NO_TIME,
    lost=7,
    idle=True,
    provisional=True,
    definitions={"d": ActiveDefinition("m@0#1", settings(), NO_TIME, 5_000)},
    panes=[PanePart("d", "", 1_000, 800, 812, pack_counts(np.array([1, 0, 300])), 1_200)],
)


@given(st.lists(st.integers(0, 2**62), max_size=20))
def test_counts_come_back_whatever_their_size(counts: list[int]) -> None:
    unpacked = unpack_counts(pack_counts(np.array(counts, np.int64)))
    assert unpacked.tolist() == counts
    assert unpacked.dtype == np.int64


@pytest.mark.parametrize(
    ("largest", "bytes_each"),
    [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32 - 1, 4), (2**32, 8)],
)
def test_counts_are_as_narrow_as_the_largest_allows(largest: int, bytes_each: int) -> None:
    assert len(pack_counts(np.array([0, largest]))) == 1 + 2 * bytes_each


def test_unpacked_counts_are_the_callers_own() -> None:
    counts = unpack_counts(pack_counts(np.array([1, 2])))
    counts += 1
    assert counts.tolist() == [2, 3]


def test_a_partial_is_read_as_it_was_written() -> None:
    assert decode_partial(encode_partial(PARTIAL)) == PARTIAL


def test_names_of_features_travel_with_their_part_and_count_in_its_size() -> None:
    (bare,) = PARTIAL.panes
    named = msgspec.structs.replace(bare, names=FeatureNames(7, {"x": 3}, {"wind": {129: 3}}, 1))
    partial = msgspec.structs.replace(PARTIAL, panes=[named])
    assert decode_partial(encode_partial(partial)) == partial
    assert bare.size == len(bare.counts)
    assert named.size - bare.size == len(msgspec.msgpack.encode([7, {"x": 3}, {"wind": {129: 3}}, 1]))


def test_another_version_is_refused() -> None:
    with pytest.raises(SnapshotError, match="partial"):
        decode_partial(b"\x07" + encode_partial(PARTIAL)[1:])


def test_bytes_that_are_no_partial_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_partial(encode_partial(PARTIAL)[:-3])
