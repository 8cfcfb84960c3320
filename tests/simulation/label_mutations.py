"""Rules of the join and of what leads to it, each taken out: what the simulation with labels must notice."""

from typing import Any

from stream.count.counter import CountFold
from stream.durable.owner import Owner
from stream.evaluate.outcome_sources import OutcomeSources
from stream.evaluate.performance_panes import PerformancePanes
from stream.join.emission import Emission
from stream.join.fold import JoinFold
from stream.join.gate import Gates
from stream.join.matcher import Matcher
from stream.join.watermarks import Heard
from stream.outcomes.covering import Outbox
from tests.simulation.label_oracle import check_labels
from tests.simulation.label_world import LabelWorld
from tests.simulation.log import Faults
from tests.simulation.mutations import Mutation, Place


def whole_schedule(world: LabelWorld) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check_labels(world)


def _without(
    rule: str, place: Place, function: str, pieces: dict[str, str], shape: dict[str, Any] | None = None, **more: Any
) -> Mutation:
    return Mutation(rule, place, function, pieces, trial=whole_schedule, shape=shape or {}, world=LabelWorld, **more)


TAME = {"tame": True, "idle": False, "retention": False, "max_waiting": 10_000, "events": 14, "sample": 1.0}
LONG = TAME | {"step_ms": 5_000, "ttl_s": 6, "segment_rows": 1}
CRASHES = {"kills": 12, "steps": 900, "zombies": False, "min_snapshot_bytes": 0, "faults": Faults()}
ZOMBIES: dict[str, Any] = {"zombies": True, "retention": False, "steps": 900, "min_snapshot_bytes": 400}
ALONE = LONG | ZOMBIES | {"outcomes": 1, "sources": 1, "labels": 1, "events": 14, "steps": 1_500, "kills": 6}

LABEL_MUTATIONS = (
    # -- what meets what
    _without("a label that comes too late meets nobody", Matcher, "_take_labels",
        {"too_late = has_prediction & (delay_s > self.definitions.ttl_s[old.model])":
            "too_late = has_prediction & (delay_s < -self.early_s)"}, TAME | {"sources": 1}),
    _without("a label that waits is not too early for the prediction that comes", Matcher, "_meet_early",
        {"joined = old.time >= rows.time_s - self.early_s": "joined = old.time >= 0"}, TAME | {"step_ms": 500}),
    _without("the newest label is in force", Matcher, "_revise",
        {"newer = (since_s > 0) | ((since_s == 0) & (rows.value > old.value))": "newer = since_s > -1_000"},
        TAME | {"labels": 2}),
    _without("a copy of a prediction does not wait", Matcher, "take_predictions",
        {"copy = of_prediction & (old.meta & INLINE == 0)": "copy = of_prediction & (old.meta < 0)",
         "rare = comes & (of_prediction |": "rare = comes & (early |"}, TAME),
    # -- two watermarks
    _without("waiting predictions go by both watermarks", JoinFold, "_take",
        {"self.waiting.advance(seconds(watermark_ms),": "self.waiting.advance(seconds(self.heard.predictions_ms),"},
        LONG),
    _without("early labels go by the predictions' watermark", Heard, "no_label_before_s",
        {"seconds(self.predictions_ms) - self.early_s": "seconds(self.labels_ms) - self.early_s"}, LONG),
    _without("a kind's watermark is the least of its sources", Heard, "_of_kind",
        {"return min(awake), False": "return max(awake), False"}, LONG | {"sources": 3, "labels": 2}),
    _without("sources that have not been heard are waited for", Heard, "_of_kind",
        {"if not mine or len(mine) < self.expected.get(kind, 0):": "if not mine:"},
        LONG | {"sources": 3, "labels": 2}),
    _without("silent sources hold nobody back", Heard, "_of_kind", {" if not s.idle]": "]"}, LONG | {"sources": 3}),
    _without("silent labels hold nobody back", Heard, "take", {"if silent else labels": "if False else labels"}, LONG),
    # -- the chain from a source
    _without("a record whose predecessor is missing is ignored", JoinFold, "_may_be_taken",
        {"if covering.begin > held.seen:": "if False:"}, TAME | {"rows_in_record": 1, "faults": Faults(fail=0.1)}),
    _without("of a record only rows that were not seen are taken", JoinFold, "_take_rows",
        {"new = rows.offset >= held.seen": "new = rows.offset >= 0"}, TAME | ZOMBIES | {"dedupe": False}),
    _without("what is covered is part of `@`", Outbox, "restore",
        {"[] if progress is None else list(progress.covered)": "[]"}, TAME | CRASHES | {"outcomes": 2}),
    _without("rows, range and watermark of a record are one snapshot", Outbox, "outgoing",
        {"rows, definitions = _joined(self._rows)": "rows, definitions = _joined(self._rows[:1])"}, TAME),
    _without("the watermark of a record in pieces comes with the last", Outbox, "_chain",
        {"watermark_ms=said.watermark_ms if last else NO_TIME": "watermark_ms=said.watermark_ms"},
        LONG | {"rows_in_record": 1}),
    _without("what is told first arrives before what follows it", Outbox, "outgoing", {"after_others=n > 0": ""},
        TAME | {"rows_in_record": 1, "sources": 1, "outcomes": 1, "faults": Faults(fail=0.3)}),
    _without("what retention cuts before anything was told is covered", CountFold, "lost",
        {"self._outbox.begin_at(self.next_offset)": "pass"},
        {"retention": True, "zombies": False, "rows_in_record": 1, "steps": 900, "kills": 12,
         "faults": Faults(fail=0.05)}),
    # -- reading back
    _without("reading back begins where nothing earlier matters", JoinFold, "_take_rows",
        {"int(rows.time_s.max())": "int(rows.time_s.max()) - 25"}, LONG | CRASHES),
    _without("what `@` has counted is not counted while reading back", JoinFold, "restore",
        {"self._count_into(Ledger(), None)": "pass"}, TAME | CRASHES),
    _without("who reads back what is trimmed meanwhile begins anew", Owner, "_recover",
        {"newest.next_offset <= progress.next_offset": "newest.next_offset < 1_000_000"},
        ALONE),
    _without("the source is trimmed only behind what reading back needs", Owner, "checkpoint",
        {"needed = self.fold.needs_from() if isinstance(self.fold, ReadsBack) else 0":
            "needed = self.fold.next_offset if isinstance(self.fold, ReadsBack) else 0"}, TAME | CRASHES),
    _without("what `@` needs is known when it is encoded", Owner, "checkpoint",
        {"await self._trim_source(needed, base)":
            "await self._trim_source(self.fold.needs_from() if isinstance(self.fold, ReadsBack) else 0, base)"},
        LONG | CRASHES),
    _without("the source is trimmed after `@` is there", Owner, "checkpoint",
        {"await self._trim_source(needed, base)": "pass", "closing = encode_entry(progress)":
            "await self._trim_source(needed, base); closing = encode_entry(progress)"},
        LONG | CRASHES | {"faults": Faults(fail=0.05)}),
    _without("the source is kept while somebody's snapshot may make `@` unbelievable", Owner, "_trim_source",
        {"await newest_base(self._log, self._changelog) > base": "False"},
        LONG | ZOMBIES | {"outcomes": 1, "sources": 1}, first_seed=100),
    _without("what was refused is refused again", Gates, "refuses_from",
        {"return closed.from_row if closed.from_offset == offset else 0": "return None"},
        CRASHES | {"max_waiting": 2, "events": 14, "retention": False}),
    # -- what is told
    _without("what is told is a function of the outcomes before it", JoinFold, "_take",
        {"self.emission.take(watermark_ms, offset + 1)": "self.emission.take(watermark_ms, self.next_offset)"}, TAME),
    _without("what was told is part of `@`", JoinFold, "restore",
        {"self.emission.panes, self.emission.cohorts = state.panes_said, state.cohorts_said":
            "self.emission.cohorts = state.cohorts_said"}, TAME | CRASHES),
    _without("what a join tells is sent in its order", Emission, "_messages",
        {"follows = self.opening and (number > 0 or self.panes.next_offset > 0)": "follows = last and number > 0"},
        {"max_record_bytes": 60, "retention": False}),
    _without("the watermark of a join counts with the last message", OutcomeSources, "hear",
        {"if partial.last:": "if True:"}, TAME | {"max_record_bytes": 1}),
    _without("of a pane the part with the largest offset supersedes", PerformancePanes, "add",
        {"held is not None and held.part_offset >= part.next_offset": "held is not None"}, TAME),
)  # fmt: skip
