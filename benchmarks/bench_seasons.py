"""Traffic that changes through the day, every day alike: the whole baseline against the same hours of it.

episodes    per 30 simulated days in which nothing changed, with a 95 % interval: windows of 1 h, evaluated every five
            minutes, ten features of one budget ("1 per 30d"), effect 0.02
delay       median time from a shift of one feature by half a deviation, the way that the day moves it, until an alarm
            of it, and the share seen within 24 h; it begins at any hour

Each feature's mean moves by 0.8 deviations through the day, from feature to feature at other hours; so does the
number of rows. `clumped`: rows come by tens. `drifting`: besides, the means wander by 0.3 deviations over hours.
A month has its own seed, and a baseline of its own before it. Written after the method was fixed; nothing was tuned on
it.
"""

import argparse
import platform
import zlib
from collections.abc import Iterator

import numpy as np
from alarm_rules import episodes, interval
from healthy_traffic import BINS, Counts, Values, Wander, shares_of

from detectors.budget import FalseAlarmBudget
from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from detectors.season import SlotShares

FEATURES, WINDOW, SLOTS = 10, 12, 24  # a window of twelve panes of five minutes
PANES_AN_HOUR, PANES_A_DAY = 12, 288
EFFECT, SHIFT, SHIFTS = 0.02, 0.5, 20
KINDS = ("daily", "daily, clumped", "daily, drifting")
STARTS = np.arange(FEATURES, dtype=np.int64) * BINS
LEVEL = FalseAlarmBudget.parse("1 per 30d").level(1.0, 300_000, FEATURES)


def traffic(rng: np.random.Generator, kind: str, rows: int, days: int, shift: Values | float = 0.0) -> Counts:
    """Panes from midnight on, shape (panes, features * BINS); `shift`, shape (panes, features), moves the means."""
    panes = days * PANES_A_DAY
    phase = 2 * np.pi * (np.arange(panes)[:, None] / PANES_A_DAY + np.arange(FEATURES) / FEATURES)
    means = 0.8 * np.sin(phase) + shift
    if kind.endswith("drifting"):
        means += 0.3 * Wander(rng, FEATURES, 0.98).draw(panes)
    busy = 1 + 0.7 * np.sin(2 * np.pi * np.arange(panes) / PANES_A_DAY)
    clump = 10 if kind.endswith("clumped") else 1
    counts = rng.poisson(rows * busy / clump)
    shares = shares_of(means)
    found = np.stack([clump * rng.multinomial(counts, shares[:, j]) for j in range(FEATURES)], axis=1)
    return found.reshape(panes, -1)


class Judge:
    """Windows against the whole baseline, or against the same hours of it."""

    def __init__(self, baseline: Counts, *, hours: bool) -> None:
        slots = np.arange(len(baseline)) // PANES_AN_HOUR % SLOTS
        self._table = EvidenceTable(
            learn_evidence(baseline, STARTS, WINDOW, slots=slots if hours else None), baseline.sum(axis=0), STARTS
        )
        by_slot = np.array([baseline[slots == h].sum(axis=0) for h in range(SLOTS)])
        self._slots = SlotShares.of(by_slot, by_slot[:, :BINS].sum(axis=1)) if hours else None

    def alarms(self, panes: Counts) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
        """Of every window, shape (windows, features); the panes begin at midnight."""
        sums = np.concatenate([np.zeros((1, panes.shape[1]), np.int64), np.cumsum(panes, axis=0)])
        windows = sums[WINDOW:] - sums[:-WINDOW]
        rows = panes[:, :BINS].sum(axis=1)
        slot = np.arange(len(panes)) // PANES_AN_HOUR % SLOTS
        found = []
        for i, window in enumerate(windows):
            table = self._table
            if self._slots is not None:
                here = slice(i, i + WINDOW)
                in_slot = np.bincount(slot[here], weights=rows[here], minlength=SLOTS).astype(np.int64)
                table = table.against(self._slots.mixed(in_slot))
            level = table.level(LEVEL, np.array(float(window[:BINS].sum())))
            found.append(judge(table, window).breaches(level, EFFECT, table.guard))
        return np.array(found)


def rng_of(*names: object) -> np.random.Generator:
    """Chance of its own for each case."""
    return np.random.default_rng([20_261, *(zlib.crc32(str(name).encode()) for name in names)])


def false_alarms(kind: str, rows: int, days: int, months: int) -> Iterator[str]:
    """Whole and hours: episodes a month."""
    count = {False: 0, True: 0}
    for month in range(months):
        rng = rng_of(kind, rows, days, month)
        baseline, healthy = traffic(rng, kind, rows, days), traffic(rng, kind, rows, 30)
        for hours in count:
            alarms = Judge(baseline, hours=hours).alarms(healthy).any(axis=1)
            count[hours] += episodes(alarms, WINDOW)
    for found in count.values():
        low, high = interval(found, months)
        yield f"{found / months:.2f} [{low:.2f}, {high:.2f}]"


def delays(kind: str, rows: int, days: int) -> Iterator[str]:
    """Whole and hours: how long until a shift is seen."""
    for hours in (False, True):
        waits = []
        for case in range(SHIFTS):
            rng = rng_of(kind, rows, days, "shift", case)
            judge_ = Judge(traffic(rng, kind, rows, days), hours=hours)
            start, feature = int(rng.integers(PANES_A_DAY)), case % FEATURES
            shift = np.zeros((3 * PANES_A_DAY, FEATURES))
            shift[PANES_A_DAY + start :, feature] = SHIFT
            alarms = judge_.alarms(traffic(rng, kind, rows, 3, shift))[PANES_A_DAY + start - WINDOW + 1 :, feature]
            at = np.flatnonzero(alarms[:PANES_A_DAY])
            waits.append(5 * (at[0] + 1) if at.size else np.inf)
        seen = float(np.isfinite(waits).mean())
        median = float(np.median(waits))
        yield f"{median:.0f} min ({100 * seen:.0f} %)" if np.isfinite(median) else f"- ({100 * seen:.0f} %)"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=12, help="of 30 days, in each cell")
    parser.add_argument("--days", type=int, default=14, help="of the baseline")
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{options.months} months a cell, baselines of {options.days} days, level {LEVEL:.2g}\n")
    print("| traffic | rows an hour | episodes, whole | episodes, hours | delay, whole | delay, hours |")
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        for rows in (50, 500):
            cells = [*false_alarms(kind, rows, options.days, options.months), *delays(kind, rows, options.days)]
            print(f"| {kind} | {rows * PANES_AN_HOUR:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
