"""A world with segments, with people who silence alerts and acknowledge them, and with models that are learned.

What people say lies in the compacted topic `silences`, which each process reads when it likes; so does `baselines`,
to which evaluate writes what it has learned. Which of the three there is, the seed decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from random import Random
from typing import Final, cast

import msgspec
import orjson

from detectors import Smoothing, Threshold
from stream.alerts.episode import AlertRules, Holds
from stream.alerts.error_rule import ErrorRule
from stream.alerts.rules import LatencyRule, Rules
from stream.alerts.silences import (
    NO_REQUESTS,
    Acknowledgement,
    Requests,
    Silence,
    acknowledgement_record,
    matcher_of,
    silence_record,
)
from stream.baselines.baseline import Baseline
from stream.baselines.by_segment import SegmentedBaseline, SegmentValue
from stream.baselines.layout import Layout
from stream.durable.log import Outgoing
from stream.evaluate.publisher import PublishedAlert
from stream.evaluate.settings import ModelSettings
from stream.records.learning import LearningSettings
from stream.records.partial import pack_counts
from stream.records.settings import CountingSettings, SegmentSettings
from stream.records.source import Source
from tests.simulation.log import Faults
from tests.simulation.recorded import History
from tests.simulation.shape import Shape
from tests.simulation.traffic import (
    K1,
    LATENESS_MS,
    M1,
    M2,
    M3,
    PANE_MS,
    START_MS,
    WINDOW_MS,
    Record,
    counting_of,
    input_log,
)
from tests.simulation.worker import SILENCES
from tests.simulation.world import INGEST, NAMES, World

SETTINGS: Final = ModelSettings(
    window_ms=WINDOW_MS,
    smoothing=Smoothing(),
    psi=Rules(default=Threshold(warning=0.3, critical=1.0, min_count=3)),
    latency=LatencyRule(min_count=2, level=0.4),
    errors=ErrorRule(warning=0.3, critical=0.6, min_count=2, level=0.4),
    quality=NAMES,
    alerts=AlertRules(holds=Holds(resolve_ms=2 * PANE_MS, cooldown_ms=PANE_MS), group_above=2),
)
BASELINES: Final = Source("baselines", 0)
SHARES: Final = {"m": 0.5, "k": 0.1, "u": 0.4}  # nobody ever registers a baseline of `u`
SEGMENTS: Final = {"c": SegmentSettings(top=1), "region": SegmentSettings(values=("eu", "us"))}
LEARNING: Final = LearningSettings(
    pane_ms=PANE_MS, allowed_lateness_ms=LATENESS_MS, span_ms=PANE_MS, rows=4, models=3, features=10
)
ABOUT: Final = (
    ("model=m",),
    ("subject=x",),
    ("check=psi", "segment!=*"),
    ("segment=region=*",),
    ("severity=critical",),
    ("model!=m",),
    ("alertname=Driftline*",),
    (),
)


@dataclass(frozen=True, kw_only=True)
class FullShape(Shape):
    """What kind of full world a seed makes."""

    segments: bool
    requests: int  # what people say, at most
    learns: bool

    @classmethod
    def of(cls, random: Random) -> "FullShape":
        """A world of any kind."""
        base = Shape.of(random)
        taken = {field.name: getattr(base, field.name) for field in fields(base)}
        taken["events"] = random.choice((10, 20, 36))
        if random.random() < 0.4:  # nobody is behind: then what has been said is said again, whatever people say
            orderly = replace(base.faults, land_late=0.0, low_end=0.0)
            taken |= {"zombies": False, "retention": False, "faults": orderly}
        return cls(
            segments=random.random() < 0.6,
            requests=random.choice((0, 4, 10)),
            learns=random.random() < 0.6,
            **taken,
        )


def _with_segments(baseline: Baseline) -> Baseline:
    """It knows what is normal in two regions, and where c is a."""
    coarse = Layout(baseline).baseline_coarse

    def known(value: str, share: float) -> SegmentValue:
        return SegmentValue(value=value, rows=int(500 * share), packed=pack_counts((coarse * share).astype(int)))

    regions = SegmentedBaseline(key="region", values=(known("eu", 0.4), known("us", 0.3)), rows_beyond=0)
    c = SegmentedBaseline(key="c", values=(known("a", 0.5),), rows_beyond=0)
    return msgspec.structs.replace(baseline, segments=(regions, c))


OF_M: Final = tuple(map(_with_segments, (M1, M2, M3)))


class FullWorld(World):
    """Everything that one seed makes, with all three."""

    shape: FullShape

    def _shape(self) -> FullShape:
        return FullShape.of(self.random)

    def _begin(self) -> None:
        shape = self.shape
        if shape.learns:
            self.ingest = msgspec.structs.replace(INGEST, unknown_models="learn", learning=LEARNING)
        self.inputs = {
            source: input_log(self.random, self.random.randint(1, shape.events), markers=shape.markers, shares=SHARES)
            for source in self.sources
        }
        self.baselines = [*OF_M[: 1 + shape.promotions], *([K1] if self.random.random() < 0.4 else [])]
        self.registered = self.baselines[: self.random.random() < 0.7]
        self.always_one_baseline = len(self.baselines) == len(self.registered) and not shape.learns
        self._silenced: list[Silence] = []
        self._said = 0
        self._read = 0  # of `baselines`
        self._has_more = True  # half of the input comes when it may have been learned from the other half

    def input_of(self, source: Source) -> Sequence[Record]:
        """What comes, or has come, in an input."""
        records = self.inputs[source]
        return records[: len(records) // 2] if self._has_more else records

    def counting_of(self, baseline: Baseline) -> CountingSettings:
        """Of `m` segments are kept apart."""
        settings = counting_of(baseline)
        if not self.shape.segments or baseline.model != "m":
            return settings
        return msgspec.structs.replace(settings, segments=SEGMENTS)

    @property
    def activations_last(self) -> bool:
        """Whether all later ones say again what an evaluate has said: nobody takes what he has not seen whole."""
        return self.nobody_is_behind and not self.shape.faults.low_end

    def look_at(self, said: Sequence[Outgoing], told: Sequence[PublishedAlert], history: History) -> None:
        """No message is about a window at which a silence that is in force matches."""
        requests = msgspec.msgpack.decode(cast(bytes, history[-1][2]), type=Requests) if history else NO_REQUESTS
        alerts = [orjson.loads(one.value or b"") for one in said if one.to.topic == "alerts"]
        of_windows = [alert for alert in alerts if alert["labels"]["alertname"] != "DriftlineInputLost"]
        for alert, published in zip(of_windows, told, strict=True):
            labels, end_ms = alert["labels"] | {"severity": alert["severity"]}, published.window_end_ms
            over = [s for s in requests.silences if s.starts_at_ms <= end_ms < s.ends_at_ms and _fits(s, labels)]
            assert not over, f"told under a silence: {labels} at {end_ms}, {over}"

    def settings_of(self, model: str) -> ModelSettings:
        """How windows are judged: with many alerts, that come and go."""
        return SETTINGS

    def run(self) -> None:
        """Chaos; everybody gets to the end of what there is; chaos with the rest; calm."""
        with self.limits():
            for _ in range(self.shape.steps // 2):
                self._choose()
            self._breathe()
            for _ in range(self.shape.steps // 2):
                self._choose()
            self._calm()

    def _breathe(self) -> None:
        self.say("-- a breath")
        faults, self.cluster.faults, self.calm = self.cluster.faults, Faults(), True
        self._wake()
        for worker in self.workers:
            worker.seen = len(self.registered)
        for topic in self.stages:
            self._settle(topic)
            for source in topic:
                self.holder_of[source].begin("checkpoint")
            self._settle(topic)
        self.cluster.faults, self.calm, self._has_more = faults, False, False

    # -- what people say

    def _acts(self) -> tuple[tuple[float, Callable[[], None]], ...]:
        produce, _, *others = super()._acts()
        return (produce, (0.10, self._timer), (0.11, self._speak), (0.12, self._hear), *others)

    def _speak(self) -> None:
        if self._said >= self.shape.requests:
            return
        self._said += 1
        key, value = self._request()
        partition = self.cluster.partition(SILENCES)
        if self.random.random() < 0.5:  # compaction: of each key the newest record stays
            partition.entries[:] = [None if m is not None and m.key == key else m for m in partition.entries]
        partition.append(Outgoing(to=SILENCES, key=key, value=value))
        self.say(f"silences has {value!r}")

    def _request(self) -> tuple[bytes, bytes]:
        random = self.random
        alerts = sorted({m.key for m in self.cluster.records(Source("alerts", 0)) if m.key is not None})
        if random.random() < 0.1:
            return b"somebody", b'{"schema": "driftline.silence/1", "id":'
        if alerts and random.random() < 0.3:
            ack = Acknowledgement(random.choice(alerts).decode(), random.choice(("ann", "bob")), START_MS, "")
            return ack.alert.encode(), orjson.dumps(acknowledgement_record(ack))
        if self._silenced and random.random() < 0.4:  # it ends sooner, or later
            before = random.choice(self._silenced)
            ends_at_ms = before.starts_at_ms + random.randint(0, 2 * (before.ends_at_ms - before.starts_at_ms))
            silence = msgspec.structs.replace(before, ends_at_ms=ends_at_ms)
        else:
            starts_at_ms = START_MS + random.randint(-1_000, 8_000)
            matchers = tuple(map(matcher_of, random.choice(ABOUT)))
            ends_at_ms = starts_at_ms + random.choice((1_000, 3_000, 60_000))
            silence = Silence(f"s{self._said}", matchers, starts_at_ms, ends_at_ms, "ann", "")
            self._silenced.append(silence)
        return silence.id.encode(), orjson.dumps(silence_record(silence))

    def _hear(self) -> None:
        if self.workers:
            worker = self.random.choice(self.workers)
            worker.hear()
            self.say(f"{worker.name} has read silences")

    # -- what evaluate learns

    def go_on(self) -> bool:
        """As ever; a baseline that has landed is in the registry."""
        went_on = super().go_on()
        for message in self.cluster.partition(BASELINES).kept(self._read, self._read + 1):
            self._read = message.offset + 1
            learned = Baseline.from_bytes(message.value or b"")
            if learned.id not in {b.id for b in self.registered}:
                self.baselines.append(learned)
                self.registered.append(learned)
        return went_on


def _fits(silence: Silence, labels: Mapping[str, str]) -> bool:
    return all(fnmatchcase(labels[m.label], m.pattern) is not m.differs for m in silence.matchers)
