"""What a worker warns of when it reads a baseline that the configuration does not go together with."""

import logging
from typing import Any

import msgspec
import pytest

from stream.baselines.baseline import Baseline
from stream.config import Config
from stream.records.source import Source
from stream.service.contradictions import contradictions
from stream.service.registry_tail import RegistryTail
from tests.small_model import baseline
from tests.unit.stream.baselines.memory_log import MemoryLog

SOURCE = Source("baselines", 0)


def configured(model: dict[str, Any]) -> Config:
    return Config.model_validate({"models": {"m": model}})


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ("baseline", "configured", "found", "psi", "quality")
            if hasattr(record, name)}  # fmt: skip


async def warned(caplog: pytest.LogCaptureFixture, config: Config, *entries: Baseline) -> list[dict[str, Any]]:
    """The fields of each warning of a worker that reads these entries."""
    log = MemoryLog()
    for one in entries:
        log.put(SOURCE, one.to_bytes(), key=one.id.encode())
    tail = RegistryTail(log, [SOURCE], contradictions(config))
    with caplog.at_level(logging.INFO, "driftline.registry"):
        await tail.catch_up()
        await tail.catch_up()
    assert [r.getMessage() for r in caplog.records].count("baseline read") == len(entries)
    return [fields(record) for record in caplog.records if record.levelno == logging.WARNING]


async def test_another_task_than_the_configured_one_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    found = await warned(caplog, configured({"task": "regression"}), baseline())
    assert found == [{"baseline": "m@0#1", "configured": "regression", "found": "binary"}]


async def test_configured_features_that_no_series_has_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    checks = {
        "psi": {"features": {"typo_feature": {"critical": 0.9}, "x": "off", "score": "off"}},
        "quality": {"features": {"c": "off", "d": "off", "b": "off"}},
    }
    found = await warned(caplog, configured({"checks": checks}), baseline())
    assert found == [{"baseline": "m@0#1", "psi": ["typo_feature"], "quality": ["b", "d"]}]


async def test_of_several_baselines_only_the_one_in_force_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    of_regression = msgspec.structs.replace(baseline(), task="regression")
    assert await warned(caplog, configured({"task": "binary"}), of_regression, baseline(2)) == []


@pytest.mark.parametrize("model", [{}, {"task": "binary"}, {"checks": {"psi": {"features": {"x": "off"}}}},
                                   {"checks": {"quality": "off"}}])  # fmt: skip
async def test_what_goes_together_is_read_without_a_warning(
    caplog: pytest.LogCaptureFixture, model: dict[str, Any]
) -> None:
    assert await warned(caplog, configured(model), baseline(), baseline(2)) == []
