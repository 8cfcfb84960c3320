"""How good the model was in a segment is what its own labelled rows say, `other` by subtraction."""

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import SegmentedBaseline
from stream.baselines.create import baseline_of, read_columns
from stream.baselines.labels import labelled_scores
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles, assign_roles
from stream.baselines.segment_labels import of_segment
from stream.baselines.segment_learning import with_segments
from stream.baselines.segmentation import MOST_COMBINATIONS, Segmentation
from stream.records.prediction import ModelColumns, ModelKey
from stream.records.settings import SegmentSettings
from tests.small_model import baseline

ROWS = 600
CHANCE = np.random.default_rng(11)
PLAN = CHANCE.choice(["free", "pro", "max"], ROWS)
SCORE = CHANCE.random(ROWS)
LABEL = np.where(CHANCE.random(ROWS) < 0.2, np.nan, (CHANCE.random(ROWS) < SCORE).astype(float))
CUT = {"plan": SegmentSettings(values=("free", "pro", "gold"))}


def made(labels: bool = True) -> Baseline:
    table = pa.table({"segment.plan": PLAN, "score": SCORE, **({"label": LABEL} if labels else {})})
    columns = read_columns(table, assign_roles(table, Roles(segments=("plan",))))
    of_all = baseline_of(columns, ModelKey("m", "1"), baseline().provenance)
    return with_segments(msgspec.structs.replace(of_all, number=1), columns)


@pytest.mark.parametrize(("segment", "rows"), [("plan=free", PLAN == "free"), ("plan=other", PLAN == "max")])
def test_the_labelled_rows_of_a_segment_are_those_of_its_rows(segment: str, rows: npt.NDArray[np.bool_]) -> None:
    one = made()
    assert one.grid is not None
    found = of_segment(one, Segmentation.of(one, CUT), segment)
    assert found.labelled == labelled_scores(SCORE[rows], LABEL[rows], one.grid)
    assert msgspec.structs.replace(found, labelled=one.labelled) == one


@pytest.mark.parametrize("segment", ["plan=gold", "city=here"])
def test_of_what_the_baseline_does_not_know_it_has_no_labels(segment: str) -> None:
    one = made()
    assert of_segment(one, Segmentation.of(one, CUT), segment).labelled is None


def test_without_labels_nothing_is_known_of_any_segment() -> None:
    one = made(labels=False)
    assert of_segment(one, Segmentation.of(one, CUT), "plan=free").labelled is None
    assert complaint(one) is None


def test_labels_outside_the_grid_are_told_of() -> None:
    one = made()
    (known,) = one.segments
    far = msgspec.structs.replace(known.values[0], labelled=(1).to_bytes(2, "little") + b"\xff\xff" + b"1\x01")
    broken = SegmentedBaseline(key="plan", values=(far,), rows_beyond=0)
    assert "must lie in the bins of the score grid" in (
        complaint(msgspec.structs.replace(one, segments=(broken,))) or ""
    )


# -- combinations, by which labels are joined


def test_each_row_has_one_segment_of_every_key_and_only_combinations_that_occur_are_named() -> None:
    keys = {name: SegmentSettings(values=("a", "b")) for name in ("x", "y")}
    columns = ModelColumns(
        row=np.arange(4),
        numeric=np.zeros((4, 1)),
        categorical=np.zeros((4, 0), np.int32),
        segments=np.array([[0, 1], [1, -2], [0, 1], [-1, -1]], np.int32),
    )
    of_row, found = Segmentation.of(baseline(), keys).combinations(columns)
    assert [found[i] for i in of_row] == [("x=a", "y=b"), ("x=b", "y=other"), ("x=a", "y=b"), ("x=other", "y=other")]
    assert len(found) == 3


def test_labels_are_kept_apart_as_long_as_there_are_not_too_many_combinations() -> None:
    def of(*values: int) -> Segmentation:
        keys = {f"k{i}": SegmentSettings(values=tuple(map(str, range(n)))) for i, n in enumerate(values)}
        return Segmentation.of(baseline(), keys)

    assert not of().keeps_labels_apart
    assert of(15, 15).keeps_labels_apart  # 16 x 16
    assert MOST_COMBINATIONS == 256
    assert not of(15, 16).keeps_labels_apart
