"""What a configuration needs in memory for the predictions that wait for their labels, or are remembered with them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from stream.config import Config, ModelConfig
from stream.config.durations import format_duration
from stream.records.settings import outcome_settings

ROW_BYTES: Final = 33  # the most that the join takes for a prediction, labelled or not: 20 a slot, 3 of 5 in use
REGRESSION_ROW_BYTES: Final = 47  # 28 a slot: the estimate and the label are numbers of their own
ANY_MODEL: Final = ""  # stands for the models that the configuration does not list

Rates = dict[str, float]  # predictions a second by model; ANY_MODEL: of each one that is not named


@dataclass(frozen=True, slots=True)
class WaitingMemory:
    """The predictions of one model that wait at a time, or are remembered so that a second copy counts once.

    The cap counts both. It is one for each model version, but at one time mostly one of them answers.
    """

    rate: float  # predictions a second
    waiting: int  # or remembered
    max_waiting: int
    row_bytes: int
    ttl_ms: int
    sample: float

    @property
    def held(self) -> int:
        """How many the cap lets in."""
        return min(self.waiting, self.max_waiting)

    @property
    def bytes(self) -> int:
        """In memory, over all workers."""
        return self.held * self.row_bytes

    @property
    def words(self) -> str:
        """One line; with what would do where the cap is too small."""
        of = f"{self.rate:g}/s x {format_duration(self.ttl_ms)}" + (f" x {self.sample:g}" if self.sample < 1 else "")
        said = f"{of} = {self.waiting:,} predictions, {megabytes(self.bytes)}"
        if self.waiting <= self.max_waiting:
            return said
        share = _rounded_down(self.sample * self.max_waiting / self.waiting)
        return (
            f"{of} = {self.waiting:,} predictions, but labels.max_waiting lets {self.max_waiting:,} be held "
            f"({megabytes(self.bytes)}) and the rest is refused; try labels.sample: {share:g}, a shorter labels.ttl, "
            f"or labels.max_waiting: {self.waiting}"
        )


def waiting_memory(model: ModelConfig, rate: float) -> WaitingMemory | None:
    """rate x ttl x sample; None for a model without labels.

    With `dedupe` a labelled prediction is remembered as long as one that waits; without it this is the most that
    can be, when no label ever comes.

    >>> found = waiting_memory(Config().model("fraud"), 3)
    >>> found.waiting, megabytes(found.bytes)
    (7776000, '257 MB')
    """
    outcomes = outcome_settings(model)
    if outcomes is None:
        return None
    return WaitingMemory(
        rate=rate,
        waiting=math.ceil(rate * outcomes.ttl_ms / 1_000 * outcomes.sample),
        max_waiting=outcomes.max_waiting,
        row_bytes=REGRESSION_ROW_BYTES if model.task == "regression" else ROW_BYTES,
        ttl_ms=outcomes.ttl_ms,
        sample=outcomes.sample,
    )


def memory_by_model(config: Config, rates: Rates) -> dict[str, WaitingMemory]:
    """Of each listed model that has a rate, and of any other one under ANY_MODEL where none is listed."""
    names = [*config.models, *(name for name in rates if name not in config.models and name != ANY_MODEL)]
    found: dict[str, WaitingMemory] = {}
    for name in names or [ANY_MODEL]:
        rate = rates.get(name, rates.get(ANY_MODEL))
        memory = None if rate is None else waiting_memory(config.model(name), rate)
        if memory is not None:
            found[name] = memory
    return found


def read_rates(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> Rates:
    """`50` is the rate of every model, `fraud=200` that of one."""
    rates: Rates = {}
    for value in values:
        name, _, number = value.rpartition("=")
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE]\+?[0-9]+)?", number) or not 0 < float(number) < math.inf:
            raise click.BadParameter(f"{value!r} is no rate; give predictions a second, such as 50 or fraud=200")
        rates[name] = float(number)
    return rates


def megabytes(size: int) -> str:
    """Of a million bytes.

    >>> megabytes(330_000_000), megabytes(3_300_000_000), megabytes(10)
    ('330 MB', '3.3 GB', '<1 MB')
    """
    if size < 1_000_000:
        return "<1 MB"
    return f"{size / 1e6:.0f} MB" if size < 1_000_000_000 else f"{size / 1e9:.1f} GB"


def _rounded_down(share: float) -> float:
    """To two digits, so that what is suggested fits."""
    digits = 1 - math.floor(math.log10(share))
    scale: float = 10.0**digits
    return math.floor(share * scale) / scale
