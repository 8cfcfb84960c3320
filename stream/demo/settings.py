"""What the demo runs with: its own settings, and the configuration that it writes for the service."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.demo.control import SCORE
from stream.demo.flights import CATEGORICAL, HOUR_MS, NUMERIC
from stream.demo.messages import MODEL
from stream.demo.replay import AS_FAST_AS_IT_GOES

SERIES: Final = (*NUMERIC, *CATEGORICAL, SCORE)
SHOWN: Final = ("distance", "dep_delay", "temp", SCORE)  # on the screen, a line a week
FALSE_ALARMS: Final = "1 per 30d"  # the default of the service
PLAIN_LIMIT: Final = 0.25  # PSI in nats: the rule of thumb that the budget is compared with
LIMITS: Final = {"warning": 0.1, "critical": 0.25}  # corrected PSI in nats, the defaults of the service
WINDOW_HOURS: Final = 24
WINDOW_MS: Final = WINDOW_HOURS * HOUR_MS
ALLOWED_LATENESS_MINUTES: Final = 30
PARTITIONS: Final = 4
LONGEST_QUIET_HOURS: Final = 10  # of a partition, at night: what a slowed replay must not take for its end
LEAST_IDLE_S: Final = 3
LONGEST_FLIGHT_HOURS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What the caller chose."""

    folder: Path  # gets everything that the demo leaves behind
    speed: float  # seconds of event time per second; AS_FAST_AS_IT_GOES for no pacing
    port: int | None  # of the embedded broker on 127.0.0.1; None: a free one

    @property
    def idle_s(self) -> int:
        """How long a partition must be silent to be idle, in wall time."""
        if self.speed == AS_FAST_AS_IT_GOES:
            return LEAST_IDLE_S
        return max(LEAST_IDLE_S, math.ceil(LONGEST_QUIET_HOURS * 3_600 / self.speed))


def config_text(settings: DemoSettings, bootstrap_servers: str) -> str:
    """The configuration of the service for this demo, as YAML."""
    return f"""\
# Written by `driftline demo`. A check that is `off` is reported, and never alerts.
kafka:
  bootstrap_servers: {bootstrap_servers}
app: driftline-demo
web:
  port: 0  # any free one
windows:
  pane: 1h
  length: {WINDOW_HOURS}h
  allowed_lateness: {ALLOWED_LATENESS_MINUTES}m
  idle: {settings.idle_s}s
labels:  # come when the plane lands, {LONGEST_FLIGHT_HOURS} hours later at most
  ttl: 2d
  revision: 1d
  cohort: 1d
alerts:
  group_above: off  # each series has a panel of its own in the picture, so each has its own alert
models:
  {MODEL}:
    false_alarms: {FALSE_ALARMS}  # over all its checks
    checks:
      psi:
        warning: {LIMITS["warning"]}
        critical: {LIMITS["critical"]}
        min_count: 200
"""
