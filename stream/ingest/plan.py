"""What a worker wants to read and count with: every registered model with its newest baseline.

The sources of predictions and of labels each let a plan take effect by an activation in their
changelog, at an offset, so that what a message becomes is a function of the log and not of when
a worker heard of a baseline.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from stream.baselines.baseline import Baseline
from stream.errors import CallerError
from stream.ingest.settings import IngestSettings
from stream.records.settings import CountingSettings, OutcomeSettings

FindBaseline = Callable[[str], Baseline | None]


class PlannedModel(msgspec.Struct, frozen=True, array_like=True):
    """One model of a plan."""

    baseline_id: str
    settings: CountingSettings
    window_ms: int  # how long a predecessor is counted beside it, so that no window is blind
    outcomes: OutcomeSettings | None = None  # how its labels are waited for; None: they are not


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """From a worker's configuration and the registry. Its bytes are an activation."""

    ingest: IngestSettings
    models: list[PlannedModel]  # ascending by baseline id, so that equal plans are equal bytes


class Proposals:
    """What the owner of a source would let take effect; a plan that would change nothing is looked at once."""

    def __init__(self, wanted: Callable[[], Plan]) -> None:
        self._wanted = wanted
        self._considered: Plan | None = None  # the last plan that would have changed nothing

    def next(self, changes: Callable[[Plan], bool]) -> bytes | None:
        """The activation of what is wanted now; None if that changes nothing.

        Args:
            changes: whether activating a plan would change what is in force.
        """
        plan = self._wanted()
        if plan is self._considered:
            return None
        if changes(plan):
            return msgspec.msgpack.encode(plan)
        self._considered = plan
        return None

    def forget(self) -> None:
        """Something else is in force now: look again."""
        self._considered = None


class CountedWith(Protocol):
    """What names a baseline."""

    @property
    def baseline_id(self) -> str:
        """`model@version#number`."""


def not_read_yet(in_force: Iterable[CountedWith], activations: Sequence[bytes], find: FindBaseline) -> str | None:
    """The first baseline that is in force, or would be by one of the activations, and has not been read."""
    plans = [msgspec.msgpack.decode(payload, type=Plan) for payload in activations]
    named = [one.baseline_id for one in in_force] + [one.baseline_id for plan in plans for one in plan.models]
    return next((baseline_id for baseline_id in named if find(baseline_id) is None), None)


def baseline_in_use(baseline_id: str, find: FindBaseline) -> Baseline:
    """A baseline that something is counted with.

    Raises:
        CallerError: the registry has lost it.
    """
    baseline = find(baseline_id)
    if baseline is None:
        raise CallerError(f"baseline {baseline_id} is in use but no longer in the baselines topic; restore the topic")
    return baseline


def number_of(baseline_id: str) -> int:
    """Which of its model version's baselines it is.

    >>> number_of("fraud@3#12")
    12
    """
    return int(baseline_id.rpartition("#")[2])
