"""False alarms on traffic in which nothing changed, and the delay until a shift is seen; all rules in one run.

episodes    per 30 simulated days, with a 95 % interval, windows of 60 panes of a minute, evaluated every minute
flights     real ones, their rows shuffled or their days permuted: windows of 1 h every 10 minutes
p99         a service exactly at its limit: the quantile against the test of the count over the limit
labels      AUC of a healthy model: the limit, sampling alone, and the test against its healthy windows
delay       median panes from a shift of one of 20 features until the rule alarms

A month has its own seed, its own baseline of seven days and 30 days behind it. Episodes of one month share
a baseline, so they are not quite Poisson: the interval is somewhat too narrow where one month dominates.
An episode ends after a window's length without an alarm. The rules: `alarm_rules.py`.
"""

import argparse
import json
import os
import platform
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Self

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 10 x 10: threads only get in each other's way

import numpy as np
from alarm_delays import print_delays
from alarm_rules import BASELINE_DAYS, BUDGET, MONTH_DAYS, RULES, WINDOW, Monitor, episodes, interval
from healthy_traffic import GENERATORS, PANES_A_DAY, Counts, Traffic, Wander
from label_alarms import print_label_alarms
from scipy.stats import norm

from detectors import Undefined, quantile_edges
from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from detectors.rates import minimum_detectable_rate, rate_overdispersion

YEAR_START_MS = 1_356_998_400_000  # 2013-01-01T00:00:00Z
SUMMER_TIME_MS = 1_362_898_800_000, 1_383_458_400_000  # 2013-03-10T07:00Z to 2013-11-03T06:00Z


@dataclass(frozen=True)
class Cell:
    """What one month is made of."""

    kind: str
    rows: int  # of a pane
    features: int
    month: int

    @property
    def group(self) -> tuple[str, int, int]:
        """What a line of the table is about."""
        return self.kind, self.rows, self.features

    def rng(self) -> np.random.Generator:
        """The month's own chance."""
        return np.random.default_rng([20_260, zlib.crc32(self.kind.encode()), self.rows, self.features, self.month])


@dataclass(frozen=True)
class Month:
    """What came of a cell's month; by rule where it is a tuple."""

    cell: Cell
    episodes: tuple[int, ...]
    in_alarm: tuple[int, ...]  # evaluations
    evaluations: int

    @classmethod
    def of_json(cls, line: str) -> Self:
        """As `asdict` has it."""
        found = json.loads(line)
        return cls(Cell(**found["cell"]), tuple(found["episodes"]), tuple(found["in_alarm"]), found["evaluations"])


def month(cell: Cell) -> Month:
    """One simulated month."""
    traffic: Traffic = GENERATORS[cell.kind](cell.rng(), cell.features, cell.rows)
    level = BUDGET.level(1.0, 60_000, cell.features)
    baseline = np.concatenate([traffic.draw(PANES_A_DAY).astype(np.int32) for _ in range(BASELINE_DAYS)])
    monitor = Monitor(baseline, WINDOW, level)
    before = baseline[-(WINDOW - 1) :]
    any_feature = []
    for _ in range(MONTH_DAYS * 4):
        panes = np.concatenate([before, traffic.draw(PANES_A_DAY // 4).astype(np.int32)])
        any_feature.append(monitor.alarms(panes).any(axis=2))
        before = panes[-(WINDOW - 1) :]
    alarms = np.concatenate(any_feature, axis=1)
    begun = tuple(episodes(a, WINDOW) for a in alarms)
    return Month(cell, begun, tuple(alarms.sum(axis=1).tolist()), alarms.shape[1])


def row(name: str, months: list[Month], length: float) -> str:
    """One line of the table: episodes a month by rule, evaluations in alarm per 10,000; `length` of one in months."""
    cells, whole = [], length * len(months)
    evaluations = sum(m.evaluations for m in months)
    for i in range(len(RULES)):
        each = [m.episodes[i] for m in months]
        low, high = interval(sum(each), whole)
        worst = f" max {max(each)}" if sum(each) and len(each) > 1 else ""
        in_alarm = sum(m.in_alarm[i] for m in months) / evaluations * 1e4
        cells.append(f"{sum(each) / whole:.3g} [{low:.2g}, {high:.2g}]{worst} ({in_alarm:.3g})")
    return f"| {name} | {whole:.3g} | " + " | ".join(cells) + " |"


def header() -> str:
    """Of the tables of false alarms."""
    titles = ["healthy traffic", "months", *RULES]
    return "| " + " | ".join(titles) + " |\n|" + "--|" * len(titles)


def print_false_alarms(cells: list[Cell], jobs: int, results: Path | None) -> None:
    """A line a kind, rows and features, as soon as its months are done."""
    print("\nepisodes a month [95 % interval] worst month (evaluations in alarm per 10,000); budget 1 a month\n")
    print(header(), flush=True)
    for (kind, rows, features), months in groupby(simulated(cells, jobs, results), lambda m: m.cell.group):
        print(row(f"{kind}, {rows:,} a pane, {features} features", list(months), 1.0), flush=True)


def simulated(cells: list[Cell], jobs: int, results: Path | None) -> Iterator[Month]:
    """In order; months that the file has are not simulated again, and those that are go there at once."""
    known = [Month.of_json(line) for line in results.read_text().splitlines()] if results and results.exists() else []
    done = {m.cell: m for m in known}
    fresh = mapped(month, [c for c in cells if c not in done], jobs)
    for cell in cells:
        found = done.get(cell) or next(fresh)
        if results and cell not in done:
            with results.open("a") as file:
                file.write(json.dumps(asdict(found)) + "\n")
        yield found


def mapped(function, arguments, jobs: int) -> Iterator:  # type: ignore[no-untyped-def, type-arg]  # a Pool's map
    """In order; in this process if one job is wanted."""
    if jobs == 1:
        yield from map(function, arguments)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(function, arguments)


def flight_panes(order: str, seed: int) -> Counts:
    """Panes of ten minutes of 2013, shape (52,560, features, bins), rows shuffled or days permuted."""
    from stream.demo.flights import load_flights  # only where the demo's data are installed

    flights = load_flights()
    # Days are New York's, and begin at three: at midnight UTC the evening's flights would belong to the next day.
    at_ms = flights.event_time_ms
    summer = (at_ms >= SUMMER_TIME_MS[0]) & (at_ms < SUMMER_TIME_MS[1])
    minute = (at_ms - YEAR_START_MS) // 60_000 - np.where(summer, 7, 8) * 60
    rng = np.random.default_rng(seed)
    _, carrier = np.unique(flights.carrier, return_inverse=True)
    columns = [*flights.numeric.values(), np.minimum(carrier, 9).astype(np.float64)]
    day, at = np.divmod(minute, PANES_A_DAY)
    if order == "rows shuffled":
        mixed = rng.permutation(len(minute))
        columns = [c[mixed] for c in columns]
    else:
        day = rng.permutation(int(day.max()) + 1)[day]
    pane = np.maximum(day * PANES_A_DAY + at, 0) // 10
    found = np.zeros((365 * 144, len(columns), 21), np.int32)
    for j, values in enumerate(columns):
        missing = np.isnan(values)
        edges = quantile_edges(values[~missing & (pane < 90 * 144)])
        index = np.where(missing, 20, edges.index(np.where(missing, 0.0, values)))
        inside = pane < len(found)
        np.add.at(found, (pane[inside], j, index[inside]), 1)
    return found[:, :, found.sum(axis=(0, 1)) > 0]


def print_flights(permutations: int) -> None:
    """Baseline 90 days, 275 days judged, one budget over all features."""
    print("\nflights of 2013: baseline 90 days, windows of 1 h and of 24 h, evaluated every 10 minutes\n")
    print(header(), flush=True)
    for order, times in (("rows shuffled", 1), ("days permuted", permutations)):
        for window in (6, 144):
            runs = []
            for seed in range(times):
                panes = flight_panes(order, seed)
                monitor = Monitor(panes[: 90 * 144], window, BUDGET.level(1.0, 600_000, panes.shape[1]))
                alarms = monitor.alarms(panes[90 * 144 - window + 1 :]).any(axis=2)
                begun = tuple(episodes(a, window) for a in alarms)
                cell = Cell(order, 0, panes.shape[1], seed)
                runs.append(Month(cell, begun, tuple(alarms.sum(axis=1).tolist()), alarms.shape[1]))
            print(row(f"{order}, {window // 6} h", runs, 275 / 30), flush=True)


def print_rates(months: int) -> None:
    """A service exactly at its p99 limit: the noisy quantile against the test of the count."""
    print("\np99 limit, healthy and exactly on it: episodes a month (evaluations in alarm per 10,000)\n")
    print("| answers | months | p99 > limit | binomial p < .01 | budget |\n|--|--|--|--|--|", flush=True)
    level, days = BUDGET.level(1.0, 60_000), BASELINE_DAYS + MONTH_DAYS
    for wander in (0.0, 0.1):
        for rows in (10, 100, 1_000):
            n, counts, in_alarm, evaluations = rows * WINDOW, np.zeros(3, np.int64), np.zeros(3), 0
            for i in range(months):
                rng = np.random.default_rng([11, rows, int(wander * 10), i])
                # Logarithm of latency: normal, sd 0.5 in all, with a level that wanders for an hour or so.
                levels = wander * Wander(rng, 1, 0.98).draw(days * PANES_A_DAY)[:, 0]
                over = rng.binomial(rows, norm.sf((norm.isf(0.01) * 0.5 - levels) / np.sqrt(0.25 - wander**2)))
                baseline, live = over[: BASELINE_DAYS * PANES_A_DAY], over[BASELINE_DAYS * PANES_A_DAY :]
                blocks = baseline.reshape(-1, WINDOW).sum(axis=1)
                windows = np.convolve(live, np.ones(WINDOW, np.int64), "valid")
                rho = rate_overdispersion(blocks, np.full(len(blocks), n))
                smallest = [minimum_detectable_rate(n, 0.01, p, r) for p, r in ((0.01, 0.0), (level, rho))]
                limits = [n * 0.01 + 1, *(n + 1.0 if isinstance(s, Undefined) else round(s * n) for s in smallest)]
                alarms = np.stack([windows >= limit for limit in limits])
                counts += [episodes(a, WINDOW) for a in alarms]
                in_alarm, evaluations = in_alarm + alarms.sum(axis=1), evaluations + len(windows)
            cells = [f"{c / months:.3g} ({a / evaluations * 1e4:.3g})" for c, a in zip(counts, in_alarm, strict=True)]
            name = "independent" if wander == 0 else "wandering"
            print(f"| {name}, {rows:,} a pane | {months} | " + " | ".join(cells) + " |", flush=True)


def print_speed() -> None:
    """One evaluation of a wide model with the whole method."""
    rng = np.random.default_rng(3)
    panes = rng.multinomial(10, np.full(20, 0.05), size=(7 * 24, 500))
    flat, starts = panes.reshape(len(panes), -1), np.arange(500) * 20
    table = EvidenceTable(learn_evidence(flat, starts, 1), flat.sum(axis=0), starts)
    took = []
    for _ in range(30):
        started_s = time.perf_counter()
        judge(table, flat[0])
        took.append(time.perf_counter() - started_s)
    print(f"one evaluation of 500 features x 20 bins: {np.median(took) * 1e3:.2f} ms (wanted <= 20)")


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--months", type=int, default=3, help="simulated months a cell of 20 features (3)")
    options.add_argument("--wide-months", type=int, default=1, help="the same of 200 features (1)")
    options.add_argument("--first-month", type=int, default=0, help="seed of the first month: other months, new chance")
    options.add_argument("--rows", type=int, nargs="+", default=[10, 100, 1_000], help="rows a pane")
    options.add_argument("--kinds", nargs="+", default=list(GENERATORS), choices=list(GENERATORS), metavar="KIND")
    options.add_argument("--permutations", type=int, default=2, help="of the flights' days, 9 months each; 0: none")
    options.add_argument("--results", type=Path, help="file of the months done, a line of JSON each; they are kept")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options.add_argument("--no-delays", action="store_true", help="leave out the table of delays")
    given = options.parse_args()
    started_s = time.perf_counter()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"budget {BUDGET}; months from {given.first_month}; a baseline of {BASELINE_DAYS} days for each")
    print_speed()
    cells = [
        Cell(kind, rows, features, given.first_month + i)
        for features, months in ((20, given.months), (200, given.wide_months))
        for kind in given.kinds
        for rows in given.rows
        for i in range(months)
    ]
    if cells:
        print_false_alarms(cells, given.jobs, given.results)
    if given.permutations:
        print_flights(given.permutations)
    if given.months:
        print_rates(given.months)
        print_label_alarms(given.months)
    if not given.no_delays:
        print_delays()
    print(f"\n{time.perf_counter() - started_s:.0f} s")


if __name__ == "__main__":
    main()
