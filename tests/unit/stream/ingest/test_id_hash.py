"""Ids as 64 bits: frozen, because labels of months meet predictions by them."""

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from stream.ingest.decode import Decoder
from stream.ingest.id_hash import id_fault, id_hash, id_hashes
from stream.ingest.settings import IngestSettings
from tests.unit.stream.ingest.messages import SCHEMA, WITH_IDS, M, batch_of

ids = st.one_of(st.none(), st.text(max_size=6), st.integers(-(2**63), 2**64 - 1))


def test_the_formula_is_frozen() -> None:
    """Another one would part every label from its prediction on the day of the update."""
    assert id_hash("flight-delay", "f-20130401-UA-1545") == 0xB47EC1A4DA3B88A4
    seed = xxhash.xxh3_64_intdigest(b"flight-delay")
    assert id_hash("flight-delay", "é") == xxhash.xxh3_64_intdigest("é".encode(), seed)


@given(st.text(max_size=4), st.lists(ids, max_size=8))
def test_many_at_once_are_hashed_as_one_by_one(model: str, some: list[str | int | None]) -> None:
    """Whatever kinds are mixed."""
    hashes = id_hashes(model, some)
    assert hashes.dtype == np.uint64
    assert hashes.tolist() == [id_hash(model, one) for one in some]


@given(st.integers(-(2**63), 2**64 - 1))
def test_a_number_and_its_digits_are_one_id(number: int) -> None:
    """Predictions may say 17 and labels "17"."""
    assert id_hash("m", number) == id_hash("m", str(number)) != id_hash("other", number)


def test_a_hash_of_nothing_is_never_an_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 says that there is no id; the one id in 2^64 that hashes to it becomes 1."""
    monkeypatch.setattr("stream.ingest.id_hash.xxh3_64_intdigest", lambda *_: 0)
    assert id_hash("m", "a") == 1
    assert id_hashes("m", ["a"]).tolist() == [1]
    assert id_hashes("m", ["a", None, ""]).tolist() == [1, 0, 0]


@pytest.mark.parametrize("good", [None, "", "a", 0, -(2**63), 2**64 - 1])
def test_what_may_be_an_id(good: object) -> None:
    """Null and the empty text are none, and no fault."""
    assert id_fault(good) is None


def test_rows_carry_the_hash_of_their_id_only_where_it_is_asked_for() -> None:
    """Nobody pays for what nobody joins."""
    values = [b'{"model":"m","score":0.5,"prediction_id":' + one + b"}" for one in (b'"a"', b"17", b'"17"', b"null")]
    careful = b'{"model":"m","score":0.5,"prediction_id":17,"features":{"x":"a text"},"note":1e999}'
    for schema, expected in (
        (WITH_IDS, [id_hash("m", one) for one in ("a", 17, 17, None, 17)]),
        (SCHEMA, [0, 0, 0, 0, 0]),
    ):
        batch = Decoder({M: schema}, IngestSettings()).decode(batch_of([*values, careful]))
        assert batch.columns[M].id_hash.tolist() == expected
