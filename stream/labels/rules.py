"""Which models' labels a partition takes, and how: what is in force at an offset."""

from collections.abc import Mapping

from stream.ingest.labels import LabelDecoder, LabelRule
from stream.ingest.plan import FindBaseline, Plan, PlannedModel, baseline_in_use, number_of
from stream.ingest.settings import IngestSettings
from stream.outcomes.joining import ClassJoining, Joining, joining_of
from stream.records.prediction import ModelKey


class LabelRules:
    """The models in force, each with its newest baseline."""

    def __init__(
        self, ingest: IngestSettings, models: list[PlannedModel], find: FindBaseline, *, partitions: int
    ) -> None:
        self.ingest = ingest
        self._find = find
        self._partitions = partitions
        self._set({baseline_in_use(m.baseline_id, find).key: m for m in models})

    def _set(self, models: Mapping[ModelKey, PlannedModel]) -> None:
        self._models = dict(models)
        found = {
            key: joining
            for key, m in self._models.items()
            if (joining := joining_of(baseline_in_use(m.baseline_id, self._find), m, m.outcomes, self._partitions))
        }
        self.joining = {key: joining for key, joining in found.items() if isinstance(joining, Joining)}
        self.sample = {key.model: joining.sample for key, joining in found.items()}
        self.early_ms = max((m.outcomes.early_ms for m in self._models.values() if m.outcomes), default=0)
        self.lateness_ms = max((m.settings.allowed_lateness_ms for m in self._models.values()), default=0)
        self.classes = _classes_of(found)
        rules = {key.model: LabelRule(joining.definition.task) for key, joining in self.joining.items()}
        rules |= {name: LabelRule("multiclass", classes) for name, classes in self.classes.items()}
        self.decoder = LabelDecoder(rules, self.ingest)

    @property
    def models(self) -> list[PlannedModel]:
        """As they lie in `@`."""
        return [m for _, m in sorted(self._models.items())]

    def wants(self, plan: Plan) -> bool:
        """Whether activating the plan would change anything."""
        return plan.ingest != self.ingest or any(self._is_new(m) for m in plan.models)

    def activate(self, plan: Plan) -> None:
        """Take labels by the plan from here on."""
        self.ingest = plan.ingest
        new = {baseline_in_use(m.baseline_id, self._find).key: m for m in plan.models if self._is_new(m)}
        self._set(self._models | new)

    def _is_new(self, planned: PlannedModel) -> bool:
        held = self._models.get(baseline_in_use(planned.baseline_id, self._find).key)
        # A worker that has read less of the registry does not turn time back.
        return held is None or (held != planned and number_of(planned.baseline_id) >= number_of(held.baseline_id))


def _classes_of(found: Mapping[ModelKey, Joining | ClassJoining]) -> dict[str, tuple[str, ...]]:
    """The classes of each multiclass model, sorted: of all its versions, since a label does not say whose it is."""
    classes: dict[str, set[str]] = {}
    for key, joining in found.items():
        if isinstance(joining, ClassJoining):
            classes.setdefault(key.model, set()).update(joining.classes)
    return {model: tuple(sorted(names)) for model, names in classes.items()}
