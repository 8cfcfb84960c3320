"""A baseline made of a model's first rows: what its series are, what is left out, that it is the same bytes."""

import msgspec
import numpy as np

from stream.baselines.baseline import Baseline, CategoricalSeries, NumericSeries
from stream.baselines.learned import Span, learned_baseline
from stream.baselines.registry import MAX_ENTRY_BYTES, Registry, complaint
from stream.records.learning import SampledRow
from stream.records.prediction import ModelKey
from stream.records.source import Message
from tests.small_model import baseline

KEY, SPAN = ModelKey("m", "0"), Span(1_380_585_600_000, 1_380_589_200_000)


def rows_of(*predictions: dict[str, object]) -> list[SampledRow]:
    return [SampledRow(i, SPAN.from_ms, msgspec.json.encode({"features": {}} | p)) for i, p in enumerate(predictions)]


def learned(*predictions: dict[str, object], most_features: int = 10) -> Baseline:
    made = learned_baseline(KEY, rows_of(*predictions), SPAN, most_features)
    assert isinstance(made, Baseline), made
    return made


def message(entry: Baseline) -> Message:
    return Message(offset=0, timestamp_ms=0, key=entry.id.encode(), value=entry.to_bytes())


def left_out(made: Baseline) -> tuple[str, ...]:
    return made.learned.left_out if made.learned is not msgspec.UNSET else ()


def test_the_role_of_a_feature_follows_from_its_values() -> None:
    made = learned(
        *({"features": {"distance": i, "carrier": "UA" if i % 3 else "AA", "night": i % 2 == 0}} for i in range(30))
    )
    carrier, distance, night = made.series
    assert isinstance(carrier, CategoricalSeries)
    assert dict(zip(carrier.categories, carrier.counts, strict=True)) == {"UA": 20, "AA": 10}
    assert isinstance(distance, NumericSeries)
    assert (distance.name, distance.minimum, distance.maximum, sum(distance.counts)) == ("distance", 0, 29, 30)
    assert isinstance(night, NumericSeries)
    assert (night.name, night.mean) == ("night", 0.5)


def test_the_answer_is_the_one_that_comes() -> None:
    binary = learned(*({"score": i / 30} for i in range(30)))
    assert (binary.task, binary.answer, binary.grid is not None) == ("binary", "score", True)
    regression = learned(*({"value": i * 10} for i in range(30)))
    assert (regression.task, regression.answer, regression.grid) == ("regression", "value", None)
    only_features = learned(*({"features": {"x": i}} for i in range(30)))
    assert only_features.answer is None


def test_the_classes_are_the_names_that_come_and_of_an_array_the_places() -> None:
    named = learned(*({"scores": {"b": 0.25, "a": 0.75}} for _ in range(9)), {"scores": {"c": 1.0}})
    assert (named.task, named.classes, named.answers) == ("multiclass", ("a", "b", "c"), 3)
    by_place = learned(*({"scores": [0.25, 0.75]} for _ in range(9)))
    assert by_place.classes == ("00", "01")


def test_scores_that_no_message_of_a_registered_model_may_carry_make_no_answer() -> None:
    made = learned(*({"features": {"x": i}, "scores": {"a": -3.5, "b": 1.2}} for i in range(9)))
    assert (made.answer, [s.name for s in made.series]) == (None, ["x"])


def test_missing_and_invalid_values_are_counted_as_such() -> None:
    [x] = learned(*({"features": {"x": i}} for i in range(8)), {}, {"features": {"x": []}}).series
    assert (x.missing, x.invalid) == (1, 1)


def test_what_does_not_describe_a_row_is_left_out_and_named() -> None:
    made = learned(
        *(
            {"score": 0.5, "features": {"id": f"u{i}", "x": i, "score": 1, "nested": []} | ({"y": 1} if i < 5 else {})}
            for i in range(30)
        ),
        most_features=1,
    )
    assert [s.name for s in made.series] == ["x", "score"]
    assert left_out(made) == (
        "id: nearly every row has another text",
        "nested: neither numbers nor text",
        "score: has the name of an answer",
        "y: beyond the 1 most frequent",
    )


def test_of_very_many_features_left_out_twenty_are_named() -> None:
    made = learned({"features": {f"f{i:02d}": 1 for i in range(40)}}, most_features=5)
    assert len(left_out(made)) == 21
    assert left_out(made)[-1] == "and 15 more"


def test_the_same_rows_give_the_same_bytes_and_another_row_gives_others() -> None:
    rows = [{"score": i / 40, "features": {"x": i, "c": "ab"[i % 2]}} for i in range(40)]
    assert learned(*rows).to_bytes() == learned(*rows).to_bytes()
    assert learned(*rows).to_bytes() != learned(*rows[:-1], {"score": 0.1, "features": {"x": 1}}).to_bytes()


def test_no_clock_and_no_version_of_anything_is_in_it() -> None:
    provenance = learned({"score": 0.5}).provenance
    assert (provenance.created_at, provenance.libraries, provenance.git_hash) == ("2013-10-01T01:00:00Z", {}, None)


def test_one_that_would_be_larger_than_a_topic_takes_does_without_its_largest_features() -> None:
    rng = np.random.default_rng(1)
    texts = [f"{'x' * 4_000}{i}" for i in range(300)]
    rows = [{"features": {"x": int(rng.integers(9)), "text": texts[i % 300]}} for i in range(700)]
    made = learned(*rows)
    assert len(made.to_bytes()) <= MAX_ENTRY_BYTES
    assert ([s.name for s in made.series], left_out(made)) == (["x"], ("text: too large",))


def test_of_rows_without_anything_to_compare_there_is_none() -> None:
    assert learned_baseline(KEY, rows_of({"features": {"a": []}}), SPAN, 10) == (
        "a baseline needs series, and their names must differ"
    )


def test_the_registry_takes_it_and_prefers_whatever_somebody_registers() -> None:
    made, registry = learned({"score": 0.5}), Registry()
    registry.add(message(made))
    assert (made.id, registry.in_force(KEY), registry.next_number(KEY)) == ("m@0#0", made, 1)
    own = baseline(1)
    registry.add(message(own))
    registry.add(message(made))
    assert registry.in_force(KEY) == own


def test_a_baseline_that_somebody_made_cannot_have_number_0() -> None:
    assert complaint(baseline(0)) == "number and rows must be at least 1; only a learned baseline has number 0"
