"""A definition: a baseline and every setting that decides what is counted where.

Two definitions with one id count the same rows into the same counters, whoever counts. So the
id is part of every register's key, and a change of any of it begins new registers.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final
from weakref import WeakValueDictionary

from stream.baselines.baseline import Baseline
from stream.baselines.layout import LAYOUT_VERSION, Layout
from stream.baselines.segmentation import Segmentation
from stream.records.prediction import ModelKey, Schema
from stream.records.settings import CountingSettings


@dataclass(frozen=True)
class Definition:
    """What one model version is counted with."""

    baseline: Baseline
    settings: CountingSettings

    @property
    def key(self) -> ModelKey:
        """The model and version that it counts."""
        return self.baseline.key

    @cached_property
    def id(self) -> str:
        """16 hex digits of SHA-256 over the baseline's entry, the settings and how counters are laid out."""
        digest = hashlib.sha256(self.baseline.to_bytes())
        digest.update(self.settings.identity())
        digest.update(LAYOUT_VERSION)
        return digest.hexdigest()[:16]

    @cached_property
    def layout(self) -> Layout:
        """Where its counters lie."""
        return self._layout(judges=True)

    def layout_of(self, segment: str) -> Layout:
        """The same counters, compared with what is normal in a segment; without a verdict where that is not known."""
        return self._of_segment[segment] if segment else self.layout

    @cached_property
    def _of_segment(self) -> dict[str, Layout]:
        known = self.segmentation.baseline_counts(self.baseline, self.layout.baseline_coarse)
        unknown = self._layout(judges=False)
        own = {name: replace(self.layout, compared_with=counts) for name, counts in known.items()}
        return {name: own.get(name, unknown) for name in self.segmentation.names}

    def _layout(self, *, judges: bool) -> Layout:
        settings = self.settings
        return Layout(
            self.baseline,
            settings.latency_sla_ms,
            judges=judges,
            errors=settings.errors,
            hard_limit_ms=settings.hard_limit_ms,
        )

    @cached_property
    def segmentation(self) -> Segmentation:
        """Which parts of the traffic are counted beside the whole."""
        return Segmentation.of(self.baseline, self.settings.segments)

    @cached_property
    def schema(self) -> Schema:
        """What decoding must know."""
        return replace(self.layout.schema, segments=self.segmentation.fields)


_SHARED: Final[WeakValueDictionary[tuple[int, bytes], Definition]] = WeakValueDictionary()


def shared_definition(baseline: Baseline, settings: CountingSettings) -> Definition:
    """The process' one copy of a definition: its id and layout cost megabytes and are wanted in every partition."""
    key = (id(baseline), settings.identity())
    held = _SHARED.get(key)
    if held is None:  # a definition keeps its baseline alive, so no other can have the same id()
        held = _SHARED[key] = Definition(baseline, settings)
    return held
