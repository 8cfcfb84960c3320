"""The metrics of segments: gauges of each beside those of the whole, and a counter of what has no own segment."""

from tests.small_model import PREDICTIONS
from tests.unit.stream.count.test_segments import whole
from tests.unit.stream.evaluate.partials import PARTIALS
from tests.unit.stream.evaluate.test_segments import LOWER, ONE, UPPER, one_window
from tests.unit.stream.service.test_latency_metrics import registry

MODEL = {"model": "m", "version": "0"}


def of(segment: str) -> dict[str, str]:
    return MODEL | {"segment": segment}


def test_each_segment_has_its_gauges_and_the_whole_those_without_a_segment() -> None:
    evaluate = one_window(ONE, {"plan=free": UPPER, "plan=pro": LOWER})
    for _ in range(2):
        found = registry({PARTIALS: evaluate.fold})
        rows = [found.get_sample_value("driftline_window_predictions", of(s)) for s in ("", "plan=free", "plan=other")]
        assert rows == [1_200, 600, None]  # of the last one there were none
        psi = [found.get_sample_value("driftline_psi", of(s) | {"feature": "x"}) for s in ("", "plan=free")]
        assert psi[0] == 0
        assert (psi[1] or 0) > 0.25
        evaluate.crash()  # what is shown is made anew from the panes


def test_firing_alerts_are_those_of_the_whole_and_of_every_segment() -> None:
    evaluate = one_window(ONE, {"plan=free": UPPER, "plan=pro": UPPER})
    found = registry({PARTIALS: evaluate.fold})
    name, severities = "driftline_alerts_firing", ("warning", "critical")
    firing = [found.get_sample_value(name, MODEL | {"severity": severity}) for severity in severities]
    assert sum(n or 0 for n in firing) == len(evaluate.alerts) > 0
    assert {a["labels"]["segment"] for a in evaluate.alerts} == {"", "plan=free", "plan=pro"}


def test_rows_in_other_are_a_counter_of_the_partition_that_a_replay_does_not_inflate() -> None:
    labels = MODEL | {"topic": "predictions", "partition": "0", "key": "origin"}
    counted = whole([(0, "a", "EWR"), (0, "a", "LGA"), (100, "b", None)])
    for _ in range(2):
        found = registry({PREDICTIONS: counted.fold})
        assert found.get_sample_value("driftline_segment_other_total", labels) == 3  # and the one that closes the panes
        counted.crash()
