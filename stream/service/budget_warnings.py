"""Budgets that the tests of a model cannot meet: said once for each definition that a model is evaluated with.

The configuration is refused where one test alone could not meet its budget; how many tests there are follows from the
baseline, which comes later.
"""

import logging
from collections.abc import Iterable

from stream.config import Config
from stream.evaluate.course import Course
from stream.records.prediction import ModelKey

log = logging.getLogger("driftline.worker")


class BudgetWarnings:
    """Knows which definitions it has looked at."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen: dict[ModelKey, str] = {}  # the newest definition's id

    def look_at(self, courses: Iterable[Course]) -> None:
        """Warn of each budget that is written in the configuration and does not do for a definition that is new."""
        for course in courses:
            definition = next(reversed(course.candidates.values())).definition if course.candidates else None
            if definition is None or self._seen.get(definition.key) == definition.id:
                continue
            self._seen[definition.key] = definition.id
            key, parts = self._config.model(definition.key.model).budget_key, 1 + len(definition.segmentation.names)
            baseline, settings = definition.baseline, course.settings
            complaint = settings.budget_complaint(baseline, definition.settings.pane_ms, parts)
            if key is not None and complaint is not None:
                tests = sum(settings.tests(baseline, parts).values())
                told = {"model": str(definition.key), "tests": tests, "key": key, "reason": complaint}
                log.warning("the false-alarm budget cannot be met", extra=told)
