"""A model whose baseline does not know how much healthy windows differ: learned from its own, told of, judged with."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import orjson

from detectors import Threshold
from stream.alerts.rules import BUDGET, Rules
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.evaluate.live_evidence import REGISTER
from stream.evaluate.yardstick import baseline_windows, yardstick_of
from stream.records.partial import PanePart, pack_counts
from tests.small_model import PANE_MS, START_MS, Worker, baseline
from tests.unit.stream.evaluate.partials import WINDOW_MS, Evaluate, Speaker, judging, part

SCHEMAS = Path(__file__).parents[4] / "schemas"
ONE = baseline(1)
RULES = Rules(default=Threshold(notice=0.02, warning=0.1, critical=0.25, min_count=1), rule=BUDGET)
FIRST_MS = -(-START_MS // WINDOW_MS) * WINDOW_MS  # the first whole multiple of a window's length


def panes_of(of: Definition, windows: int, *, calm: bool = False, seed: int = 3) -> list[PanePart]:
    """Panes of 200 rows: as the baseline if calm, else one bin of each series leads for a window at a time."""
    rng, layout, parts = np.random.default_rng(seed), of.layout, []
    for i in range(windows):
        leading = rng.beta(3, 3)
        for start in range(FIRST_MS + i * WINDOW_MS, FIRST_MS + (i + 1) * WINDOW_MS, PANE_MS):
            counts = np.zeros(layout.width, np.int64)
            for begin, end in pairwise(layout.starts.tolist()):
                normal = layout.baseline_counts[begin:end]
                if calm:
                    counts[begin:end] = rng.multinomial(200, normal / normal.sum())
                else:
                    counts[begin + 1] = rng.binomial(200, leading)
                    counts[begin + 2] = 200 - counts[begin + 1]
            parts.append(PanePart(of.id, "", start, 0, 1, pack_counts(counts), start))
    return parts


def judged_by_budget(of: Baseline = ONE, rules: Rules = RULES) -> tuple[Evaluate, Speaker, Definition]:
    evaluate, source = Evaluate(worker=Worker(of)), Speaker()
    evaluate.judging = replace(judging(), psi=rules)
    return evaluate, source, source.counts_with(of)


def hear(evaluate: Evaluate, source: Speaker, parts: list[PanePart]) -> None:
    for one in parts:
        evaluate.hears(source.says(one.start_ms + PANE_MS - START_MS, [one]))


def kept(evaluate: Evaluate) -> int:
    return sum(msgspec.msgpack.decode(r.key)[0] == REGISTER for r in evaluate.fold.live())


def test_reports_say_how_far_it_is_and_nothing_is_provisional_from_the_24th_window_on() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, panes_of(definition, 26))
    said = [
        (r["learning"]["windows"], r["learning"]["next_at"], r["checks"][0]["provisional"]) for r in evaluate.reports
    ]
    assert said[2] == (1, 24, True)  # the third pane completes the first window
    assert said[3 * 23 + 1] == (23, 24, True)
    assert said[3 * 23 + 2] == (24, 48, False)  # what it teaches holds for it already
    assert said[-1] == (26, 48, False)


def test_clumps_that_alarm_while_rows_pass_for_independent_are_healthy_once_it_is_known() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, panes_of(definition, 30))
    p_values = [r["checks"][0]["p_value"] for r in evaluate.reports]
    assert np.median(p_values[: 3 * 23]) < 1e-6
    assert min(p_values[3 * 24 :]) > 1e-3


def test_a_crash_at_any_window_changes_nothing() -> None:
    calm, source, definition = judged_by_budget()
    shaken, same, _ = judged_by_budget()
    for i, one in enumerate(panes_of(definition, 50)):
        hear(calm, source, [one])
        hear(shaken, same, [one])
        if i % 7 == 0:
            shaken.crash()
    assert shaken.state() == calm.state()
    assert [o.value for o in shaken.sent] == [o.value for o in calm.sent]
    assert kept(calm) == 50 + 1  # windows, and what they taught


def moved_from(definition: Definition, window: int, windows: int) -> list[PanePart]:
    """Panes of windows [window, windows) whose rows all lie in one bin."""
    first, last = (FIRST_MS + i * WINDOW_MS - START_MS for i in (window, windows))
    return [part(definition, at, 200, bin_of=2) for at in range(first, last, PANE_MS)]


def test_a_lasting_change_after_the_first_lesson_is_no_lesson_and_stays_an_alarm() -> None:
    """Forty windows of it would be most of the second and of the third lesson."""
    evaluate, source, definition = judged_by_budget()
    shaken, same, _ = judged_by_budget()
    for i, one in enumerate([*panes_of(definition, 30, calm=True), *moved_from(definition, 30, 70)]):
        hear(evaluate, source, [one])
        hear(shaken, same, [one])
        if i % 7 == 0:
            shaken.crash()
    assert shaken.state() == evaluate.state()
    assert {a["status"] for a in evaluate.alerts} == {"firing"}
    assert {c["verdict"] for c in evaluate.reports[-1]["checks"]} == {"critical"}
    assert evaluate.reports[-1]["learning"] == {"windows": 30, "next_at": 48}


def test_a_change_among_the_first_windows_is_taken_for_wander_and_ends() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, [*panes_of(definition, 10, calm=True), *moved_from(definition, 10, 30)])
    assert [a["status"] for a in evaluate.alerts][-1] == "resolved"
    assert evaluate.reports[-1]["learning"] == {"windows": 30, "next_at": 48}


def test_the_newest_evaluation_is_made_anew_as_it_was() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, panes_of(definition, 24))
    [course] = evaluate.fold.courses.values()
    before = course.latest
    evaluate.crash()
    [course] = evaluate.fold.courses.values()
    assert before is not None
    assert course.latest is not None
    assert [c.test for c in course.latest.checks] == [c.test for c in before.checks]


def test_by_the_rule_threshold_nothing_is_kept_or_said() -> None:
    evaluate, source, definition = judged_by_budget(rules=replace(RULES, rule="threshold"))
    hear(evaluate, source, panes_of(definition, 2))
    assert kept(evaluate) == 0
    assert all("learning" not in r for r in evaluate.reports)


def test_a_window_that_lies_partly_before_the_first_pane_is_not_kept() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, panes_of(definition, 2)[1:])
    assert kept(evaluate) == 1


def test_another_baseline_begins_anew() -> None:
    two = baseline(2, edges=(0.1, 0.9))
    evaluate, source, definition = judged_by_budget()
    evaluate.worker.known[two.id] = two
    hear(evaluate, source, panes_of(definition, 3))
    begins = FIRST_MS + 3 * WINDOW_MS - START_MS
    source.no_longer(definition)
    source.counts_with(ONE, until_ms=begins)
    after = source.counts_with(two, from_ms=begins)
    parts = [p for p in panes_of(after, 6) if p.start_ms >= START_MS + begins]
    hear(evaluate, source, parts)
    assert evaluate.reports[-1]["baseline"] == two.id
    assert kept(evaluate) == 3


def test_a_baseline_of_one_hour_is_one_window_long_and_one_without_times_is_not_known() -> None:
    assert baseline_windows(ONE, WINDOW_MS) is None
    for span_ms, windows in ((WINDOW_MS, 1.0), (WINDOW_MS // 2, 1.0), (10 * WINDOW_MS, 10.0)):
        times = msgspec.structs.replace(ONE.provenance, from_ms=START_MS, to_ms=START_MS + span_ms)
        assert baseline_windows(msgspec.structs.replace(ONE, provenance=times), WINDOW_MS) == windows


def test_an_alert_cites_what_was_learned_so_that_it_can_be_judged_again() -> None:
    evaluate, source, definition = judged_by_budget()
    hear(evaluate, source, panes_of(definition, 24, calm=True))
    [course] = evaluate.fold.courses.values()
    candidate = course.in_force(FIRST_MS + 24 * WINDOW_MS)
    live = candidate.live.learned("", evaluate.judging, WINDOW_MS)
    end = FIRST_MS + 24 * WINDOW_MS - START_MS
    hear(evaluate, source, [part(definition, end + i * PANE_MS, 200, bin_of=2) for i in range(3)])
    alerts = [a for a in evaluate.alerts if a["status"] == "firing"]
    evidence = alerts[-1]["evidence"]
    shown = evidence if "live" in evidence else evidence["subjects"][0]["evidence"]
    assert shown["live"]["blocks"] == 24
    assert shown["provisional"] is False
    assert live.evidence is not None
    again = yardstick_of(definition, evaluate.judging, WINDOW_MS, learned=live)
    assert again.table.guard.tolist() == course.yardstick(candidate, "").table.guard.tolist()
    for name, message in (("alert", alerts[-1]), ("report", evaluate.reports[-1])):
        schema = orjson.loads((SCHEMAS / f"{name}.schema.json").read_bytes())
        jsonschema.validate(message, schema, cls=jsonschema.Draft202012Validator)
