"""How one model version's predictions are joined: its definition, and what its answers are on the wire.

A multiclass model is joined as k binary ones, one for each class: a prediction waits in k rows, and a label is
k labels, under hashes of their own (`id_hash.class_hashes`).
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline
from stream.baselines.classes import class_bins
from stream.baselines.grid import ScoreGrid
from stream.baselines.performance import class_definitions, performance_definition
from stream.records.outcome import PerformanceDefinition
from stream.records.settings import CountingSettings, OutcomeSettings


class Counted(Protocol):
    """A model of a plan, planned or in force."""

    @property
    def settings(self) -> CountingSettings:
        """What is counted where."""

    @property
    def window_ms(self) -> int:
        """How long its windows are."""


@dataclass(frozen=True, slots=True)
class Joining:
    """One model version of which predictions wait for labels."""

    definition: PerformanceDefinition
    sample: float  # share of the ids that are joined
    _grid: ScoreGrid | None  # None for a regression

    @classmethod
    def of(cls, baseline: Baseline, counted: Counted, outcomes: OutcomeSettings, partitions: int) -> Self | None:
        """None where there is nothing to compare a label with, or nowhere to send it."""
        if not partitions:
            return None
        definition = performance_definition(baseline, counted.settings, counted.window_ms, outcomes, partitions)
        if definition is None:
            return None
        return cls(definition, outcomes.sample, baseline.grid if definition.grid else None)

    def payload(self, answer: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
        """Finite answers, shape (rows,), as they travel: the grid bin of a score, a regression's float32 bits."""
        if self._grid is None:
            return answer.astype(np.float32).view(np.uint32)
        return self._grid.index(answer).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class ClassJoining:
    """One version of a multiclass model of which predictions wait for labels."""

    definitions: tuple[PerformanceDefinition, ...]  # of the classes, in the baseline's order
    sample: float  # share of the ids that are joined: all classes of an id or none
    _grids: tuple[ScoreGrid, ...]

    @classmethod
    def of(cls, baseline: Baseline, counted: Counted, outcomes: OutcomeSettings, partitions: int) -> Self | None:
        """None where there are no classes, or nowhere to send them."""
        if not (partitions and baseline.by_class):
            return None
        definitions = class_definitions(baseline, counted.settings, counted.window_ms, outcomes, partitions)
        return cls(definitions, outcomes.sample, tuple(one.grid for one in baseline.by_class))

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(definition.category for definition in self.definitions)

    def payload(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
        """Finite scores, shape (rows, classes), as they travel: see `class_bins`."""
        return class_bins(self._grids, scores).astype(np.uint32)


def joining_of(
    baseline: Baseline, counted: Counted, outcomes: OutcomeSettings | None, partitions: int
) -> Joining | ClassJoining | None:
    """How a model version's predictions wait; None where they do not."""
    if outcomes is None:
        return None
    one = Joining.of(baseline, counted, outcomes, partitions)
    return one or ClassJoining.of(baseline, counted, outcomes, partitions)
