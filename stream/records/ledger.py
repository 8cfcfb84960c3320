"""The ledger of a predictions partition: what became of every prediction in it."""

import msgspec

from stream.records.prediction import ModelKey

ByModel = dict[str, dict[str, dict[str, int]]]


class Ledger(msgspec.Struct, kw_only=True):
    """`received = counted + late + ignored + learning + dead`, at every checkpoint.

    `lost` is apart: records that retention cut away before they were read were never received.
    """

    received: int = 0
    counted: int = 0  # in at least one pane
    late: int = 0  # its pane had closed
    ignored: int = 0  # of an unknown model under `ignore`, or older than the model's first whole pane
    dead: dict[str, int] = {}  # by rejection reason
    lost: int = 0
    unknown_classes: int = 0  # of those counted: labels of a multiclass model that name none of its classes
    over_sla: dict[str, dict[str, int]] = {}  # counted predictions that took longer than the SLA: model, version
    failed: dict[str, dict[str, int]] = {}  # counted predictions whose `status` is not ok: model, version
    over_hard_limit: dict[str, dict[str, int]] = {}  # counted predictions over latency's hard limit: model, version
    segment_other: ByModel = {}  # counted, in `other` of a key: model, version, key
    learning: int = 0  # of a model without a baseline, which is being learned: in no window

    def balance(self) -> int:
        """0, or rows have vanished."""
        return self.received - self.counted - self.late - self.ignored - self.learning - sum(self.dead.values())

    def add_over_sla(self, key: ModelKey, answers: int) -> None:
        """Count answers over the SLA; names in order: equal ledgers are equal bytes."""
        self.over_sla = _sum_of_models(self.over_sla, {key.model: {key.version: answers}})

    def add_failed(self, key: ModelKey, answers: int) -> None:
        """Count answers that failed, likewise."""
        self.failed = _sum_of_models(self.failed, {key.model: {key.version: answers}})

    def add_over_hard_limit(self, key: ModelKey, answers: int) -> None:
        """Count answers over the hard limit, told one by one or not, likewise."""
        self.over_hard_limit = _sum_of_models(self.over_hard_limit, {key.model: {key.version: answers}})

    def add_segment_other(self, key: ModelKey, segment_key: str, predictions: int) -> None:
        """Count predictions whose value has no segment of its own."""
        more = {key.model: {key.version: {segment_key: predictions}}}
        self.segment_other = _sum_of_segments(self.segment_other, more)

    def plus(self, other: "Ledger") -> "Ledger":
        """The ledger of two partitions together."""
        return Ledger(
            received=self.received + other.received,
            counted=self.counted + other.counted,
            late=self.late + other.late,
            ignored=self.ignored + other.ignored,
            learning=self.learning + other.learning,
            dead=_sum(self.dead, other.dead),
            lost=self.lost + other.lost,
            unknown_classes=self.unknown_classes + other.unknown_classes,
            over_sla=_sum_of_models(self.over_sla, other.over_sla),
            failed=_sum_of_models(self.failed, other.failed),
            over_hard_limit=_sum_of_models(self.over_hard_limit, other.over_hard_limit),
            segment_other=_sum_of_segments(self.segment_other, other.segment_other),
        )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted(one.keys() | other.keys())}


def _sum_of_models(one: dict[str, dict[str, int]], other: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {model: _sum(one.get(model, {}), other.get(model, {})) for model in sorted(one.keys() | other.keys())}


def _sum_of_segments(one: ByModel, other: ByModel) -> ByModel:
    return {
        model: _sum_of_models(one.get(model, {}), other.get(model, {})) for model in sorted(one.keys() | other.keys())
    }
