"""Which column is what: by option, by name, and when it is refused."""

import pyarrow as pa
import pytest

from stream.baselines.roles import Roles, assign_roles
from stream.errors import InputError

TABLE = pa.table({
    "prediction_id": ["a", "b"],
    "model": ["m", "m"],
    "ts": ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"],
    "distance": [1.0, 2.0],
    "carrier": ["UA", "B6"],
    "latency_ms": [3, 4],
    "status": ["ok", "timeout"],
    "score": [0.1, 0.2],
    "label": [0, 1],
})  # fmt: skip


def test_columns_are_found_by_name() -> None:
    found = assign_roles(TABLE, Roles())
    assert (found.features, found.categorical) == (("distance", "carrier"), {"carrier"})
    assert (found.answer_column, found.time, found.label) == ("score", "ts", "label")
    assert [note.split("'")[1] for note in found.notes] == ["model", "latency_ms", "status"]


def test_an_option_wins_over_a_name() -> None:
    table = TABLE.append_column("p", pa.array([0.3, 0.4]))
    found = assign_roles(table, Roles(score="p", label="carrier", ignore=("score",)))
    assert (found.answer_column, found.label) == ("p", "carrier")
    assert found.features == ("distance", "label")


def test_named_features_come_in_the_tables_order_and_alone() -> None:
    found = assign_roles(TABLE, Roles(features=("latency_ms", "distance")))
    assert (found.features, found.notes) == (("distance", "latency_ms"), ())
    assert assign_roles(TABLE, Roles(features=("status",))).features == ("status",)


def test_small_numbers_named_time_are_a_feature() -> None:
    assert assign_roles(pa.table({"time": [3, 4]}), Roles()).features == ("time",)
    assert assign_roles(pa.table({"x": [1], "time": [1_700_000_000_000]}), Roles()).time == "time"


REGRESSION = {"x": [1, 2, 3], "value": [4.0, 5.0, 6.0]}


@pytest.mark.parametrize(("columns", "task", "answer"), [
    (REGRESSION, "regression", "value"),
    (REGRESSION | {"label": [4.1, 5.2, 6.3]}, "regression", "value"),
    (REGRESSION | {"label": [4.1, None, 6.3]}, None, "value"),  # such labels are a regression's
    (REGRESSION | {"label": [0, 1, 1]}, "regression", "value"),
    (REGRESSION, None, None),
    (REGRESSION | {"label": [0, 1, None]}, None, None),
    (REGRESSION | {"label": [True, False, None]}, None, None),
    (REGRESSION | {"label": ["a", "b", "c"]}, None, None),
    (REGRESSION | {"label": [4.1, 5.2, 6.3]}, "binary", None),
    (REGRESSION | {"label": [4.1, 5.2, 6.3], "score": [0.1, 0.2, 0.3]}, None, "score"),
    (REGRESSION | {"score": [0.1, 0.2, 0.3]}, "regression", "score"),  # which the command refuses
])  # fmt: skip
def test_value_is_the_answer_by_name_only_of_what_is_a_regression(
    columns: dict[str, list[object]], task: str | None, answer: str | None
) -> None:
    found = assign_roles(pa.table(columns), Roles(task=task))
    assert found.answer_column == answer
    assert ("value" in found.features) == (answer != "value")


def test_a_value_that_is_taken_for_a_feature_is_said() -> None:
    told = "column 'value' is counted as a feature; a regression's estimate is named by --value value"
    assert assign_roles(pa.table(REGRESSION), Roles()).notes == (told,)
    for roles in (Roles(task="binary"), Roles(value="value"), Roles(features=("value",))):
        assert assign_roles(pa.table(REGRESSION), roles).notes == ()


def test_the_columns_of_a_multiclass_model_must_be_named() -> None:
    with pytest.raises(InputError, match=r"the task is multiclass.*--scores A,B,C"):
        assign_roles(TABLE, Roles(task="multiclass"))
    found = assign_roles(TABLE, Roles(task="multiclass", scores=("score", "distance")))
    assert found.score_columns == ("score", "distance")


def test_row_names_of_a_data_frame_are_left_out() -> None:
    found = assign_roles(pa.table({"": [0, 1], "Unnamed: 0": [0, 1], "x": [1, 2]}), Roles())
    assert found.features == ("x",)
    assert len(found.notes) == 2


@pytest.mark.parametrize(("roles", "message"), [
    (Roles(score="scor"), "no column 'scor'.*did you mean 'score'"),
    (Roles(features=("nope",)), "no column 'nope'; the columns are prediction_id, model"),
    (Roles(ignore=("nope",)), "no column 'nope'"),
    (Roles(categorical=("nope",)), "no column 'nope'"),
    (Roles(time="when"), "no column 'when'"),
    (Roles(score="distance", features=("distance",)), "one role; distance got more than one"),
    (Roles(score="score", value="distance"), "a score or a value, not both"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(roles: Roles, message: str) -> None:
    with pytest.raises(InputError, match=message):
        assign_roles(TABLE, roles)


def test_repeated_names_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(InputError, match="x come more than once"):
        assign_roles(table, Roles())


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(InputError, match="no feature and no score among the columns ts, model"):
        assign_roles(TABLE.select(["ts", "model"]), Roles())


def test_one_text_among_numbers_is_said_because_it_makes_categories_of_all_of_them() -> None:
    table = pa.table({"amount": [str(i) for i in range(50)] + ["abc"], "code": [str(i) for i in range(51)]})
    notes = assign_roles(table, Roles()).notes
    assert [note for note in notes if "'abc'" in note and "'amount'" in note] == list(notes)
