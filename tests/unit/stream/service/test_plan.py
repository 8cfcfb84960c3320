"""What a worker wants to count with: the configuration of each registered model, and its newest baseline."""

from typing import Any

from stream.config import Config
from stream.records.settings import CountingSettings
from stream.records.source import Message
from stream.service.registry_tail import RegistryTail
from stream.service.topology import plan_of
from tests.memory_log import MemoryLog
from tests.small_model import baseline


def counting_of(checks: dict[str, Any]) -> CountingSettings:
    tail = RegistryTail(MemoryLog(), [])
    tail.registry.add(Message(offset=0, key=baseline().id.encode(), value=baseline().to_bytes(), timestamp_ms=0))
    (planned,) = plan_of(Config.model_validate({"models": {"m": {"checks": checks}}}), tail).models
    return planned.settings


def test_only_what_is_checked_is_counted() -> None:
    plain, timed, errors = counting_of({}), counting_of({"latency": {"sla": "250ms"}}), counting_of({"errors": {}})
    assert (plain.latency_sla_ms, plain.errors) == (None, False)
    assert (timed.latency_sla_ms, timed.errors) == (250, False)
    assert (errors.latency_sla_ms, errors.errors) == (None, True)


def test_the_hard_limit_is_counted_with_how_many_are_told() -> None:
    timed = counting_of({"latency": {"sla": "250ms"}})
    limited = counting_of({"latency": {"sla": "250ms", "hard_limit": "2s", "max_per_pane": 3}})
    assert (timed.hard_limit_ms, timed.max_per_pane) == (None, 0)
    assert (limited.hard_limit_ms, limited.max_per_pane) == (2_000, 3)
    assert counting_of({"latency": {"sla": "250ms", "hard_limit": "2s"}}).max_per_pane == 10
