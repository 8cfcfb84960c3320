"""What a partition is counted with: the definitions in force, each from its own pane on.

An activation takes effect at an offset, and a definition only for panes that begin after the
newest event at that offset. So a pane is counted under a definition whole or not at all, and two
owners who heard of a baseline at different offsets count the same for every pane that both have.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.baselines.definition import Definition, shared_definition
from stream.count.panes import Times, pane_starts
from stream.ingest.decode import Decoder
from stream.ingest.plan import FindBaseline, Plan, PlannedModel, baseline_in_use, number_of
from stream.ingest.settings import IngestSettings
from stream.records.partial import NO_TIME, ActiveDefinition
from stream.records.prediction import ModelKey, Schema
from stream.records.settings import CountingSettings, OutcomeSettings

Rows = npt.NDArray[np.bool_]

MOST_OVER: Final = 2  # definitions of a model that are over and still announced


class ActiveModel(msgspec.Struct, frozen=True, array_like=True):
    """A definition in force, as it lies in `@`."""

    baseline_id: str
    settings: CountingSettings
    window_ms: int
    from_ms: int  # panes that begin earlier are not counted; NO_TIME: every pane is
    until_ms: int | None  # panes that begin at or after it are its successor's alone; None: it is the newest
    outcomes: OutcomeSettings | None = None


@dataclass(frozen=True)
class Active:
    """A definition in force, with what counting needs at hand."""

    model: ActiveModel
    definition: Definition

    @property
    def announced(self) -> ActiveDefinition:
        """As evaluate is told of it."""
        model = self.model
        return ActiveDefinition(model.baseline_id, model.settings, model.from_ms, model.until_ms)


class ActivePlan:
    """The definitions in force at one offset, and of each model the last ones before them, oldest first."""

    def __init__(self, ingest: IngestSettings, models: list[ActiveModel], find: FindBaseline) -> None:
        self._find = find
        self._set(ingest, [], [self._resolved(m) for m in models])

    def _set(self, ingest: IngestSettings, over: list[Active], active: list[Active]) -> None:
        self.ingest = ingest
        self.over = over  # no longer counted; evaluate must know to where they were
        self.active = active
        self.newest = {a.definition.key: a for a in active}  # decides what becomes of a row
        self.predecessors = {a.definition.key: a for a in active if a.model.until_ms is not None}
        # A predecessor's rows are judged as its successor's: one that is a dead letter counts in neither.
        with_ids = {key for key, a in self.newest.items() if a.model.outcomes and a.definition.baseline.answer}
        self.decoder = _decoder(self.newest, ingest, with_ids)
        self.predecessor_decoder = _decoder(self.predecessors, ingest, with_ids)

    @property
    def models(self) -> list[ActiveModel]:
        """As it lies in `@`."""
        return [a.model for a in (*self.over, *self.active)]

    def wants(self, plan: Plan) -> bool:
        """Whether activating the plan would change anything."""
        return plan.ingest != self.ingest or any(self._is_new(m) for m in plan.models)

    def activate(self, plan: Plan, *, newest_event_ms: int) -> None:
        """Let the plan take effect behind the newest event."""
        from_ms = NO_TIME if newest_event_ms == NO_TIME else newest_event_ms + 1
        active: dict[ModelKey, list[Active]] = {}
        for held in self.active:
            active.setdefault(held.definition.key, []).append(held)
        over = list(self.over)
        for planned in filter(self._is_new, plan.models):
            entered = self._entering(planned, from_ms)
            *older, latest = active.get(entered.definition.key, [None])
            if latest is not None and latest.definition.id == entered.definition.id:
                # Only how labels are waited for has changed: nothing is counted anew.
                waiting_otherwise = msgspec.structs.replace(latest.model, outcomes=planned.outcomes)
                active[entered.definition.key][-1] = self._resolved(waiting_otherwise)
                continue
            # One predecessor at most: of three baselines within one window the first is cut short.
            over += [_cut_short(a, newest_event_ms) for a in older if a is not None]
            over = [a for a in over if a.definition.id != entered.definition.id]
            before = [] if latest is None else [self._ending(latest, entered.model)]
            active[entered.definition.key] = [*before, entered]
        self._set(plan.ingest, _last_of_each_model(over), [a for of_model in active.values() for a in of_model])

    def retire(self, *, newest_event_ms: int) -> list[Active]:
        """Count no longer with predecessors whose last pane has closed, and return them."""
        over = [a for a in self.active if is_over(a.model, newest_event_ms)]
        if over:
            active = [a for a in self.active if not is_over(a.model, newest_event_ms)]
            self._set(self.ingest, _last_of_each_model([*self.over, *over]), active)
        return over

    def _entering(self, planned: PlannedModel, from_ms: int) -> Active:
        entered = self._resolved(
            ActiveModel(planned.baseline_id, planned.settings, planned.window_ms, from_ms, None, planned.outcomes)
        )
        still = self.predecessors.get(entered.definition.key)
        if still is not None and still.definition.id == entered.definition.id:
            # Taken back before it was over: it has been counted all along.
            return self._resolved(msgspec.structs.replace(entered.model, from_ms=still.model.from_ms))
        return entered

    def _ending(self, predecessor: Active, successor: ActiveModel) -> Active:
        begins = max(successor.from_ms, predecessor.model.from_ms)
        # Twice the window: partitions whose event times differ enter the successor at different times.
        until_ms = begins + 2 * max(successor.window_ms, predecessor.model.window_ms)
        return self._resolved(msgspec.structs.replace(predecessor.model, until_ms=until_ms))

    def _is_new(self, planned: PlannedModel) -> bool:
        held = self.newest.get(baseline_in_use(planned.baseline_id, self._find).key)
        if held is None:
            return True
        if number_of(planned.baseline_id) < held.definition.baseline.number:
            return False  # a worker that has read less of the registry does not turn time back
        wanted = (planned.baseline_id, planned.settings, planned.outcomes)
        return (held.model.baseline_id, held.model.settings, held.model.outcomes) != wanted

    def _resolved(self, model: ActiveModel) -> Active:
        baseline = baseline_in_use(model.baseline_id, self._find)
        return Active(model, shared_definition(baseline, model.settings))


def may_hold(model: ActiveModel, start_ms: int) -> bool:
    """Whether the definition counts panes that begin there."""
    return model.from_ms <= start_ms and (model.until_ms is None or start_ms < model.until_ms)


def sorted_out(model: ActiveModel, event_time_ms: Times, running_newest_ms: Times) -> tuple[Rows, Rows]:
    """Per row: does its pane belong to the definition, and had it closed when the row came?"""
    pane_ms = model.settings.pane_ms
    starts = pane_starts(event_time_ms, pane_ms=pane_ms)
    mine = starts >= model.from_ms
    watermark_ms = running_newest_ms - model.settings.allowed_lateness_ms
    if model.until_ms is not None:
        # Once its last pane has closed it is as if it had gone, wherever the batches are cut.
        mine &= (starts < model.until_ms) & (watermark_ms < model.until_ms + pane_ms)
    return mine, starts + pane_ms <= watermark_ms


def is_over(model: ActiveModel, newest_event_ms: int) -> bool:
    """Whether the last pane that a definition counts has closed."""
    if model.until_ms is None:
        return False
    last_end_ms = -(-model.until_ms // model.settings.pane_ms) * model.settings.pane_ms
    return newest_event_ms - model.settings.allowed_lateness_ms >= last_end_ms


def _cut_short(active: Active, newest_event_ms: int) -> Active:
    """The definition as it ends when the panes that are still open are dropped."""
    model = active.model
    first_open_ms = (newest_event_ms - model.settings.allowed_lateness_ms) // model.settings.pane_ms
    return replace(active, model=msgspec.structs.replace(model, until_ms=first_open_ms * model.settings.pane_ms))


def _last_of_each_model(over: list[Active]) -> list[Active]:
    """The last two of each model: what evaluate may still ask for."""
    by_key: dict[ModelKey, list[Active]] = {}
    for active in over:
        by_key.setdefault(active.definition.key, []).append(active)
    return [a for of_model in by_key.values() for a in of_model[-MOST_OVER:]]


def _decoder(active: Mapping[ModelKey, Active], ingest: IngestSettings, with_ids: Collection[ModelKey]) -> Decoder:
    in_order = sorted(active.items(), key=lambda item: item[0])
    schemas = tuple((key, replace(a.definition.schema, ids=key in with_ids)) for key, a in in_order)
    return _cached_decoder(schemas, msgspec.json.encode(ingest, order="sorted"))


@lru_cache(maxsize=64)
def _cached_decoder(schemas: tuple[tuple[ModelKey, Schema], ...], ingest: bytes) -> Decoder:
    # Building one generates classes, which takes milliseconds; every partition of a worker uses the same.
    return Decoder(dict(schemas), msgspec.json.decode(ingest, type=IngestSettings))
