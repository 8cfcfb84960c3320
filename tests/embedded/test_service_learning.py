"""`unknown_models: learn` on a running service: a model that nobody registered is learned, then watched."""

import json
from typing import Any

import numpy as np
import pytest

from stream.baselines.baseline import Baseline, NumericSeries
from tests.brokers import Broker
from tests.embedded.rows import between, feature, make_rows
from tests.embedded.service import LATENESS_MS, PANE_MS, Service

PARTITIONS = 2
WINDOW_PANES = 5  # tests/embedded/service.py
PER_PANE = 100


def learned(service: Service) -> list[Baseline]:
    entries = [Baseline.from_bytes(m.value) for m in service.read(service.config.topics.baselines) if m.value]
    return [entry for entry in entries if entry.is_learned]


def warned_of(service: Service, baseline: str) -> list[dict[str, Any]]:
    """The two warnings that name the baseline; none until both are there."""
    events = [e for e in service.running[0].log() if e.get("level") == "WARNING" and e.get("baseline") == baseline]
    return events if len(events) == 2 else []


def test_a_model_that_nobody_registered_is_learned_from_its_first_window_although_the_worker_is_killed(
    broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    odd = {"task": "regression", "checks": {"psi": {"features": {"typo": {"critical": 0.9}}}}}
    settings = {"unknown_models": "learn", "windows": {"idle": "10m"}, "models": {"new": odd}}
    with Service.deployed(broker, tmp_path_factory.mktemp("learn"), partitions=PARTITIONS, **settings) as service:
        begin = service.next_hour()
        end = begin + WINDOW_PANES * PANE_MS
        rows = make_rows((WINDOW_PANES + 1) * PER_PANE, begin, end + PANE_MS, model="new")

        def send(some: list[dict[str, object]]) -> None:
            for partition in range(PARTITIONS):
                service.send(*some[partition::PARTITIONS], partition=partition)

        first = service.start_ready()
        send(rows[:250])
        service.wait_for("rows", lambda: service.counter("predictions_learning_total") == 250)
        first.kill()
        service.start_ready()
        send(rows[250:])
        assert LATENESS_MS < PANE_MS  # so the sixth pane's rows carry the watermark past the window's end
        [made] = service.wait_for("a baseline", lambda: learned(service))

        # Every row of the first window is in it, once; none of the sixth pane.
        first_window = between(rows, begin, end)
        x = next(s for s in made.series if isinstance(s, NumericSeries) and s.name == "x")
        values = [value for value in feature(first_window, "x") if value is not None]
        assert (made.id, made.rows, x.missing) == ("new@0#0", len(first_window), len(first_window) - len(values))
        assert x.mean == pytest.approx(np.mean(values), rel=1e-9)
        assert (x.minimum, x.maximum) == (min(values), max(values))

        # From then on the model is watched, and nothing has vanished.
        service.wait_for("the baseline read", lambda: service.running[0].has_read(made.id))
        other_task, unknown = service.wait_for("warnings", lambda: warned_of(service, made.id))
        assert (other_task["configured"], other_task["found"], unknown["psi"]) == ("regression", "binary", ["typo"])
        service.wait_for("nothing to learn", lambda: service.counter("models_learning") == 0)
        later = end + 10 * PANE_MS
        send(make_rows(4 * PER_PANE, later, later + 4 * PANE_MS, model="new"))
        service.wait_for("counted", lambda: service.counter("predictions_counted_total") == 4 * PER_PANE)
        reports = service.wait_for("reports", lambda: service.reports("new"))
        assert {report["baseline"] for report in reports.values()} == {made.id}
        totals = {
            what: service.counter(f"{what}_total")
            for what in (
                "predictions_received", "predictions_counted", "predictions_late", "predictions_ignored",
                "predictions_learning", "dead_letters",
            )
        }  # fmt: skip
        assert totals.pop("predictions_received") == sum(totals.values())
        assert totals["dead_letters"] == 0
        shown = json.loads(service.run("baseline", "list", "--json"))["baselines"]
        assert [(entry["id"], entry["learned"]) for entry in shown] == [(made.id, True)]
