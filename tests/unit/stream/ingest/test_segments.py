"""`segment` becomes a code for each field that is read, by either route, and never refuses a row."""

import re
from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given

from stream.ingest.chunk import Units
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import CODE_INVALID, CODE_MISSING, CODE_UNSEEN, ModelKey, SegmentField
from tests.unit.stream.ingest.generated import messages
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, M, batch_of, rows_of
from tests.unit.stream.ingest.test_decode import table

FIELDS = (SegmentField("plan", ("free", "3")), SegmentField("origin", ("EWR", "JFK")))
SEGMENTED = replace(SCHEMA, segments=FIELDS)

CASES = [
    (None, [CODE_MISSING, CODE_MISSING]),
    ("null", [CODE_MISSING, CODE_MISSING]),
    ("{}", [CODE_MISSING, CODE_MISSING]),
    ('{"origin":"JFK","plan":"free"}', [0, 1]),
    ('{"origin":"EWR","other":{"deep":[1]}}', [CODE_MISSING, 0]),
    ('{"origin":"LGA","plan":null}', [CODE_MISSING, CODE_UNSEEN]),
    ('{"origin":"JFK","origin":"EWR"}', [CODE_MISSING, 0]),  # of duplicate keys the last counts
    ('{"plan":3}', [1, CODE_MISSING]),
    ('{"plan":3.0}', [1, CODE_MISSING]),
    ('{"plan":true,"origin":["EWR"]}', [CODE_UNSEEN, CODE_INVALID]),
    ('"EWR"', [CODE_MISSING, CODE_MISSING]),
    ("[1]", [CODE_MISSING, CODE_MISSING]),
]
USUAL = [segment for segment, codes in CASES if CODE_INVALID not in codes][:8]


def message(segment: str | None) -> bytes:
    field = "" if segment is None else f'"segment":{segment},'
    return f'{{{field}"model":"m","score":0.5}}'.encode()


@pytest.mark.parametrize("only_careful", [False, True])
def test_every_value_counts_as_the_documented_rule_says_and_spoils_no_neighbour(only_careful: bool) -> None:
    decoder = Decoder({M: SEGMENTED}, IngestSettings(), only_careful=only_careful)
    batch = decoder.decode(batch_of([message(segment) for segment, _ in CASES]))
    assert batch.rejections == []
    assert batch.columns[M].segments.tolist() == [codes for _, codes in CASES]


@pytest.mark.parametrize("segment", USUAL)
def test_usual_segments_take_the_fast_route(segment: str | None) -> None:
    """Were one of them left alone, every result would be right and the service slow."""
    units = Units([message(segment)], np.zeros(1, np.int64), np.full(1, RECORD_MS))
    assert TypedRows({M: SEGMENTED}, IngestSettings()).read(units)[1] == []


def test_every_segment_of_the_documented_table_lies_where_it_says() -> None:
    fields = (SegmentField("origin", ("EWR", "3")),)
    seen: set[str] = set()
    for values, meaning in table("| segment | lies in |"):
        for value in re.findall(r"`([^`]+)`", values):
            for only_careful in (False, True):
                decoder = Decoder({M: replace(SCHEMA, segments=fields)}, IngestSettings(), only_careful=only_careful)
                ((code,),) = decoder.decode(batch_of([message(value)])).columns[M].segments.tolist()
                (name,) = re.findall(r"`origin=(\w+)`", meaning)
                assert (("EWR", "3")[code] if code >= 0 else "other") == name, value
            seen.add(name)
    assert seen == {"EWR", "3", "other"}


def test_a_model_without_segments_does_not_look_at_them() -> None:
    batch = Decoder({M: SCHEMA}, IngestSettings()).decode(batch_of([message('{"origin":"EWR"}')] * 2))
    assert batch.columns[M].segments.shape == (2, 0)


def test_versions_of_a_model_may_read_different_fields() -> None:
    one, two = ModelKey("m", "1"), ModelKey("m", "2")
    schemas = {one: replace(SCHEMA, segments=FIELDS[:1]), two: replace(SCHEMA, segments=FIELDS[1:])}
    said = [
        orjson.dumps({"model": "m", "version": v, "score": 0.5, "segment": {"plan": "free", "origin": "JFK"}})
        for v in ("1", "2", "1")
    ]
    columns = Decoder(schemas, IngestSettings()).decode(batch_of(said)).columns
    assert columns[one].segments.tolist() == [[0], [0]]
    assert columns[two].segments.tolist() == [[1]]


def test_a_path_and_a_constant_can_fill_a_segment() -> None:
    settings = IngestSettings(fields={"segment.origin": "meta.airport"}, constants={"segment.plan": "free"})
    said = orjson.dumps({"model": "m", "score": 0.5, "meta": {"airport": "JFK"}, "segment": {"plan": "3"}})
    batch = Decoder({M: SEGMENTED}, settings).decode(batch_of([said]))
    assert batch.columns[M].segments.tolist() == [[0, 1]]


@given(messages)
def test_both_routes_read_the_same_segments(value: bytes | None) -> None:
    fields = tuple(SegmentField(name, ("", "0", "a", "UA", "3")) for name in ("", "a", "0"))
    schemas = {M: replace(SCHEMA, segments=fields)}
    found = [
        Decoder(schemas, IngestSettings(), only_careful=careful).decode(batch_of([value])) for careful in (False, True)
    ]
    assert rows_of(found[0]) == rows_of(found[1])
    codes = [batch.columns[M].segments.tolist() if M in batch.columns else [] for batch in found]
    assert codes[0] == codes[1]
