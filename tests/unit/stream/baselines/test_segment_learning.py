"""A baseline's rows by segment: from files and from topics, in the bins of the whole, as counting would count them."""

import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.create import baseline_of, read_columns
from stream.baselines.definition import Definition
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles, assign_roles
from stream.baselines.segment_learning import with_segments
from stream.errors import InputError
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.prediction import ModelKey
from stream.records.settings import SegmentSettings
from tests.small_model import baseline, settings
from tests.unit.stream.baselines.memory_log import MemoryLog
from tests.unit.stream.baselines.test_live import log_of, read
from tests.unit.stream.ingest.messages import batch_of

KEY = ModelKey("m", "1")
ROWS = 400
CHANCE = np.random.default_rng(7)
X = CHANCE.normal(size=ROWS)
ORIGIN = CHANCE.choice(["EWR", "JFK", "LGA", None], ROWS, p=[0.5, 0.3, 0.1, 0.1]).tolist()
CARRIER = CHANCE.choice(["UA", "DL", "HA"], ROWS).tolist()
SCORE = CHANCE.random(ROWS).tolist()
TABLE = pa.table({"x": X, "carrier": CARRIER, "segment.origin": ORIGIN, "score": SCORE})
PROVENANCE = baseline().provenance
SEGMENTS = {"origin": SegmentSettings(values=("EWR", "JFK")), "carrier": SegmentSettings(top=1)}


def made(table: pa.Table = TABLE, *segments: str) -> Baseline:
    columns = read_columns(table, assign_roles(table, Roles(segments=segments or ("origin", "carrier"))))
    return with_segments(msgspec.structs.replace(baseline_of(columns, KEY, PROVENANCE), number=1), columns)


def messages() -> list[dict[str, Any]]:
    """The rows of the table, as a producer would send them."""
    rows = zip(X.tolist(), CARRIER, ORIGIN, SCORE, strict=True)
    return [
        {"model": "m", "version": "1", "score": s, "features": {"x": x, "carrier": c}, "segment": {"origin": o}}
        for x, c, o, s in rows
    ]


def test_what_is_normal_in_a_segment_is_what_counting_counts_of_the_same_rows() -> None:
    """The oracle is the path of the messages: decoded, cut into segments, counted."""
    one = made()
    definition = Definition(one, msgspec.structs.replace(settings(), segments=SEGMENTS))
    decoder = Decoder({KEY: definition.schema}, IngestSettings())
    columns = decoder.decode(batch_of([json.dumps(m).encode() for m in messages()])).columns[KEY]
    flat = definition.layout.flat_bins(columns)
    for name, at in definition.segmentation.parts(columns, np.ones(ROWS, np.bool_)):
        counted = np.bincount(flat[at].ravel(), minlength=definition.layout.width)
        normal = definition.layout_of(name)
        assert normal.judges
        np.testing.assert_array_equal(definition.layout.coarsen(counted), normal.baseline_coarse, err_msg=name)


async def test_from_a_topic_it_is_the_same() -> None:
    from_topic, _ = await read(log_of(*messages()), segments=("origin", "carrier"))
    live = with_segments(baseline_of(from_topic, KEY, PROVENANCE), from_topic)
    assert live.segments == made().segments


async def test_values_of_a_topic_are_read_as_counting_reads_them() -> None:
    values = [3, 3.0, "3", True, "true", 2.5, None, [1]]
    said = [{"model": "m", "version": "1", "score": 0.5, "features": {"x": 1}, "segment": {"k": v}} for v in values]
    odd = {"model": "m", "version": "1", "score": 0.5, "features": {"x": 1}, "segment": 3}
    log: MemoryLog = log_of(*said, odd)
    columns, _ = await read(log, segments=("k",))
    (known,) = with_segments(baseline_of(columns, KEY, PROVENANCE), columns).segments
    assert {one.value: one.rows for one in known.values} == {"3": 3, "true": 2, "2.5": 1}


def test_a_column_of_the_segment_object_is_no_feature_and_a_key_may_be_a_plain_column() -> None:
    assert [s.name for s in made().series] == ["x", "carrier", "score"]
    plain = TABLE.rename_columns(["x", "carrier", "origin", "score"])
    assert [s.name for s in made(plain, "origin").series] == ["x", "carrier", "origin", "score"]
    ignored = assign_roles(plain, Roles(segments=("origin",), ignore=("origin",)))
    assert (ignored.features, ignored.segments) == (("x", "carrier"), (("origin", "origin"),))


def test_a_key_that_is_a_categorical_feature_is_read_from_there_as_in_counting() -> None:
    both = TABLE.append_column("segment.carrier", pa.array(["other"] * ROWS))
    assert assign_roles(both, Roles(segments=("carrier",))).segments == (("carrier", "carrier"),)
    numeric = TABLE.append_column("segment.x", pa.array(["a"] * ROWS))
    assert assign_roles(numeric, Roles(segments=("x",))).segments == (("x", "segment.x"),)


def test_a_key_without_a_column_is_refused() -> None:
    with pytest.raises(InputError, match=r"no column .plan.; the columns are x, carrier, segment"):
        made(TABLE, "plan")


def test_a_broken_entry_is_told_of() -> None:
    one = made(TABLE, "origin")
    (known,) = one.segments

    def complaint_of(*segments: object) -> str:
        return complaint(msgspec.structs.replace(one, segments=segments)) or ""

    assert complaint(one) is None
    assert "segment keys must differ" in complaint_of(known, known)
    twice = msgspec.structs.replace(known, values=(known.values[0],) * 2)
    assert "the values of segment key 'origin' must differ" in complaint_of(twice)
    short = msgspec.structs.replace(known.values[0], packed=known.values[0].packed[:-1])
    assert "one count per bin" in complaint_of(msgspec.structs.replace(known, values=(short,)))
