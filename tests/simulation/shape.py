"""What kind of world a seed makes."""

from dataclasses import dataclass
from random import Random

from tests.simulation.log import Faults


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What kind of world a seed makes."""

    sources: int
    partials: int
    promotions: int  # further baselines of the model, while it runs
    events: int
    markers: bool
    steps: int
    min_snapshot_bytes: int
    max_record_bytes: int  # of deltas and partials, before they are cut
    kills: int
    zombies: bool
    idle: bool  # also before the end
    retention: bool
    faults: Faults

    @classmethod
    def of(cls, random: Random) -> "Shape":
        """A world of any kind."""
        zombies = random.random() < 0.6
        retention = not zombies and random.random() < 0.3
        return cls(
            sources=random.choice((1, 2, 2, 3)),
            partials=random.choice((1, 1, 2)),
            promotions=random.choice((0, 1, 1, 2)),
            events=random.choice((8, 16, 30)),
            markers=random.random() < 0.4,
            steps=random.choice((150, 400, 900)),
            min_snapshot_bytes=random.choice((0, 400, 1_500)),
            max_record_bytes=random.choice((1, 60, 10_000)),
            kills=random.choice((0, 1, 3, 6)),
            zombies=zombies,
            idle=random.random() < 0.5,
            retention=retention,
            faults=Faults(
                fail=random.choice((0.0, 0.01)),
                repeat=random.choice((0.0, 0.0, 0.1)),
                low_end=0.0 if retention else random.choice((0.0, 0.3)),
                lose_batch=random.choice((0.0, 0.1)),
                land_late=0.0 if retention else random.choice((0.0, 0.7)),
            ),
        )
