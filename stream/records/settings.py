"""The settings of one model that decide what is counted where."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from stream.config import ModelConfig


class SegmentSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which values of one key have a segment of their own; exactly one of the two is given."""

    values: tuple[str, ...] = ()  # these
    top: int = 0  # so many of the most frequent ones in the baseline


class CountingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one model that affect counting."""

    pane_ms: int
    allowed_lateness_ms: int
    max_clock_skew_ms: int
    fields: dict[str, str] = {}  # foreign shapes: our field -> path in the message
    constants: dict[str, str] = {}
    latency_sla_ms: int | None = None  # None: latencies are not counted
    segments: dict[str, SegmentSettings] = {}  # by key: the parts of the traffic that are counted beside the whole
    errors: bool = False  # whether answers that failed are counted
    hard_limit_ms: int | None = None  # answers that took longer are told one by one; None: none is
    max_per_pane: int = 0  # so many of a partition's pane at most

    def identity(self) -> bytes:
        """Equal for equal settings. What is off leaves no trace: to know of a new check must change no definition.

        >>> CountingSettings(pane_ms=1, allowed_lateness_ms=2, max_clock_skew_ms=3).identity()
        b'{"pane_ms":1,"allowed_lateness_ms":2,"max_clock_skew_ms":3,"fields":{},"constants":{}}'
        """
        named = msgspec.to_builtins(self, order="deterministic")
        if self.latency_sla_ms is None:
            del named["latency_sla_ms"]
        if not self.segments:
            del named["segments"]
        if not self.errors:
            del named["errors"]
        if self.hard_limit_ms is None:
            del named["hard_limit_ms"], named["max_per_pane"]
        return msgspec.json.encode(named)


class OutcomeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one model that decide how its predictions wait for their labels."""

    ttl_ms: int  # a label later than this after its prediction does not count
    early_ms: int  # how long before its prediction a label may lie
    revision_ms: int  # without `dedupe`: how long a labelled prediction is kept, so that its label may be corrected
    cohort_ms: int  # the panes by prediction time
    sample: float  # share of the ids that are joined, in (0, 1], chosen by hash
    dedupe: bool  # a prediction that comes again within `ttl_ms` counts once
    max_waiting: int  # predictions that wait for a label, over all partitions


def segment_settings(model: "ModelConfig") -> dict[str, SegmentSettings]:
    """As the configuration has them, by key; keys by name, so that equal settings are equal bytes.

    >>> from stream.config import Config
    >>> config = Config.model_validate({"models": {"fraud": {"segments": {"plan": {"top": 3}}}}})
    >>> segment_settings(config.model("fraud"))
    {'plan': SegmentSettings(values=(), top=3)}
    """
    return {key: SegmentSettings(values=one.values, top=one.top) for key, one in sorted(model.segments.items())}


def outcome_settings(model: "ModelConfig") -> OutcomeSettings | None:
    """As the configuration has them; None where labels are off.

    >>> from stream.config import Config
    >>> outcome_settings(Config().model("fraud")).ttl_ms
    2592000000
    """
    labels = model.labels
    if labels is None:
        return None
    return OutcomeSettings(
        ttl_ms=labels.ttl,
        early_ms=labels.early,
        revision_ms=labels.revision,
        cohort_ms=model.cohort_ms,
        sample=labels.sample,
        dedupe=labels.dedupe,
        max_waiting=labels.max_waiting,
    )
