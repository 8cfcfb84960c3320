"""`latency_ms` becomes what docs/predictions.md says, by either route, and never refuses a row."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stream.ingest.chunk import Units
from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_rows import TypedRows
from stream.records.prediction import ModelKey
from tests.unit.stream.ingest.messages import RECORD_MS, SCHEMA, WITH_LATENCY, M, batch_of
from tests.unit.stream.ingest.test_decode import table

CASES = [
    (value, meaning.split(";")[0].split(":")[0])
    for values, meaning in table("| latency | counts as |")
    for value in re.findall(r"`([^`]+)`", values)
]


def latency_of(*values: str | None, only_careful: bool = False) -> list[float]:
    """Of messages with this latency each; None: without one."""
    fields = ["" if value is None else f'"latency_ms":{value},' for value in values]
    messages = [f'{{{field}"model":"m","score":0.5}}'.encode() for field in fields]
    batch = Decoder({M: WITH_LATENCY}, IngestSettings(), only_careful=only_careful).decode(batch_of(messages))
    assert (len(batch.offset), batch.rejections) == (len(values), [])
    found: list[float] = batch.columns[M].latency_ms.tolist()
    return found


@pytest.mark.parametrize("only_careful", [False, True])
@pytest.mark.parametrize(("value", "meaning"), CASES)
def test_a_latency_counts_as_the_documented_table_says(value: str, meaning: str, only_careful: bool) -> None:
    (found,) = latency_of(value, only_careful=only_careful)
    special = {"missing": np.nan, "bad": np.inf}
    np.testing.assert_equal(found, special[meaning] if meaning in special else abs(float(value)))


def test_the_table_has_every_kind_of_case() -> None:
    assert {meaning for _, meaning in CASES} == {"that latency", "missing", "bad", "over the SLA"}


@pytest.mark.parametrize("only_careful", [False, True])
def test_one_odd_latency_spoils_neither_its_row_nor_its_neighbours(only_careful: bool) -> None:
    found = latency_of("1", '"fast"', None, "-3", "250", only_careful=only_careful)
    np.testing.assert_equal(found, [1.0, np.inf, np.nan, np.inf, 250.0])


@pytest.mark.parametrize("value", ["12.5", "12", "0", "null", "-1"])
def test_usual_latencies_take_the_fast_route(value: str) -> None:
    """Were one of them left alone, every result would be right and the service slow."""
    units = Units(
        [f'{{"model":"m","score":0.5,"latency_ms":{value}}}'.encode()], np.zeros(1, np.int64), np.full(1, RECORD_MS)
    )
    assert TypedRows({M: WITH_LATENCY}, IngestSettings()).read(units)[1] == []


def test_where_nobody_checks_it_a_latency_is_not_read() -> None:
    batch = Decoder({M: SCHEMA}, IngestSettings()).decode(batch_of([b'{"model":"m","score":0.5,"latency_ms":"fast"}']))
    assert np.isnan(batch.columns[M].latency_ms).all()


def test_a_version_that_is_not_checked_is_read_as_ever() -> None:
    """Both versions share a struct: what is wrong for the one must not become wrong for the other."""
    known = {M: WITH_LATENCY, ModelKey("m", "1"): replace(SCHEMA, answer=None)}
    messages: list[bytes | None] = [b'{"model":"m","version":"1","score":0.5,"latency_ms":"fast"}']
    batch = Decoder(known, IngestSettings()).decode(batch_of(messages))
    assert np.isnan(batch.columns[ModelKey("m", "1")].latency_ms).all()


def test_it_may_lie_elsewhere_in_a_message_of_another_shape() -> None:
    settings = IngestSettings(fields={"latency_ms": "timing.total"}, constants={"model": "m"})
    message: list[bytes | None] = [b'{"score":0.5,"timing":{"total":31.5}}']
    batch = Decoder({M: WITH_LATENCY}, settings).decode(batch_of(message))
    assert batch.columns[M].latency_ms.tolist() == [31.5]
