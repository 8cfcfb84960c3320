"""Hypothesis: labels as producers send them, and what goes wrong on the way."""

from typing import Any

from hypothesis import strategies as st

from tests.unit.stream.ingest.generated import as_json, damaged, good_ids, good_times, json_values, wrong_ids

class_labels = st.sampled_from([True, False, 0, 1, 0.0, 1.0, None])
truths = st.one_of(class_labels, st.floats(-1e9, 1e9), st.integers(-(10**12), 10**12))
odd_labels = st.one_of(json_values, st.sampled_from([2, -1, 1e39, -1e39, 3.4028234663852886e38, 10**400, "1", "yes"]))
good_labels = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["m", "price", "other"]),
        "prediction_id": good_ids.filter(lambda one: one not in (None, "")),
        "label": class_labels,
    },
    optional={
        "ts": good_times,
        "score": st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0, 1])),
        "version": st.sampled_from(["0", "1", "7", None]),
        "note": json_values,
    },
)
FIELDS = ["model", "version", "ts", "score", "label", "prediction_id"]


@st.composite
def wrong_labels(draw: st.DrawFn) -> dict[str, Any]:
    """A good label in which up to three fields hold anything or are gone."""
    label: dict[str, Any] = dict(draw(good_labels))
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        if draw(st.booleans()):
            label.pop(field, None)
        else:
            label[field] = draw(json_values)
    for field, values in (("label", odd_labels | truths), ("prediction_id", wrong_ids), ("version", st.just("a\nb"))):
        if draw(st.integers(0, 3)) == 0:
            label[field] = draw(values)
    return label


messages = st.one_of(
    as_json(good_labels),
    as_json(wrong_labels()),
    as_json(json_values),
    as_json(st.lists(st.one_of(good_labels, wrong_labels(), json_values), max_size=4)),
    damaged(as_json(good_labels)),
    damaged(as_json(st.lists(good_labels, max_size=3))),
    st.binary(max_size=20),
    st.none(),
)
