"""Labels that name a class, on their way to the join: one row for each class, whatever is cut or killed."""

from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline
from stream.baselines.performance import class_definitions
from stream.baselines.roles import Roles
from stream.ingest.id_hash import class_hashes, id_hashes
from stream.outcomes.covering import is_sampled
from tests.small_model import GRID, START_MS, Worker, baseline, cuts_of, outcome_settings, plan, settings
from tests.unit.stream.count.test_waiting import TOPIC as OUTCOMES
from tests.unit.stream.count.test_waiting import heard as predictions_heard
from tests.unit.stream.count.test_waiting import sent_of
from tests.unit.stream.labels.test_fold import Run, label, run_of

CLASSES = ("ant", "bee", "cow")


def multiclass(classes: tuple[str, ...] = CLASSES, version: str = "0") -> Baseline:
    random = np.random.default_rng(1)
    columns = {f"score_{name}": random.random(50) for name in classes}
    made = create_baseline(columns, model="k", version=version, roles=Roles(scores=tuple(columns)))
    return msgspec.structs.replace(made, number=1)


def worker(*known: Baseline, **of_outcomes: Any) -> Worker:
    every = (baseline(1, grid=GRID), *(known or (multiclass(),)))
    found = Worker(*every, outcomes=OUTCOMES)
    found.wants = plan(*every, outcomes=outcome_settings(**of_outcomes), counting=settings(allowed_lateness_ms=500))
    return found


def of_class(run: Run, prediction_id: str | int, classes: tuple[str, ...] = CLASSES) -> dict[str, list[float | None]]:
    """By class, what the join hears of one id."""
    hashes = class_hashes(id_hashes("k", [prediction_id]), classes)[0].tolist()
    return {
        name: [value for _, found, _, value, _, _ in run.heard() if found == hashed]
        for name, hashed in zip(classes, hashes, strict=True)
    }


def test_a_label_is_one_for_its_class_and_zero_for_the_others() -> None:
    """A text or a number; of a name that no class has it is zero for all, and counted."""
    run = run_of(label("a", "bee", model="k"), label("b", "wasp", model="k"), label("c", 7, model="k"), worker=worker())
    assert of_class(run, "a") == {"ant": [0.0], "bee": [1.0], "cow": [0.0]}
    assert of_class(run, "b") == of_class(run, "c") == {"ant": [0.0], "bee": [0.0], "cow": [0.0]}
    ledger = run.fold.ledger
    assert (ledger.received, ledger.counted, ledger.unknown_classes, ledger.balance()) == (3, 3, 2, 0)


def test_a_label_that_is_taken_back_is_taken_back_from_every_class() -> None:
    """It may have been of any."""
    run = run_of(label("a", "bee", model="k"), label("a", None, model="k", at_ms=1_000), worker=worker())
    assert of_class(run, "a") == {"ant": [0.0, None], "bee": [1.0, None], "cow": [0.0, None]}
    assert run.fold.ledger.unknown_classes == 0


def test_labels_of_other_models_beside_them_stay_as_they_are() -> None:
    """In one batch, in the order of the log."""
    run = run_of(label("a", 1), label("a", "ant", model="k"), label("b", 0), label("c", "x"), worker=worker())
    rows = run.heard()
    assert [offset for offset, *_ in rows] == [0, 1, 1, 1, 2]
    (first, last) = id_hashes("m", ["a", "b"]).tolist()
    assert [(h, v) for offset, h, _, v, _, _ in rows if offset != 1] == [(first, 1.0), (last, 0.0)]
    assert run.fold.ledger.dead == {"bad_label": 1}


def test_a_label_goes_to_the_classes_of_every_version() -> None:
    """It does not say which version's prediction it is the truth of."""
    both = (multiclass(), multiclass(("ant", "dog"), version="1"))
    run = run_of(label("a", "dog", model="k"), worker=worker(*both))
    every = ("ant", "bee", "cow", "dog")
    assert of_class(run, "a", every) == {"ant": [0.0], "bee": [0.0], "cow": [0.0], "dog": [1.0]}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20_000), st.sampled_from([*CLASSES, "x", None])), max_size=20),
    st.sets(st.integers(0, 19)),
    st.sets(st.integers(0, 19)),
)
def test_no_cutting_and_no_crash_changes_what_the_join_hears(
    said: list[tuple[int, int, str | None]], ends: set[int], crashes: set[int]
) -> None:
    """Rows of one label are never torn apart."""
    values = [label(i, name, at_ms=at, model="k") for i, at, name in said] + [label(1, 1), b"{oops"]
    told = []
    for cut in (set[int](), ends | crashes):
        run = Run(values, worker())
        for start, stop in cuts_of(len(values), cut.__contains__):
            run.take(start, stop)
            if stop in crashes and cut:
                run.send()
                run.crash()
        run.send()
        assert run.fold.ledger.balance() == 0
        told.append((run.heard(), run.fold.ledger))
    assert told[0] == told[1]
    assert len(told[0][0]) == 3 * len(said) + 1


def test_a_sample_is_of_ids_at_both_sources_with_all_classes_of_each() -> None:
    """The hash of the id alone decides: classes sampled one by one would meet nothing."""
    ids = [f"p-{i}" for i in range(400)]
    sampled = id_hashes("k", ids)[is_sampled(id_hashes("k", ids), 0.25)]
    expected = sorted(class_hashes(sampled, CLASSES).ravel().tolist())
    assert 50 < len(sampled) < 150
    labels = run_of(*(label(i, "ant", model="k") for i in ids), worker=worker(sample=0.25))
    assert sorted(hashed for _, hashed, *_ in labels.heard()) == expected
    scores = b'{"model":"k","prediction_id":"%s","ts":%d,"scores":[0.2,0.3,0.5]}'
    sent = sent_of(*(scores % (i.encode(), START_MS) for i in ids), worker=worker(sample=0.25))
    assert sorted(hashed for _, hashed, *_ in predictions_heard(sent)) == expected


def test_the_cap_is_of_rows_over_all_classes() -> None:
    """So that a model of many classes takes no more memory than another."""
    one = multiclass()
    found = class_definitions(one, settings(), 3_000, msgspec.structs.replace(outcome_settings(), max_waiting=600), 2)
    assert [d.max_waiting for d in found] == [100, 100, 100]
    assert [(d.category, d.task, d.bins) for d in found] == [(c.name, "binary", 2 * c.grid.bins) for c in one.by_class]
    assert len({d.id for d in found}) == 3
    assert class_definitions(baseline(1, grid=GRID), settings(), 3_000, outcome_settings(), 2) == ()
