"""Evidence of single segments: what their own rows teach, and what has to do where it is not known."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from stream.baselines.baseline import Baseline
from stream.baselines.columns import categorical_column
from stream.baselines.create import PredictionColumns, read_columns
from stream.baselines.definition import Definition
from stream.baselines.learning import Learned, Windows, learn
from stream.baselines.registry import complaint
from stream.baselines.roles import Roles, assign_roles
from stream.baselines.segment_evidence import rows_where, with_segment_evidence
from stream.baselines.segment_learning import with_segments
from stream.evaluate.yardstick import Yardstick, yardstick_of
from stream.records.settings import SegmentSettings
from tests.small_model import settings
from tests.unit.stream.baselines.test_learning import HOUR_MS, HOURS, START_MS, baseline_from
from tests.unit.stream.evaluate.partials import judging

HOURS_SEEN = 40
ROWS = 200  # an hour


def columns() -> PredictionColumns:
    """Hours of `wild` rows differ from each other, those of `calm` ones do not; a few are `rare`."""
    rng = np.random.default_rng(5)
    hour = np.repeat(np.arange(HOURS_SEEN), ROWS)
    plan = rng.choice(["calm", "wild", "rare"], len(hour), p=[0.495, 0.495, 0.01])
    moved = 0.8 * rng.normal(size=HOURS_SEEN)[hour]
    table = pa.table(
        {
            "ts": START_MS + hour * HOUR_MS + np.tile(np.arange(ROWS) * (HOUR_MS // ROWS), HOURS_SEEN),
            "x": rng.normal(size=len(hour)) + np.where(plan == "wild", moved, 0.0),
            "plan": plan.tolist(),
        }
    )
    found = read_columns(table, assign_roles(table, Roles()))
    return replace(found, segments=(categorical_column("plan", table.column("plan")),))


@pytest.fixture(scope="module")
def learned() -> Learned:
    rows = columns()
    whole = learn(with_segments(baseline_from(rows), rows), rows, HOURS)
    return with_segment_evidence(whole.baseline, rows, HOURS)


def test_each_segment_has_what_its_own_rows_teach(learned: Learned) -> None:
    calm, wild = (learned.baseline.evidence_of(f"plan={name}", HOUR_MS) for name in ("calm", "wild"))
    assert calm is not None
    assert wild is not None
    assert calm.series[0].spreads == ()
    assert wild.series[0].spreads[0] > 0.1
    assert calm.rows.mean == pytest.approx(ROWS * 0.495, rel=0.1)
    assert not calm.provisional


def test_it_is_what_is_learned_from_those_rows_alone(learned: Learned) -> None:
    rows = columns()
    [key] = rows.segments
    mine = rows_where(rows, key.codes == key.categories.index("wild"))
    alone = learn(learned.baseline, mine, HOURS).baseline.evidence
    assert learned.baseline.evidence_of("plan=wild", HOUR_MS) == alone[0]


def test_a_segment_with_too_few_rows_has_none_and_that_is_said(learned: Learned) -> None:
    assert learned.baseline.evidence_of("plan=rare", HOUR_MS) is None
    assert learned.notes == ("too few windows are known of plan=rare: their alerts are provisional",)


@pytest.mark.parametrize("segment", ["plan=none", "plan=other", "country=calm"])
def test_a_segment_that_is_not_stored_has_none(learned: Learned, segment: str) -> None:
    assert learned.baseline.evidence_of(segment, HOUR_MS) is None


def test_it_can_be_registered_and_read_back(learned: Learned) -> None:
    numbered = msgspec.structs.replace(learned.baseline, number=1)
    assert complaint(numbered) is None
    assert Baseline.from_bytes(numbered.to_bytes()) == numbered


def test_what_does_not_fit_is_refused(learned: Learned) -> None:
    [key] = learned.baseline.segments
    first = key.values[0]
    twice = msgspec.structs.replace(first, evidence=first.evidence * 2)
    wrong = msgspec.structs.replace(key, values=(twice, *key.values[1:]))
    baseline = msgspec.structs.replace(learned.baseline, segments=(wrong,), number=1)
    assert "segment key 'plan', the evidence: there must be one evidence per window" in str(complaint(baseline))


def test_without_times_or_segments_nothing_is_learned() -> None:
    rows = columns()
    plain = baseline_from(rows)
    assert with_segment_evidence(plain, rows, HOURS) == Learned(plain, ())


def test_a_segments_windows_are_judged_by_its_own_evidence_or_provisionally_by_all_rows(learned: Learned) -> None:
    cut = msgspec.structs.replace(settings(60_000), segments={"plan": SegmentSettings(values=("calm", "rare"))})
    definition = Definition(msgspec.structs.replace(learned.baseline, number=1), cut)

    def of(segment: str) -> Yardstick:
        return yardstick_of(definition, judging(), HOUR_MS, segment)

    calm, rare, whole = of("plan=calm"), of("plan=rare"), of("")
    assert (calm.borrowed, calm.provisional) == (False, [False, False])
    assert (rare.borrowed, rare.provisional) == (True, [True, True])
    assert (rare.evidence, whole.provisional) == (whole.evidence, [False, False])
    assert calm.evidence != whole.evidence


def test_as_many_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.baselines.segment_evidence.MOST_BYTES", 1)
    rows = columns()
    found = with_segment_evidence(with_segments(baseline_from(rows), rows), rows, Windows((HOUR_MS,), 60_000))
    [key] = found.baseline.segments
    assert [bool(value.evidence) for value in key.values] == [True, False, False]
    assert f"plan={key.values[1].value}, plan=rare" in found.notes[0]
