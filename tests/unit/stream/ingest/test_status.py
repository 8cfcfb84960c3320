"""`status` becomes what docs/predictions.md says, by either route, and never refuses a row."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.chunk import Units
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import STATUS_BAD, STATUS_FAILED, STATUS_OK, ModelKey
from tests.unit.stream.ingest import generated
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, M, batch_of
from tests.unit.stream.ingest.test_decode import table

WITH_STATUS = replace(SCHEMA, status=True)
CODES = {"ok": STATUS_OK, "failed": STATUS_FAILED, "bad": STATUS_BAD}
CASES = [
    (None if value == "absent" else value, meaning.split(":")[0])
    for values, meaning in table("| status | counts as |")
    for value in re.findall(r"`([^`]+)`", values) or ["absent"]
]


def status_of(*values: str | None, only_careful: bool = False) -> list[int]:
    """Of messages with this status each; None: without one."""
    fields = ["" if value is None else f'"status":{value},' for value in values]
    messages = [f'{{{field}"model":"m","score":0.5}}'.encode() for field in fields]
    batch = Decoder({M: WITH_STATUS}, IngestSettings(), only_careful=only_careful).decode(batch_of(messages))
    assert (len(batch.offset), batch.rejections) == (len(values), [])
    assert batch.columns[M].status.dtype == np.int8
    found: list[int] = batch.columns[M].status.tolist()
    return found


@pytest.mark.parametrize("only_careful", [False, True])
@pytest.mark.parametrize(("value", "meaning"), CASES)
def test_a_status_counts_as_the_documented_table_says(value: str | None, meaning: str, only_careful: bool) -> None:
    assert status_of(value, only_careful=only_careful) == [CODES[meaning]]


def test_the_table_has_every_kind_of_case() -> None:
    assert {meaning for _, meaning in CASES} == set(CODES)


@pytest.mark.parametrize("only_careful", [False, True])
def test_one_odd_status_spoils_neither_its_row_nor_its_neighbours(only_careful: bool) -> None:
    """Rows of both routes in one batch stand in log order."""
    found = status_of('"ok"', "500", '"timeout"', None, "[1]", '"ok"', only_careful=only_careful)
    assert found == [STATUS_OK, STATUS_BAD, STATUS_FAILED, STATUS_OK, STATUS_BAD, STATUS_OK]


@given(st.lists(generated.json_values | st.sampled_from(["ok", "failed", None]), min_size=1, max_size=5))
def test_both_routes_read_the_same(values: list[object]) -> None:
    texts = [json.dumps(value) for value in values]
    assert status_of(*texts) == status_of(*texts, only_careful=True)


@pytest.mark.parametrize("value", ['"ok"', '"timeout"', "null"])
def test_usual_statuses_take_the_fast_route(value: str) -> None:
    """Were one of them left alone, every result would be right and the service slow."""
    message = f'{{"model":"m","score":0.5,"status":{value}}}'.encode()
    units = Units([message], np.zeros(1, np.int64), np.full(1, RECORD_MS))
    assert TypedRows({M: WITH_STATUS}, IngestSettings()).read(units)[1] == []


def test_a_refused_row_takes_its_status_along() -> None:
    """The fast route drops a row whose score is out of range: the others keep theirs."""
    messages: list[bytes | None] = [
        b'{"model":"m","score":0.5,"status":"ok"}',
        b'{"model":"m","score":7,"status":"timeout"}',
        b'{"model":"m","score":0.5,"status":"timeout"}',
    ]
    batch = Decoder({M: WITH_STATUS}, IngestSettings()).decode(batch_of(messages))
    assert batch.columns[M].status.tolist() == [STATUS_OK, STATUS_FAILED]


def test_where_nobody_counts_it_a_status_is_not_read() -> None:
    """Nor for a version that is not checked, beside one that is: they share a struct."""
    known = {M: WITH_STATUS, ModelKey("m", "1"): SCHEMA}
    messages: list[bytes | None] = [
        b'{"model":"m","version":"1","score":0.5,"status":"timeout"}',
        b'{"model":"m","version":"1","score":0.5,"status":500}',
    ]
    batch = Decoder(known, IngestSettings()).decode(batch_of(messages))
    assert batch.columns[ModelKey("m", "1")].status.tolist() == [STATUS_OK, STATUS_OK]


def test_it_may_lie_elsewhere_in_a_message_of_another_shape() -> None:
    settings = IngestSettings(fields={"status": "outputs.state"}, constants={"model": "m"})
    message: list[bytes | None] = [b'{"score":0.5,"outputs":{"state":"timeout"}}']
    batch = Decoder({M: WITH_STATUS}, settings).decode(batch_of(message))
    assert batch.columns[M].status.tolist() == [STATUS_FAILED]
