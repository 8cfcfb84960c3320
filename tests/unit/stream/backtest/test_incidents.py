"""Files of incidents: what is read, and what is refused."""

from pathlib import Path

import pytest

from stream.backtest.incidents import Incident, read_incidents
from stream.errors import InputError

COLUMNS = ["ts", "distance", "hour", "score"]
T = 1_380_693_600_000  # 2013-10-02T06:00:00Z
TWO = [
    Incident(name="a", start_at=T, end_at=T + 3_600_000, check=None, subjects=()),
    Incident(name="b, c", start_at=T + 7_200_000, end_at=T + 7_200_500, check="psi", subjects=("distance", "hour")),
]


def put(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(("name", "text"), [
    # Out of order; with a zone, without one (UTC), in milliseconds.
    ("i.csv", "start,end,name,check,subject\n"
              '2013-10-02T10:00:00+02:00,2013-10-02 08:00:00.5,"b, c",psi,distance; hour\n'
              f"{T},{T + 3_600_000},a,,\n"),
    ("i.CSV", "\ufeffname,end,start\na,2013-10-02T07:00:00Z,2013-10-02T06:00:00Z\n"),
    ("i.yaml", "- {start: 2013-10-02T06:00:00Z, end: 2013-10-02 07:00:00, name: a}\n"
               f"- {{start: {T + 7_200_000}, end: {T + 7_200_500}, name: 'b, c', check: psi,"
               " subject: [distance, hour]}\n"),
    ("i.yml", "- {start: '2013-10-02T06:00Z', end: '2013-10-02T07', name: a}\n"),
    ("i.json", '[{"start": "2013-10-02T06:00:00Z", "end": "2013-10-02T03:00:00-04:00", "name": "a", "check": null}]'),
])  # fmt: skip
def test_each_format_reads_the_same_incidents(tmp_path: Path, name: str, text: str) -> None:
    found = read_incidents(put(tmp_path, name, text), timed=True, columns=COLUMNS)
    assert found == TWO[: len(found)]
    assert len(found) == (2 if "b, c" in text else 1)


def test_a_check_or_a_subject_that_is_no_column_may_be_named(tmp_path: Path) -> None:
    text = "start,end,name,check,subject\n" + "".join(
        f"2013-10-02,2013-10-03,a,{check},{subject}\n"
        for check, subject in (("latency_sla", "latency"), ("error_rate", "status"), ("throughput", "predictions"))
    )
    assert len(read_incidents(put(tmp_path, "i.csv", text), timed=True, columns=COLUMNS)) == 3


def test_a_day_begins_at_midnight_utc(tmp_path: Path) -> None:
    (found,) = read_incidents(
        put(tmp_path, "i.yaml", "- {start: 2013-10-02, end: 2013-10-03, name: 7}"), timed=True, columns=COLUMNS
    )
    assert (found.start_at, found.end_at - found.start_at, found.name) == (T - 6 * 3_600_000, 86_400_000, "7")


@pytest.mark.parametrize(("name", "text", "message"), [
    ("i.txt", "", "incidents are read from .csv, .yaml or .json"),
    ("i.csv", "", "has no incidents; list at least one"),
    ("i.yaml", "[]", "has no incidents"),
    ("i.yaml", "a: 1", "must be a list of incidents"),
    ("i.yaml", "{", "is no YAML file that can be read"),
    ("i.json", "[", "is no JSON file that can be read"),
    ("i.yaml", "- 7", "incident 1: must have start, end, name"),
    ("i.csv", "start,end\n2013-10-02,2013-10-03\n", "incident 1: name is missing"),
    ("i.csv", "start,end,name\n2013-10-02,,a\n", "incident 1: end is missing"),
    ("i.csv", "start,end,name\n2013-10-02,2013-10-03,a,b\n", "there is no key 'a cell more than the head'"),
    ("i.csv", "start,end,name,feature\n2013-10-02,2013-10-03,a,b\n", "there is no key 'feature'; the keys are start"),
    ("i.csv", "start,end,name\n2013-10-02,2013-10-03,a\n2013-10-02,2013-10-02,b\n", "incident 2: end = 2013-10-02 is"),
    ("i.csv", "start,end,name\nsoon,2013-10-03,a\n", "start must be RFC 3339, such as 2013-10-02T06:00:00Z, or epoch"),
    ("i.csv", "start,end,name\n1380693600,1380693700,a\n", "epoch milliseconds are at least 1e11; multiply seconds"),
    ("i.csv", "start,end,name,check\n2013-10-02,2013-10-03,a,psi\n2013-10-02,2013-10-03,b,psy\n",
     "incident 2: check = 'psy' of 'b': no alert of this file could be of it; there are psi, auc, brier, mae, "),
    ("i.csv", "start,end,name,check\n2013-10-02,2013-10-03,b,psy\n", "; did you mean 'psi'?"),
    ("i.csv", "start,end,name,check\n2013-10-02,2013-10-03,b,schema\n", "incident 1: check = 'schema' of 'b'"),
    ("i.yaml", "- {start: 2013-10-02, end: 2013-10-03, name: a, subject: [distance, hours]}",
     "incident 1: subject = 'hours' of 'a': no alert of this file could be of it; there are ts, distance, hour, score, "
     "latency, status, predictions; did you mean 'hour'?"),
    ("i.yaml", "- {start: true, end: 2013-10-03, name: a}", "start must be RFC 3339"),
    ("i.yaml", "- {start: [], end: 2013-10-03, name: a}", "start must be RFC 3339"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_the_file_and_the_entry(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = put(tmp_path, name, text)
    with pytest.raises(InputError) as refused:
        read_incidents(path, timed=True, columns=COLUMNS)
    assert str(refused.value).startswith(str(path))
    assert message in str(refused.value)


def test_without_times_an_incident_has_row_numbers(tmp_path: Path) -> None:
    (found,) = read_incidents(
        put(tmp_path, "i.json", '[{"start": 5, "end": "9", "name": "a"}]'), timed=False, columns=COLUMNS
    )
    assert (found.start_at, found.end_at) == (5, 9)
    with pytest.raises(InputError, match="must be a row number, since the judged file has no times, got '2013-10-02'"):
        read_incidents(
            put(tmp_path, "i.csv", "start,end,name\n2013-10-02,2013-10-03,a\n"), timed=False, columns=COLUMNS
        )


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_incidents(tmp_path / "none.csv", timed=True, columns=COLUMNS)
