"""What `driftline verify` prints."""

from typing import Any

import numpy as np
import pytest

from stream.evaluate.panes import Span
from stream.verify.compare import Difference, differences
from stream.verify.recount import Recount
from stream.verify.telling import as_plain, in_words, worst
from stream.verify.verifier import Result, Verified

ALERT: dict[str, Any] = {
    "seq": 1,
    "status": "firing",
    "severity": "critical",
    "labels": {"alertname": "DriftlinePSI", "model": "fraud", "version": "3", "subject": "amount", "segment": ""},
    "value": 0.7912345678,
    "threshold": 0.25,
    "evidence": {
        "n": 912,
        "window": {"start": "2013-10-01T00:00:00Z", "end": "2013-10-02T00:00:00Z"},
        "bins": {"labels": ["below 1", "1 and above"]},
    },
}
RECOUNT = Recount(np.zeros(1, np.int64), messages=1_234, rows=912, late=3, spans={"predictions/0": Span(5, 1_239, 0)})
EQUAL = Verified(ALERT, Result.EQUAL, "", RECOUNT)
UNEQUAL = Verified(ALERT, Result.UNEQUAL, "", RECOUNT, [Difference("evidence.n", 913, 912)])
CUT = Verified({**ALERT, "seq": 2, "status": "resolved"}, Result.CANNOT, "predictions/0 is cut")
GONE = Verified(ALERT, Result.NOTHING, "amount is not watched any more")


def test_equal_is_said_with_what_was_compared() -> None:
    assert in_words({"9f2c0a1b2c3d4e5f": [EQUAL]}).splitlines() == [
        "9f2c0a1b2c3d4e5f  DriftlinePSI  fraud@3  amount",
        "  message 1: firing critical, 2013-10-01T00:00:00Z to 2013-10-02T00:00:00Z",
        "    counted again: 912 rows (3 more came too late) in 1,234 messages: predictions/0 [5, 1239)",
        "    equal: value 0.791235, threshold 0.25, n 912, both histograms (2 bins)",
        "equal: 1 alert, 1 message (1 equal)",
    ]


def test_each_difference_is_a_line_and_why_it_cannot_be_said_is_one() -> None:
    lines = in_words({"9f2c": [UNEQUAL, CUT], "aaaa": [GONE]}).splitlines()
    assert lines[3] == "    unequal: evidence.n: the alert says 913, the topics say 912"
    assert lines[5] == "    cannot be verified: predictions/0 is cut"
    assert lines[8] == "    nothing to verify: amount is not watched any more"
    assert lines[-1] == "unequal: 2 alerts, 3 messages (1 unequal, 1 cannot be verified, 1 nothing to verify)"


def test_many_differences_are_counted() -> None:
    many = UNEQUAL._replace(differences=[Difference(f"evidence.bins.current[{i}]", 1, 2) for i in range(20)])
    lines = in_words({"9f2c": [many]}).splitlines()
    assert sum("unequal: evidence" in line for line in lines) == 12
    assert "    and 8 fields more" in lines


def test_other_limits_over_the_same_rows_are_explained() -> None:
    limits = [Difference("threshold", 0.25, 0.5), Difference("annotations.summary", "x (limit 0.25)", "x (limit 0.5)")]
    hint = "    what was counted agrees: if the configuration has been changed since, give the one of that time by -c"
    assert hint in in_words({"9f2c": [UNEQUAL._replace(differences=limits)]}).splitlines()
    rows_too = [*limits, Difference("evidence.n", 913, 912)]
    assert hint not in in_words({"9f2c": [UNEQUAL._replace(differences=rows_too)]}).splitlines()


def test_nothing_chosen_is_nothing_to_verify() -> None:
    assert in_words({}) == "nothing to verify: 0 alerts, 0 messages (none)"


@pytest.mark.parametrize(
    ("several", "counts"),
    [
        ([EQUAL, GONE], Result.EQUAL),
        ([EQUAL, CUT, GONE], Result.CANNOT),
        ([CUT, UNEQUAL, EQUAL], Result.UNEQUAL),
        ([GONE], Result.NOTHING),
        ([], Result.NOTHING),
    ],
)
def test_of_several_results_the_worst_counts(several: list[Verified], counts: Result) -> None:
    assert worst(several) is counts


def test_programs_get_the_same() -> None:
    plain = as_plain({"9f2c": [UNEQUAL, CUT]})
    assert (plain["result"], [a["result"] for a in plain["alerts"]]) == ("unequal", ["unequal"])
    first, second = plain["alerts"][0]["messages"]
    assert first["differences"] == [{"field": "evidence.n", "alert": 913, "topics": 912}]
    assert first["recount"] == {"messages": 1_234, "rows": 912, "late": 3, "sources": {"predictions/0": [5, 1_239]}}
    assert (second["recount"], second["reason"], second["status"]) == (None, "predictions/0 is cut", "resolved")


def test_a_long_value_is_cut() -> None:
    long = UNEQUAL._replace(differences=[Difference("annotations.summary", "x" * 500, "y")])
    assert all(len(line) < 160 for line in in_words({"9f2c": [long]}).splitlines())


@pytest.mark.parametrize(
    ("said", "found", "fields"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, []),
        ({"a": 1.0}, {"a": 1.0 + 1e-6}, ["a"]),
        ({"a": 0.0}, {"a": 1e-300}, ["a"]),
        ({"a": 3}, {"a": 4}, ["a"]),
        ({"a": None}, {"a": 0.0}, ["a"]),
        ({"a": True}, {"a": 1}, ["a"]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, ["a.b[1].c"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
    ],
)
def test_fields_are_compared_one_by_one(said: Any, found: Any, fields: list[str]) -> None:
    assert [d.field for d in differences(said, found)] == fields


def test_a_segment_is_named() -> None:
    labels = {**ALERT["labels"], "segment": "origin=EWR"}
    assert "fraud@3  origin=EWR  amount" in in_words({"9f2c": [EQUAL._replace(alert={**ALERT, "labels": labels})]})
