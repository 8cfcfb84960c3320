"""Names of features: sums that are exact and know no order, within their bounds."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream.records.feature_names import LONGEST_NAME, MOST_NAMES, FeatureNames

counts = st.builds(
    FeatureNames,
    looked=st.integers(0, 9),
    absent=st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9)),
    unknown=st.dictionaries(
        st.sampled_from("uvw"), st.dictionaries(st.integers(-2, 2), st.integers(1, 9), min_size=1), max_size=3
    ),
    beyond=st.integers(0, 9),
)


def total(*parts: FeatureNames) -> FeatureNames:
    found = FeatureNames()
    for part in parts:
        found.add(part)
    return found


def packed(names: FeatureNames) -> bytes:
    return msgspec.msgpack.encode(names.ordered())


@given(counts, counts, counts)
def test_a_sum_is_one_state_whatever_the_order(a: FeatureNames, b: FeatureNames, c: FeatureNames) -> None:
    assert packed(total(a, b, c)) == packed(total(c, total(b, a)))


@given(counts, counts)
def test_what_is_taken_out_again_leaves_no_trace_and_the_parts_are_left_alone(a: FeatureNames, b: FeatureNames) -> None:
    before = packed(a), packed(b)
    both = total(a, b)
    both.subtract(b)
    assert packed(both) == packed(a)
    assert (packed(a), packed(b)) == before


@given(counts)
def test_names_survive_their_way_as_bytes(names: FeatureNames) -> None:
    assert msgspec.msgpack.decode(packed(names), type=FeatureNames) == names


def test_the_first_names_are_kept_and_the_rest_is_counted() -> None:
    names = FeatureNames()
    for i in range(MOST_NAMES + 3):
        names.note_unknown(f"n{i}", 0)
    names.note_unknown("n0", 5)  # known already: there is room for it
    assert list(names.unknown) == [f"n{i}" for i in range(MOST_NAMES)]
    assert (names.unknown["n0"], names.beyond) == ({0: 1, 5: 1}, 3)


def test_a_name_too_long_is_counted_and_not_kept() -> None:
    names = FeatureNames()
    names.note_unknown("n" * LONGEST_NAME, 0)
    names.note_unknown("n" * (LONGEST_NAME + 1), 0)
    assert (list(names.unknown), names.beyond) == (["n" * LONGEST_NAME], 1)


def test_what_an_alert_could_not_be_about_is_no_name() -> None:
    names = FeatureNames()
    for name in ("", "*", "**", "two\nlines", "wind °"):
        names.note_unknown(name, 0)
    assert (list(names.unknown), names.beyond) == (["**", "wind °"], 3)
