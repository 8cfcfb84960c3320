"""What a worker's log says of a baseline that the configuration does not go together with."""

import logging
from collections.abc import Callable

from stream.baselines.baseline import Baseline
from stream.baselines.configured import other_task, unknown_features
from stream.config import Config

log = logging.getLogger("driftline.registry")


def contradictions(config: Config) -> Callable[[Baseline], None]:
    """Warns of another task, and of features that are configured and in no series: both would do nothing in silence."""

    def look_at(baseline: Baseline) -> None:
        model = config.model(baseline.model)
        if other_task(model, baseline):
            told = {"baseline": baseline.id, "configured": model.task, "found": baseline.task}
            log.warning("the baseline has another task than the configuration, which is not used", extra=told)
        if unknown := unknown_features(model, baseline):
            log.warning("features are configured that the baseline has not", extra={"baseline": baseline.id, **unknown})

    return look_at
