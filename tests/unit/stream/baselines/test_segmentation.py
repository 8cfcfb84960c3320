"""Segments: which there are follows from settings and baseline, and each row lies in one of every key."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import MOST_VALUES, segmented
from stream.baselines.definition import Definition
from stream.baselines.segmentation import Segmentation
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN, ModelColumns, SegmentField
from stream.records.settings import SegmentSettings
from tests.small_model import baseline, settings

ONE = baseline()  # its categorical feature `c` has the categories a and b, and knows z
PLAN = SegmentSettings(values=("free", "pro"))


def of(of_baseline: Baseline = ONE, **keys: SegmentSettings) -> Segmentation:
    return Segmentation.of(of_baseline, keys)


def columns(*, c: list[int], segments: list[list[int]] | None = None) -> ModelColumns:
    n = len(c)
    return ModelColumns(
        row=np.arange(n),
        numeric=np.zeros((n, 2)),
        categorical=np.array(c, np.int32)[:, None],
        segments=np.array(segments or [[]] * n, np.int32),
    )


def rows_by_segment(segmentation: Segmentation, found: ModelColumns) -> dict[str, list[int]]:
    taken = np.ones(len(found.row), np.bool_)
    return {name: at.tolist() for name, at in segmentation.parts(found, taken)}


def test_segments_are_named_by_key_and_value_with_other_last_and_keys_by_name() -> None:
    assert of(plan=PLAN, c=SegmentSettings(top=1)).names == ("c=a", "c=other", "plan=free", "plan=pro", "plan=other")


def test_a_key_that_is_a_categorical_feature_is_read_from_there_any_other_from_the_segment_object() -> None:
    assert of(plan=PLAN, c=SegmentSettings(top=1), x=SegmentSettings(values=("1",))).fields == (
        SegmentField("plan", ("free", "pro")),
        SegmentField("x", ("1",)),  # `x` is a feature, but a numeric one
    )


def test_what_has_no_segment_of_its_own_is_in_other() -> None:
    #  a, b, z (known, beyond the top), unseen, missing, invalid
    found = columns(c=[0, 1, 2, CODE_UNSEEN, CODE_MISSING, CODE_INVALID])
    assert rows_by_segment(of(c=SegmentSettings(top=1)), found) == {"c=a": [0], "c=other": [1, 2, 3, 4, 5]}
    assert rows_by_segment(of(c=SegmentSettings(values=("z", "new"))), found) == {
        "c=z": [2],
        "c=other": [0, 1, 3, 4, 5],
    }
    taken = np.array([True, True, False, False, True, False])
    assert dict(of(c=SegmentSettings(top=1)).without_own(found, taken)) == {"c": 2}


def test_fields_of_the_segment_object_keep_their_own_codes() -> None:
    found = columns(c=[0, 0, 0], segments=[[0, 1], [1, CODE_MISSING], [CODE_INVALID, 0]])
    two = of(plan=PLAN, origin=SegmentSettings(values=("EWR", "JFK")))  # the fields are origin, plan
    assert rows_by_segment(two, found) == {
        "origin=EWR": [0],
        "origin=JFK": [1],
        "origin=other": [2],
        "plan=free": [2],
        "plan=pro": [0],
        "plan=other": [1],
    }


def test_places_are_among_the_taken_rows() -> None:
    found = columns(c=[0, 1, 0, 0])
    taken = np.array([False, True, False, True])
    parts = {name: at.tolist() for name, at in of(c=SegmentSettings(top=2)).parts(found, taken)}
    assert parts == {"c=b": [0], "c=a": [1]}


def test_values_that_cannot_be_names_get_no_segment_by_being_frequent() -> None:
    odd = replace_categories(ONE, ("other", "", "new\nline", "x" * 201, "fine", "a"))
    assert of(odd, c=SegmentSettings(top=1)).names == ("c=fine", "c=other")


def replace_categories(of_baseline: Baseline, categories: tuple[str, ...]) -> Baseline:
    x, c, score = of_baseline.series
    odd = msgspec.structs.replace(c, categories=categories, counts=(1,) * len(categories))
    return msgspec.structs.replace(of_baseline, series=(x, odd, score))


def test_without_segments_a_definition_has_the_id_that_it_had_before_there_were_any() -> None:
    plain = settings()
    assert b"segments" not in plain.identity()
    with_segments = msgspec.structs.replace(plain, segments={"plan": PLAN})
    assert Definition(ONE, with_segments).id != Definition(ONE, plain).id


# -- what the baseline knows of a segment


def by_plan(codes: list[int], bins: list[int]) -> Baseline:
    """A baseline whose rows have these plans (of free, pro, max) and lie in these bins of x; its own counts agree."""
    coarse = [(np.array(bins), 6), (np.zeros(len(bins), np.int64), 6), (np.array(bins), 6)]  # 4 + 2, 2 + 4, 4 + 2
    layout = Definition(ONE, settings()).layout
    assert layout.series_coarse_starts.tolist() == [0, 6, 12]
    known = segmented("plan", np.array(codes, np.int32), ("free", "pro", "max"), coarse)
    x, c, score = ONE.series
    in_bins = tuple(np.bincount(bins, minlength=4).tolist())
    series = (
        msgspec.structs.replace(x, counts=in_bins),
        msgspec.structs.replace(c, counts=(len(bins), 0), other=0),
        msgspec.structs.replace(score, counts=in_bins),
    )
    return msgspec.structs.replace(ONE, series=series, segments=(known,), rows=len(bins))


#                       free  free  pro   max   none
KNOWN = by_plan([0, 0, 1, 2, -1], [0, 1, 2, 3, 3])


def normal_x(definition: Definition, segment: str) -> list[int]:
    return [int(n) for n in definition.layout_of(segment).baseline_coarse[:4]]


def test_a_segment_is_compared_with_the_baselines_rows_of_it_and_other_with_the_rest() -> None:
    definition = Definition(KNOWN, msgspec.structs.replace(settings(), segments={"plan": PLAN}))
    assert normal_x(definition, "plan=free") == [1, 1, 0, 0]
    assert normal_x(definition, "plan=pro") == [0, 0, 1, 0]
    assert normal_x(definition, "plan=other") == [0, 0, 0, 2]  # max, and the row without a plan
    assert normal_x(definition, "") == [1, 1, 1, 2]
    assert all(definition.layout_of(name).judges for name in ("", *definition.segmentation.names))


def test_what_the_baseline_does_not_know_is_shown_beside_all_rows_and_gives_no_verdict() -> None:
    definition = Definition(
        KNOWN, msgspec.structs.replace(settings(), segments={"plan": SegmentSettings(values=("gold",)), "city": PLAN})
    )
    for name in ("plan=gold", "city=free", "city=other"):
        assert not definition.layout_of(name).judges
        assert normal_x(definition, name) == [1, 1, 1, 2]
    assert definition.layout_of("plan=other").judges  # there was no gold: all rows are the rest


def test_the_top_values_of_a_field_are_those_of_the_baseline() -> None:
    names = Segmentation.of(KNOWN, {"plan": SegmentSettings(top=2)}).names
    assert names == ("plan=free", "plan=max", "plan=other")  # pro and max have a row each: by name
    assert Segmentation.of(ONE, {"plan": SegmentSettings(top=2)}).names == ("plan=other",)


def test_a_baseline_keeps_the_most_frequent_values_only_and_says_what_lies_beyond() -> None:
    values = [f"v{i:03}" for i in range(MOST_VALUES + 2)]
    codes = np.array([*range(MOST_VALUES + 2), MOST_VALUES + 1], np.int32)  # the last one twice
    known = segmented("k", codes, values, [(np.zeros(len(codes), np.int64), 1)])
    assert len(known.values) == MOST_VALUES
    assert (known.values[0].value, known.values[0].rows) == (values[-1], 2)
    assert known.rows_beyond == 2
    whole = np.array([len(codes)])
    #  its rows are not among those stored, so neither it nor the rest can be told
    beyond = values[MOST_VALUES]
    assert known.counts_of(beyond, (beyond,), whole) is None
    assert known.counts_of("other", (beyond,), whole) is None
    assert known.counts_of("other", (values[0],), whole) == [MOST_VALUES + 2]


def test_it_comes_back_from_the_registry_as_it_went() -> None:
    assert Baseline.from_bytes(KNOWN.to_bytes()) == KNOWN
    assert len(KNOWN.to_bytes()) > len(replace_segments(KNOWN).to_bytes())


def replace_segments(of_baseline: Baseline) -> Baseline:
    return msgspec.structs.replace(of_baseline, segments=())


@pytest.mark.parametrize("segment", ["plan=free", "plan=other"])
def test_a_segments_layout_has_the_counters_of_the_whole(segment: str) -> None:
    timed = msgspec.structs.replace(settings(), segments={"plan": PLAN}, latency_sla_ms=250)
    definition = Definition(KNOWN, timed)
    assert definition.layout_of(segment).width == definition.layout.width
    assert replace(definition.layout_of(segment), judges=True) == definition.layout
