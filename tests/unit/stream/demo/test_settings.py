"""The configuration that the demo writes is one that the service takes."""

from pathlib import Path

import pytest

from stream.alerts.rules import BUDGET, budget_of
from stream.config import load_config
from stream.demo.replay import AS_FAST_AS_IT_GOES
from stream.demo.settings import FALSE_ALARMS, LIMITS, SERIES, DemoSettings, config_text

HOUR_MS = 3_600_000


def settings(speed: float = AS_FAST_AS_IT_GOES) -> DemoSettings:
    return DemoSettings(folder=Path("demo-output"), speed=speed, port=None)


def test_the_service_reads_what_the_demo_writes(tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    file.write_text(config_text(settings(), "127.0.0.1:4711"), encoding="utf-8")
    config = load_config(file, environment={})
    model = config.model("flight-delay")
    assert config.kafka.bootstrap_servers == "127.0.0.1:4711"
    assert (model.windows.pane, model.windows.length) == (HOUR_MS, 24 * HOUR_MS)
    assert model.checks == load_config(None, environment={}).model("any").checks  # the defaults
    assert str(budget_of(model.false_alarms).budget) == FALSE_ALARMS
    assert (model.rule, model.checks.psi.rule) == (BUDGET, None)
    for name in SERIES:
        limits = model.checks.psi.limits_of(name)
        assert limits is not None
        assert {"warning": limits.warning, "critical": limits.critical} == LIMITS


@pytest.mark.parametrize(("speed", "idle_s"), [(AS_FAST_AS_IT_GOES, 3), (1e9, 3), (3_600, 10), (60, 600)])
def test_a_slow_replay_does_not_take_a_quiet_night_for_an_idle_partition(speed: float, idle_s: int) -> None:
    assert settings(speed).idle_s == idle_s
