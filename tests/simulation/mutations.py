"""Rules of the fold, each taken out: what the simulation must notice.

A mutation replaces a piece of one function's source text. If the piece is no longer there, the
mutation fails loudly: then the code has changed and the mutation must follow it.
"""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from stream.count import counter, plan
from stream.count.counter import CountFold
from stream.count.panes import Panes
from stream.count.plan import ActivePlan
from stream.count.slow_answers import SlowAnswers
from stream.durable import changelog, owner
from stream.durable.owner import Owner
from stream.evaluate.candidate import Candidate, RunningSum
from stream.evaluate.course import Course
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.live_numbers import LiveNumbers
from stream.evaluate.panes import PaneSum
from stream.evaluate.sources import Sources
from stream.ingest import envelope, feature_looks, two_routes
from stream.ingest.two_routes import TwoRoutes
from tests.simulation.log import Client, Faults
from tests.simulation.oracle import check
from tests.simulation.recreated import what_becomes_of_a_recreated_input
from tests.simulation.world import World

Place = ModuleType | type
Trial = Callable[[Any], None]


def whole_schedule(world: World) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check(world)


@dataclass(frozen=True)
class Mutation:
    """One rule that is taken out."""

    rule: str  # in words: what holds no longer
    place: Place
    function: str
    pieces: dict[str, str]  # of its source text: what to put there instead
    trial: Trial = whole_schedule
    shape: dict[str, Any] = field(default_factory=dict)  # of the worlds in which it shows soon
    world: Callable[..., World] = World  # in which it must show
    first_seed: int = 0  # where it takes many
    also_in: tuple[ModuleType, ...] = ()  # modules that have imported the function by name

    def apply(self, patch: pytest.MonkeyPatch) -> None:
        """Take the rule out, until `patch` is undone."""
        held: Any = inspect.getattr_static(self.place, self.function)
        original: Any = held.fget if isinstance(held, property) else inspect.unwrap(getattr(self.place, self.function))
        source = textwrap.dedent(inspect.getsource(original))
        for piece, instead in self.pieces.items():
            assert source.count(piece) == 1, f"{self.function} no longer has one {piece!r}: mend the mutation"
            source = source.replace(piece, instead)
        found: dict[str, Any] = {}
        exec(compile(source, f"<without: {self.rule}>", "exec"), original.__globals__, found)
        for place in (self.place, *self.also_in):
            patch.setattr(place, self.function, found[self.function])


SEND_2 = "await self._log.send(others + [Outgoing(to=self._changelog, value=d) for d in deltas])  # 2"
SEND_3 = "await self._log.send([Outgoing(to=self._changelog, value=closing)])  # 3"
DELTAS = "[Outgoing(to=self._changelog, value=d) for d in deltas]"
CLOSING = "[Outgoing(to=self._changelog, value=closing)]"
LIVE_OR_CHANGED = "registers = list(self.fold.live() if snapshot else self.fold.changed())"
TRIM = "await self._log.trim(self._changelog, base)"

ONE_AFTER_THE_OTHER = {
    "zombies": False, "retention": False, "kills": 12, "steps": 900, "min_snapshot_bytes": 0, "faults": Faults()
}  # fmt: skip

ZOMBIES = {"zombies": True, "retention": False, "partials": 1, "steps": 900}

MUTATIONS = (
    # -- the checkpoint
    Mutation("`@` waits for the outputs and registers", Owner, "checkpoint",
        {SEND_2: "pass", SEND_3: f"await self._log.send(others + {DELTAS} + {CLOSING})"}),
    Mutation("`@` comes after the registers", Owner, "checkpoint",
        {SEND_2: "", "closing = encode_entry(progress)":
            f"closing = encode_entry(progress); await self._log.send({CLOSING})",
         SEND_3: f"await self._log.send(others + {DELTAS})"}),
    Mutation("`@` comes after the outputs", Owner, "checkpoint",
        {SEND_2: f"await self._log.send({DELTAS})",
         SEND_3: f"await self._log.send({CLOSING}); await self._log.send(others)"}),
    Mutation("a failed send ends the process", Client, "send", {"if send.failed:": "if False:"}),
    Mutation("registers are encoded together with the outputs, before an await", Owner, "checkpoint",
        {LIVE_OR_CHANGED: f"await self._log.begin(self._changelog); {LIVE_OR_CHANGED}"}),
    Mutation("`@` is encoded together with the registers, before an await", Owner, "checkpoint",
        {"progress = self._progress(base)\n": "\n",
         "closing = encode_entry(progress)": "progress = self._progress(base); closing = encode_entry(progress)"}),
    Mutation("a snapshot has all live registers", Owner, "checkpoint",
        {LIVE_OR_CHANGED: "registers = list(self.fold.changed())"}),
    Mutation("a snapshot repeats the activations to come", Owner, "checkpoint",
        {"if snapshot:  # what": "if False:  # what"}, shape=ONE_AFTER_THE_OTHER),
    Mutation("trimming comes after `@`", Owner, "checkpoint",
        {TRIM: "pass", SEND_2: f"await self._log.trim(self._changelog, base if snapshot else 0); {SEND_2}"}),
    Mutation("what says that other outputs are there is sent after them", Owner, "checkpoint",
        {"if not o.after_others": "", "if o.after_others": "if False"},
        shape={"max_record_bytes": 1, "steps": 900, "faults": Faults(fail=0.2)}),
    Mutation("behind a gap a snapshot is made", Owner, "_snapshot_due", {"self._has_gap or ": ""},
        shape=ONE_AFTER_THE_OTHER | {"retention": True, "min_snapshot_bytes": 10_000}),
    # -- recovery
    Mutation("an `@` is believed with its base only", changelog, "_believed", {"p.base >= begin": "True"}),
    Mutation("of equal `@` and in general the largest is believed", changelog, "_believed",
        {"max(reversed(believable), key=lambda p: p.next_offset, default=None)": "next(iter(believable), None)"}),
    Mutation("registers beyond `@` are as if never written", changelog, "_as_of",
        {"register_offset <= next_offset and ": ""}),
    Mutation("of one register the largest next_offset supersedes", changelog, "_as_of",
        {"register_offset >= held.next_offset": "register_offset < held.next_offset"}),
    Mutation("the changelog is read again if it was trimmed meanwhile", changelog, "read_changelog",
        {"if await log.begin(changelog) <= base:": "if True:"}, also_in=(owner,),
        shape=ZOMBIES | {"sources": 1, "kills": 6, "min_snapshot_bytes": 0}),
    Mutation("a log is read to its true end, not to what `end()` says", Client, "read",
        {"partition.begin), partition.end": "partition.begin), await self.end(source)"}),
    Mutation("recovered activations take effect where they did", Owner, "_recover",
        {"self._scheduled = _first_of_each_payload(recovered.activations)": "self._scheduled = []"}),
    Mutation("panes that a zombie counted under another activation are dropped", CountFold, "restore",
        {"and may_hold(models[key.definition], key.start_ms)": ""}),
    Mutation("the fingerprint is compared", Owner, "_check_fingerprint", {"if found is not None:": "if False:"},
        trial=what_becomes_of_a_recreated_input),
    Mutation("a low end is no sign of another log", changelog, "sign_of_another_log",
        {"max(await log.end(source), await log.begin(source))": "await log.end(source)"},
        trial=what_becomes_of_a_recreated_input, also_in=(owner,)),
    # -- the chain
    Mutation("only an unbroken chain is folded", Owner, "_continues",
        {"return following is not None and following.offset == first >= self.fold.next_offset": "return True"}),
    Mutation("what was folded before is passed over", Owner, "offer",
        {"if batch.end <= self.fold.next_offset:": "if False:"}),
    Mutation("of a batch that overlaps, only the rest is folded", owner, "_from_offset",
        {"return batch if skip == 0 else": "return batch if True else"}),
    Mutation("what retention has cut is counted", Owner, "_count_what_retention_cut", {"if missing > 0:": "if False:"}),
    Mutation("a gap with nothing behind it is no silence", Owner, "at_end",
        {"if await self._log.begin(self.source) > self.fold.next_offset:": "if False:"}),
    # -- activations
    Mutation("an activation is durable before the first fold under it", Owner, "_activate_due",
        {"await self._log.send([Outgoing(to=self._changelog, value=written)])": "pass"}),
    Mutation("a definition counts only panes that begin after the newest event", ActivePlan, "activate",
        {"from_ms = NO_TIME if newest_event_ms == NO_TIME else newest_event_ms + 1": "from_ms = NO_TIME"}),
    Mutation("a batch is cut where an activation takes effect", owner, "_split", {"if at is None:": "if True:"},
        shape=ONE_AFTER_THE_OTHER),
    Mutation("a predecessor is counted on for two windows", plan, "is_over",
        {"if model.until_ms is None:\n        return False": "return model.until_ms is not None"}),
    # -- time
    Mutation("the watermark is a running maximum per row, not per batch", CountFold, "fold",
        {"newest = np.maximum.accumulate(np.maximum(decoded.time_ms, self.newest_event_ms))":
            "newest = np.full_like(decoded.time_ms, max([self.newest_event_ms, *decoded.time_ms]))"}),
    Mutation("rows of unknown models move the watermark", envelope, "time_of",
        {"if not isinstance(message, dict) or isinstance(model_key(message), Fault):": "if True:"},
        also_in=(two_routes,)),
    Mutation("a closed pane rejects late events", plan, "sorted_out",
        {"starts + pane_ms <= watermark_ms": "starts < 0"}, also_in=(counter,)),
    Mutation("late is judged by event time, not by how long ago something came", plan, "sorted_out",
        {"running_newest_ms - model": "running_newest_ms[-1:] - model"}, also_in=(counter,)),
    Mutation("an owner that is behind does not call its source idle", Owner, "at_end",
        {"if await self._log.first_at(self.source, position) is not None:": "if False:"}),
    # -- rows, and what is told of single ones
    Mutation("rows of the slow route are counted in log order", TwoRoutes, "read",
        {"found.rows.sort(key=itemgetter(0))": "pass"}),
    Mutation("how many of a pane were over the hard limit before is in its counters", SlowAnswers, "add",
        {"before = _counted(active, start_ms, panes)": "before = 0"}),
    Mutation("a slow answer that two definitions count is told once", CountFold, "_count_predecessors",
        {"mine & ~late & ~newer)": "mine & ~late)"}),
    Mutation("a late answer is not told", CountFold, "_count_newest",
        {"self._tell_slow(active, columns, decoded, counted)": "self._tell_slow(active, columns, decoded, mine)"}),
    Mutation("only answers that are counted have failed", CountFold, "_count_failed",
        {"counted & (columns.status == STATUS_FAILED)": "columns.status == STATUS_FAILED"}),
    # -- partials and evaluate
    Mutation("the watermark comes with the last chunk of a partial", CountFold, "_partial",
        {"newest_event_ms=self.newest_event_ms if last else NO_TIME": "newest_event_ms=self.newest_event_ms"}),
    Mutation("evaluate waits for sources that have said nothing", Sources, "newest_ms",
        {"if len(self.heard) < self.expected:": "if False:"}),
    Mutation("a zombie's word about being idle is out of date", Sources, "hear",
        {"if (partial.next_offset, partial.idle) >= (state.next_offset, state.idle):": "if True:"}),
    Mutation("who has not noticed the silence does not end it", Sources, "hear",
        {"(partial.next_offset, partial.idle) >= (state.next_offset, state.idle)":
            "partial.next_offset >= state.next_offset"}),
    Mutation("provisional counts are superseded by the closed pane's", PaneSum, "add",
        {"if source in self.final or (": "if source in self.final or held is not None or ("}),
    Mutation("a copy of a closed pane is not added twice", PaneSum, "add", {"if source in self.final or": "if"}),
    Mutation("a pane that changed after it was evaluated is revised", Course, "pane_changed",
        {"self._revise.setdefault(candidate.definition.id, set()).add(start_ms)": "pass"}),
    Mutation("panes of which a window is forgotten are not revised", Course, "revisable_from_ms",
        {"evaluated_to - self.window_ms(candidate)": "evaluated_to - 2 * self.window_ms(candidate)"},
        shape={"idle": True, "sources": 2, "events": 30, "steps": 900}),
    Mutation("complete is what every source counts", Course, "_is_everywhere",
        {"return len(candidate.from_ms) >= self._sources.expected": "return True"}),
    Mutation("complete is what no source has stopped to count", Candidate, "whole_to_ms",
        {"return min(ended, default=math.inf)": "return math.inf"}),
    Mutation("the spans of a definition come from a source's newest word", Sources, "is_newest_word",
        {"return whole and (partial.next_offset, partial.idle) >= (state.next_offset, state.idle)": "return whole"}),
    Mutation("a definition that comes again does not get its old panes", Course, "keeps",
        {" and next_offset > candidate.since": ""},
        shape=ZOMBIES | {"sources": 3, "promotions": 1, "kills": 3, "idle": False, "min_snapshot_bytes": 1_500}),
    Mutation("evaluate's state is as of `@`", EvaluateFold, "progress",
        {"course.note_definitions()": "pass"}),
    # -- names of features
    Mutation("rows are drawn by their offsets, however fetches are cut", feature_looks, "drawn",
        {"offsets.view(np.uint64)": "(place >> ELEMENT_BITS).view(np.uint64)"}),
    Mutation("names lie in the register of their pane", Panes, "restore",
        {"names or FeatureNames()": "FeatureNames()"}),
    Mutation("names lie in the register of their pane's sum", PaneSum, "from_bytes",
        {"held, next_offset, names": "held, next_offset"}),
    Mutation("names leave a window with their pane", RunningSum, "_remove",
        {"self.names.subtract(self._held_names.pop(pane_start))": "pass"}),
    Mutation("which names are usual lies in `@`", Course, "note_definitions", {"c.usual_names,": "None,"}),
    Mutation("how alike slow answers are lies in its register", LiveNumbers, "restore",
        {"self._relearn(state.learned)": "pass"},
        shape={"promotions": 0, "events": 60, "kills": 6, "steps": 900}),
)  # fmt: skip
