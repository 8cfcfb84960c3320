"""How one model version's predictions are joined: its definition, and what its answers are on the wire."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline
from stream.baselines.grid import ScoreGrid
from stream.baselines.performance import performance_definition
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
