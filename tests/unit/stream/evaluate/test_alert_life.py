"""The life of alerts in the fold: holds, cooldown, what ends them, and that a crash changes no byte."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from stream.alerts.episode import AlertRules, Holds
from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.records.alert import alert_id
from stream.records.partial import PanePart, pack_counts
from tests.small_model import START_MS, baseline, numeric
from tests.unit.stream.evaluate.partials import Evaluate, Speaker, part, relative, row_counts

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[4] / "schemas" / "alert.schema.json").read_text(encoding="utf-8"))
)
ONE = msgspec.structs.replace(baseline(), series=(numeric("x"), numeric("score")))
# By this one all rows in the first bin of x are as ever.
SKEWED = msgspec.structs.replace(
    ONE, number=2, series=(msgspec.structs.replace(numeric("x"), counts=(400, 0, 0, 0)), numeric("score"))
)
DRIFTED, HEALTHY, NOTHING = "d", ".", " "
SECOND = 1_000


class Life:
    """A model whose rows, second by second, are spread over the bins or all in the first; windows of a second."""

    def __init__(self, *known: Baseline, crashes: bool = False, **holds_s: int) -> None:
        self.evaluate = Evaluate(*(known or (ONE,)), window_ms=SECOND)
        holds = Holds(**{f"{name}_ms": SECOND * length for name, length in holds_s.items()})
        self.evaluate.judging = replace(self.evaluate.judging, alerts=AlertRules(holds=holds))
        self.source = Speaker()
        self.definition = self.source.counts_with(known[0] if known else ONE)
        self.second = 0
        self._crashes = crashes

    def lives(self, seconds: str, *, also: Definition | None = None) -> "Life":
        for kind in seconds:
            definitions = [self.definition] + ([also] if also else [])
            panes = [p for of in definitions for p in rows(of, kind, self.second)]
            self.second += 1
            self.evaluate.hears(self.source.says(SECOND * self.second, panes))
            if self._crashes:
                self.evaluate.crash()
        return self

    def told(self, subject: str = "x") -> list[tuple[int, str, int]]:
        """Of each message the second of its window's end, its status and number."""
        alerts = [a for a in self.evaluate.alerts if a["labels"]["subject"] == subject]
        return [(relative(a["evidence"]["window"]["end"]) // SECOND, a["status"], a["seq"]) for a in alerts]

    def messages(self) -> list[dict[str, Any]]:
        return [a for a in self.evaluate.alerts if a["labels"]["subject"] == "x"]


def rows(of: Definition, kind: str, second: int) -> list[PanePart]:
    if kind == NOTHING:
        return []
    drifted = part(of, SECOND * second, 100)
    if kind == DRIFTED:
        return [drifted]
    spread = sum(
        (row_counts(of.baseline, 25, bin_of) for bin_of in range(4)), start=np.zeros(of.layout.width, np.int64)
    )
    return [msgspec.structs.replace(drifted, counts=pack_counts(spread))]


def test_an_alert_waits_fires_and_ends_as_the_holds_say() -> None:
    life = Life(pending=1, resolve=3).lives(".d.dd..d...")
    # in breach at 2, 4, 5 and 8: the one at 2 does not last, that at 4 fires at 5; three seconds after 8 it ends.
    assert life.told() == [(5, "firing", 1), (11, "resolved", 2)]
    fired, ended = life.messages()
    assert relative(fired["startsAt"]) == 4 * SECOND
    assert fired["id"] == alert_id(
        model="m", version="0", check="psi", subject="x", segment="", first_pane_ms=START_MS + 3 * SECOND
    )
    assert (ended["id"], ended["reason"], relative(ended["endsAt"])) == (fired["id"], "recovered", 11 * SECOND)


def test_a_breach_within_the_cooldown_goes_on_under_the_same_id() -> None:
    life = Life(cooldown=3).lives("d.d...d")
    assert life.told() == [(1, "firing", 1), (2, "resolved", 2), (3, "firing", 3), (4, "resolved", 4), (7, "firing", 1)]
    ids = [a["id"] for a in life.messages()]
    assert ids[0] == ids[1] == ids[2] == ids[3] != ids[4]
    reopened = life.messages()[2]
    assert (relative(reopened["startsAt"]), reopened["endsAt"], reopened["reason"]) == (SECOND, None, None)


def test_only_what_people_know_of_is_reported_as_firing() -> None:
    life = Life(pending=2).lives("ddd.")
    of_x = {a["id"] for a in life.messages()}
    assert [of_x <= set(r["alerts_firing"]) and bool(of_x) for r in life.evaluate.reports] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("holds", [{}, {"pending": 1, "resolve": 2}, {"cooldown": 3}, {"resolve": 4, "cooldown": 2}])
def test_a_crash_after_every_word_changes_no_byte(holds: dict[str, int]) -> None:
    seconds = ".dd.d ..d...dd d.....d"
    crashed, uncrashed = Life(crashes=True, **holds).lives(seconds), Life(**holds).lives(seconds)
    assert crashed.evaluate.sent == uncrashed.evaluate.sent
    assert crashed.evaluate.state() == uncrashed.evaluate.state()
    for alert in uncrashed.evaluate.alerts:
        SCHEMA.validate(alert)


def test_nothing_is_kept_of_an_episode_that_is_over() -> None:
    life = Life(cooldown=3).lives("d...")
    assert set(life.evaluate.progress_of()["episodes"]) == {"psi|x", "psi|score"}
    life.lives(".")
    assert life.evaluate.progress_of()["episodes"] == {}


def promoted(life: Life, to: Baseline) -> Definition:
    """The new baseline counts from now on beside the old one."""
    return life.source.counts_with(to, from_ms=SECOND * life.second)


def test_a_baseline_that_explains_it_ends_an_alert_at_once_and_says_so() -> None:
    life = Life(ONE, SKEWED, resolve=60).lives("ddd")
    life.lives("d", also=promoted(life, SKEWED))
    (_, ended) = life.messages()
    assert (ended["status"], ended["reason"]) == ("resolved", "baseline")
    assert ended["evidence"]["baseline"] == SKEWED.id
    assert ended["annotations"]["summary"].endswith(f"explained by baseline {SKEWED.id}")
    assert "not because the traffic is as it was" in ended["annotations"]["description"]
    SCHEMA.validate(ended)
    # The score is as far from this baseline as from the other: its alert goes on.
    assert life.told("score") == [(1, "firing", 1)]


def test_a_subject_that_is_not_judged_any_more_is_forgotten_if_nobody_knew() -> None:
    without_x = msgspec.structs.replace(ONE, number=2, series=ONE.series[1:])
    life = Life(ONE, without_x, pending=60).lives("d")
    life.lives("d", also=promoted(life, without_x))
    assert life.messages() == []
    assert set(life.evaluate.progress_of()["episodes"]) == {"psi|score"}
