"""Files into tables, and what is said of those that cannot be read."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from stream.baselines.files import read_table, read_tables
from stream.errors import InputError


@pytest.fixture
def put(tmp_path: Path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_the_three_formats_give_the_same_table_whatever_the_name(put, tmp_path: Path) -> None:
    text = "x,c\n1.5,a\n,b\n"
    plain, zipped = put("a.txt", text), put("b.txt", gzip.compress(text.encode()))
    table = read_table(plain)
    pyarrow.parquet.write_table(table, tmp_path / "c.txt")
    assert table.to_pydict() == {"x": [1.5, None], "c": ["a", "b"]}
    assert read_table(zipped) == read_table(tmp_path / "c.txt") == table


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "nan", "null", "None", '""'])
def test_words_for_nothing_are_null_in_numbers_and_in_text(put, word: str) -> None:
    table = read_table(put("a.csv", f"x,c\n1,a\n{word},{word}\n"))
    assert table.to_pydict() == {"x": [1, None], "c": ["a", None]}


def test_a_type_that_only_the_last_row_shows_counts_for_all(put) -> None:
    table = read_table(put("a.csv", "x\n" + "1\n" * 600_000 + "1.5\n"))
    assert table.schema.field("x").type == pa.float64()


def test_infinity_and_quoted_newlines_and_a_byte_order_mark(put) -> None:
    table = read_table(put("a.csv", b'\xef\xbb\xbfx,c\r\ninf,"a\nb"\r\n'))
    assert table.to_pydict() == {"x": [float("inf")], "c": ["a\nb"]}


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty; give a CSV or Parquet file"),
    (b"x,y\n", "has no rows"),
    (b"x,x\n1,2\n", "column names must be unique, but x comes more than once"),
    (b"x,y\n1,2\n1,2,3\n", "is no CSV or Parquet file that can be read: CSV parse error: Expected 2 columns, got 3"),
    (b"PAR1 no more", "is no CSV or Parquet file that can be read"),
    (b"\x1f\x8b\x08 no gzip", "cannot be read"),
    (bytes(range(256)), "is no CSV or Parquet file that can be read"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_with_the_reason(put, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"broken.*{message}"):
        read_table(put("broken", content))


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_table(tmp_path)


def test_several_files_are_one_table_in_the_first_ones_order(put) -> None:
    paths = [put("a.csv", "x,c\n1,a\n"), put("b.csv", "c,x\nb,2.5\n"), put("c.csv", "x,c\n,\n")]
    assert read_tables(paths).to_pydict() == {"x": [1.0, 2.5, None], "c": ["a", "b", None]}


def test_files_whose_columns_differ_are_refused(put) -> None:
    with pytest.raises(InputError, match=r"b.csv and .*a.csv have not the same columns; only one has y"):
        read_tables([put("a.csv", "x\n1\n"), put("b.csv", "x,y\n1,2\n")])
    with pytest.raises(InputError, match="do not go together"):
        read_tables([put("a.csv", "x\n1\n"), put("b.csv", "x\nred\n")])
