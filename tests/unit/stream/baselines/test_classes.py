"""The baseline of a multiclass model: its classes, their grids, and what its labels say."""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from detectors import Auc, Undefined
from detectors.multiclass import MulticlassMetrics
from stream.baselines.baseline import Baseline, ClassScores
from stream.baselines.class_metrics import baseline_metrics
from stream.baselines.classes import MOST_BINS, class_bins, class_labels
from stream.baselines.create import Binning, create_baseline
from stream.baselines.description import describe
from stream.baselines.grid import ScoreGrid
from stream.baselines.layout import Layout
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles
from stream.errors import InputError
from stream.records.prediction import Answer

CLASSES = ("ant", "bee", "7")
COLUMNS = ("score_ant", "scores.bee", "7")


def rows(n: int = 4_000, seed: int = 7, k: int = 3) -> tuple[Any, Any]:
    """Scores, shape (n, k), and the place of each row's class."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(k, n, p=np.arange(1, k + 1) / sum(range(k + 1)))
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), labels] += 1.5
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True), labels


def table(scores: Any, labels: Any | None = None, **more: Any) -> dict[str, Any]:
    found = {name: scores[:, i] for i, name in enumerate(COLUMNS)} | more
    return found if labels is None else found | {"label": [None if y < 0 else CLASSES[y] for y in labels]}


def made(columns: dict[str, Any], binning: Binning | None = None, **roles: Any) -> Baseline:
    made_of = Roles(**({"scores": COLUMNS} | roles))
    baseline = create_baseline(columns, model="m", version="1", roles=made_of, binning=binning or Binning())
    return msgspec.structs.replace(baseline, number=1)


def metrics_of(baseline: Baseline) -> MulticlassMetrics:
    found = baseline_metrics(baseline.by_class)
    assert isinstance(found, MulticlassMetrics)
    return found


def test_each_class_is_a_series_of_its_own_behind_the_features() -> None:
    """So that each has its own PSI; a class is called as its column, without what says that it is a score."""
    scores, _ = rows()
    baseline = made(table(scores, hour=np.arange(len(scores))))
    assert [s.name for s in baseline.series] == ["hour", "scores.ant", "scores.bee", "scores.7"]
    assert (baseline.task, baseline.answer, baseline.classes) == ("multiclass", "scores", CLASSES)
    schema = Layout(baseline).schema
    assert (schema.numeric, schema.answer, schema.classes) == (("hour",), Answer.SCORES, CLASSES)
    assert complaint(baseline) is None
    assert Baseline.from_bytes(baseline.to_bytes()) == baseline


def test_what_the_labels_say_is_what_scikit_learn_says() -> None:
    """AUC within its bounds; accuracy to the row; log-loss but for the bins."""
    scores, labels = rows()
    found = metrics_of(made(table(scores, labels)))
    for i, area in enumerate(found.auc):
        assert isinstance(area, Auc)
        assert area.low <= roc_auc_score(labels == i, scores[:, i]) <= area.high
    assert found.macro_auc == pytest.approx(roc_auc_score(labels, scores, multi_class="ovr"), abs=0.001)
    assert found.accuracy == accuracy_score(labels, scores.argmax(axis=1))
    assert found.log_loss == pytest.approx(log_loss(labels, scores), abs=0.003)
    assert found.priors == pytest.approx([np.mean(labels == i) for i in range(3)])


def test_rows_without_a_label_or_without_all_scores_say_nothing_of_performance() -> None:
    """They count in the series all the same."""
    scores, labels = rows(100)
    labels[:40] = -1
    scores[50:60, 1] = np.nan
    found = made(table(scores, labels))
    assert metrics_of(found).n == 50
    assert found.series[-2].missing == 10
    without = made(table(scores))
    assert baseline_metrics(without.by_class) == Undefined("no labelled baseline")


def test_of_equal_scores_the_first_class_is_the_answer() -> None:
    """As `argmax` has it; a model that is undecided must not be right for two classes at once."""
    grid = ScoreGrid(edges=(0.5,), means=(0.2, 0.8), threshold=0.5)
    assert (class_bins((grid,) * 3, np.full((1, 3), 1 / 3)) % 2).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(("values", "read"), [
    (["ant", "7", None, "wasp"], [0, 2, np.nan, -1]),
    ([7, 8, None], [2, -1, np.nan]),
    ([7.0, 8.5], [2, -1]),
])  # fmt: skip
def test_labels_are_names_of_classes(values: list[Any], read: list[float]) -> None:
    """Numbers by their decimal text, as in messages; a name that the model does not know is a wrong answer."""
    np.testing.assert_array_equal(class_labels("y", pa.chunked_array([pa.array(values)]), CLASSES), read)


def test_a_later_baseline_keeps_the_grids_and_must_have_the_same_classes() -> None:
    """So that a window of performance may lie across a promotion."""
    scores, labels = rows()
    first = made(table(scores, labels))
    again = made(table(scores**2, labels), Binning(classes=first.by_class))
    assert [one.grid for one in again.by_class] == [one.grid for one in first.by_class]
    with pytest.raises(InputError, match="has the classes ant, bee, 7, in this order; a model with other ones"):
        made(table(scores, labels), Binning(classes=first.by_class), scores=COLUMNS[::-1])


@pytest.mark.parametrize(("columns", "roles", "says"), [
    ({}, {"scores": ("score_ant",)}, "2 to 32 classes, --scores names 1 columns"),
    ({}, {"scores": ("score_ant", "scores.ant")}, "ant comes twice"),
    ({}, {"scores": ("score_ant", "score_ant")}, "a column has one role; score_ant got more than one"),
    ({}, {"score": "7", "scores": ("score_ant", "scores.bee")}, "or a score for each class"),
    ({}, {"scores": ("score_ant", "none")}, "there is no column 'none'"),
    ({"7": [0.5, 1.5]}, {}, "column '7', row 1: a score must be in"),
    ({"7": ["a", "b"]}, {}, "column '7' shall be the score of a class but holds string"),
    ({"7": [None, None]}, {}, "column '7' has no score in any row"),
    ({"scores.ant": [1, 2]}, {"scores": ("score_ant", "7")}, "feature 'scores.ant' has the answer's name"),
    ({"label": ["wasp", None]}, {}, "no label in column 'label' names a class; the classes are ant, bee, 7"),
])  # fmt: skip
def test_what_cannot_be_classes_is_refused(columns: dict[str, Any], roles: dict[str, Any], says: str) -> None:
    """Each with what to do about it."""
    few = {name: [0.25, 0.5] for name in (*COLUMNS, "scores.ant")}
    if "scores" not in roles:
        few.pop("scores.ant")
    with pytest.raises(InputError, match=says):
        made(few | columns, **roles)


def test_the_largest_model_fits_a_registry_entry() -> None:
    """32 classes, each score an atom of its own or none at all."""
    scores, labels = rows(20_000, k=32)
    names = tuple(f"score_{i}" for i in range(32))
    found = create_baseline(
        {name: scores[:, i] for i, name in enumerate(names)} | {"label": labels},
        model="m",
        version="1",
        roles=Roles(scores=names),
    )
    assert len(found.to_bytes()) < 1_000_000
    assert max(one.grid.bins for one in found.by_class) <= MOST_BINS


ONE = made(table(*rows(200)))
FIRST = ONE.by_class[0]
GRID = ScoreGrid(
    edges=tuple(np.linspace(0.0001, 0.5, MOST_BINS).tolist()), means=(0.1,) * (MOST_BINS + 1), threshold=0.5
)


@pytest.mark.parametrize(("changed", "says"), [
    ({"scores": msgspec.UNSET}, "scores need classes"),
    ({"answer": "score"}, "only they have some"),
    ({"scores": (FIRST, FIRST, FIRST)}, "their names must differ"),
    ({"scores": ONE.by_class[::-1]}, "must be the scores of the classes, numeric, in their order"),
    ({"scores": (ClassScores(name="ant", grid=GRID), *ONE.by_class[1:])}, "class 'ant': its score grid may"),
    ({"scores": (msgspec.structs.replace(FIRST, positives=(1,)), *ONE.by_class[1:])}, "class 'ant': its labelled rows"),
])  # fmt: skip
def test_an_entry_that_cannot_be_counted_with_says_why(changed: dict[str, Any], says: str) -> None:
    """Nobody's broken entry may stop a worker."""
    assert says in (complaint(msgspec.structs.replace(ONE, **changed)) or "")


def test_a_binary_models_entry_does_not_change() -> None:
    """Its bytes are part of the id of what is counted."""
    binary = create_baseline({"score": [0.1, 0.2]}, model="m", version="1")
    assert b'"scores"' not in binary.to_bytes()
    assert (binary.classes, binary.answers) == ((), 1)


def test_the_description_names_the_classes_and_how_good_the_model_was() -> None:
    """What `baseline show` prints."""
    said = describe(ONE)
    assert "classes   ant, bee, 7" in said
    assert "macro 0." in said
    assert "accuracy 0." in said
