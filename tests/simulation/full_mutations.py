"""Rules of segments, of silences and of learned models, each taken out: what the full simulation must notice."""

from typing import Any, Final

from stream.count.counter import CountFold
from stream.count.panes import Panes
from stream.durable.owner import Owner
from stream.evaluate import alert_moves
from stream.evaluate import fold as evaluate_fold
from stream.evaluate.course import Course
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.learning import LearnedBaselines
from tests.simulation.full_oracle import check_full
from tests.simulation.full_world import FullWorld
from tests.simulation.log import Faults
from tests.simulation.mutations import Mutation, Place


def whole_schedule(world: FullWorld) -> None:
    """Chaos, calm, verdict."""
    world.run()
    check_full(world)


def _without(rule: str, place: Place, function: str, pieces: dict[str, str], shape: dict[str, Any]) -> Mutation:
    return Mutation(rule, place, function, pieces, trial=whole_schedule, shape=shape, world=FullWorld)


CRASHES: Final[dict[str, Any]] = {
    "zombies": False, "retention": False, "kills": 12, "steps": 900, "events": 40, "min_snapshot_bytes": 0,
    "faults": Faults(),
}  # fmt: skip
TOLD: Final = CRASHES | {"learns": False, "requests": 10}
PARTS: Final = CRASHES | {"learns": False, "requests": 0, "segments": True}
LEARNED: Final = CRASHES | {"learns": True, "requests": 0, "segments": False, "idle": False}

FULL_MUTATIONS = (
    # -- what people say
    _without("what is silenced is not told", alert_moves, "_tell",
        {"if said is None or episodes[name].silence:": "if said is None:"}, TOLD),
    _without("what people say changes nothing of what was folded before", Owner, "_activate_due",
        {" if self.fold.next_offset >= self._proposals_from else None": ""}, TOLD),
    _without("what people have said lies in `@`", EvaluateFold, "restore",
        {"self._publisher.requests = state.requests": "pass"}, TOLD),
    # -- segments
    _without("a pane of count is of its segment again after a crash", Panes, "restore",
        {"key = PaneKey(*msgspec.msgpack.decode(register.key))":
            "key = PaneKey(*msgspec.msgpack.decode(register.key))._replace(segment='')"}, PARTS),
    _without("so is a pane of evaluate", evaluate_fold, "_restore_pane",
        {"candidate.panes_of(segment).by_start": "candidate.panes_of('').by_start"}, PARTS),
    _without("a pane of a segment that changed is in its running sum", Course, "pane_changed",
        {"if segment in self._sums:": "if segment in self._sums and not segment:"},
        PARTS | {"idle": True, "sources": 3}),
    # -- what is learned
    _without("samples are there before the watermark", CountFold, "outputs",
        {"p.after_others or bool(samples)": "p.after_others"}, LEARNED | {"faults": Faults(fail=0.05)}),
    _without("the rows that may be drawn lie in the changelog", EvaluateFold, "_restore_registers",
        {"self.learned.restore_rows(sampled)": "pass"}, LEARNED),
    _without("a baseline is made once every source has passed its span", LearnedBaselines, "advance",
        {"model.settle(newest_ms - model.progress.settings.allowed_lateness_ms)": "model.settle(newest_ms)"}, LEARNED),
)  # fmt: skip
