"""False alarms on traffic in which nothing changed, and the delay until a shift is seen; all rules in one run.

episodes    per 30 simulated days, with a 95 % interval, windows of 60 panes of a minute, evaluated every minute:
            PSI > 0.1, PSI > 0.25, chi-squared p < .01, and the budget's rule at "1 per 30d" with three effects
flights     real ones, their rows shuffled or their days permuted: windows of 1 h every 10 minutes
p99         a service exactly at its limit: the quantile against the test of the count over the limit
delay       median panes from a shift of one of 20 features until the rule alarms

A month has its own seed, its own baseline of seven days and 30 days behind it. Episodes of one month share
a baseline, so they are not quite Poisson: the interval is somewhat too narrow where one month dominates.
An episode ends after a window's length without an alarm. All of the budget goes to the features.
"""

import argparse
import os
import platform
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices of 10 x 10: threads only get in each other's way

import numpy as np
import numpy.typing as npt
from healthy_traffic import GENERATORS, NO_SHIFT, PANES_A_DAY, Counts, Shift, Traffic, Wander
from scipy.stats import chi2, norm

from detectors import Undefined, divergences, quantile_edges
from detectors.budget import FalseAlarmBudget, level_of_rows
from detectors.evidence import INDEPENDENT_ROWS, EvidenceTable, judge
from detectors.evidence_learning import learn_evidence
from detectors.rates import minimum_detectable_rate, rate_overdispersion

WINDOW, BASELINE_DAYS, MONTH_DAYS = 60, 7, 30
BUDGET = FalseAlarmBudget.parse("1 per 30d")
EFFECTS = (0.0, 0.02, 0.1)  # corrected PSI: none, told, warning
RULES = ("PSI > .1", "PSI > .25", "chi2 p < .01", *(f"budget, {e:g}" for e in EFFECTS))
YEAR_START_MS = 1_356_998_400_000  # 2013-01-01T00:00:00Z
SUMMER_TIME_MS = 1_362_898_800_000, 1_383_458_400_000  # 2013-03-10T07:00Z to 2013-11-03T06:00Z
Alarms = npt.NDArray[np.bool_]  # shape (rules, windows, features)


@dataclass(frozen=True)
class Cell:
    """What one month is made of."""

    kind: str
    rows: int  # of a pane
    features: int
    month: int

    def rng(self) -> np.random.Generator:
        """The cell's own chance."""
        return np.random.default_rng([20_260, zlib.crc32(self.kind.encode()), self.rows, self.features, self.month])


class Monitor:
    """All rules for windows of one length over one baseline."""

    def __init__(self, panes: Counts, window: int, level: float) -> None:
        flat = panes.reshape(len(panes), -1)
        starts = np.arange(panes.shape[1]) * panes.shape[2]
        self.window, self._level = window, level
        baseline = flat.sum(axis=0)
        evidence = learn_evidence(flat, starts, window)
        self._table = EvidenceTable(evidence, baseline, starts)
        self._naive = EvidenceTable([INDEPENDENT_ROWS] * len(starts), baseline, starts)

    def alarms(self, panes: Counts) -> Alarms:
        """Of every window that ends in the panes but the first window - 1."""
        sums = np.cumsum(panes.reshape(len(panes), -1), axis=0)
        current = sums[self.window - 1 :].copy()
        current[1:] -= sums[: -self.window]
        psi = divergences(self._table.baseline, current, self._table.starts).psi
        rows = self._table.total(current.astype(np.float64))
        found = judge(self._table, current, psi)
        level = level_of_rows(self._level, rows, self._table.freedom + 1)
        naive = judge(self._naive, current, psi).x >= -np.log(0.01)
        mine = [found.breaches(level, effect, self._table.guard) for effect in EFFECTS]
        return np.stack([psi > 0.1, psi > 0.25, naive, *mine])


def episodes(alarms: npt.NDArray[np.bool_], window: int) -> int:
    """How many: a new one begins after more than a window's length without an alarm."""
    at = np.flatnonzero(alarms)
    return int(len(at) > 0) + int((np.diff(at) > window).sum())


def month(cell: Cell) -> tuple[Cell, npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Episodes and evaluations in alarm by rule, and evaluations, of one simulated month."""
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
    return cell, np.array([episodes(a, WINDOW) for a in alarms]), alarms.sum(axis=1), alarms.shape[1]


def interval(count: int, months: float) -> tuple[float, float]:
    """95 % of a Poisson rate (Garwood)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return low / months, chi2.ppf(0.975, 2 * count + 2) / 2 / months


def row(name: str, per_month: npt.NDArray[np.int64], in_alarm: npt.NDArray[np.int64], n: int, months: float) -> str:
    """One line of the table: episodes a month by rule, evaluations in alarm per 10,000."""
    cells = []
    for i in range(len(RULES)):
        count = int(per_month[:, i].sum())
        low, high = interval(count, months)
        worst = f" max {per_month[:, i].max()}" if count and len(per_month) > 1 else ""
        cells.append(f"{count / months:.3g} [{low:.2g}, {high:.2g}]{worst} ({in_alarm[i] / n * 1e4:.3g})")
    return f"| {name} | {months:.3g} | " + " | ".join(cells) + " |"


def header() -> str:
    """Of the tables of false alarms."""
    titles = ["healthy traffic", "months", *RULES]
    return "| " + " | ".join(titles) + " |\n|" + "--|" * len(titles)


def print_false_alarms(cells: list[Cell], jobs: int) -> None:
    """A line a kind, rows and features, as its months are done."""
    print("\nepisodes a month [95 % interval] worst month (evaluations in alarm per 10,000); budget 1 a month\n")
    print(header(), flush=True)
    done: dict[tuple[str, int, int], list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]]] = {}
    wanted: dict[tuple[str, int, int], int] = {}
    for c in cells:
        wanted[c.kind, c.rows, c.features] = wanted.get((c.kind, c.rows, c.features), 0) + 1
    for cell, counts, in_alarm, n in mapped(month, cells, jobs):
        key = cell.kind, cell.rows, cell.features
        done.setdefault(key, []).append((counts, in_alarm, n))
        if len(done[key]) == wanted[key]:
            per_month, alarms = np.stack([d[0] for d in done[key]]), np.sum([d[1] for d in done[key]], axis=0)
            name = f"{cell.kind}, {cell.rows:,} a pane, {cell.features} features"
            print(row(name, per_month, alarms, sum(d[2] for d in done[key]), wanted[key]), flush=True)


def mapped(function, arguments, jobs: int) -> Iterator:  # type: ignore[no-untyped-def, type-arg]  # a Pool's map
    """In order; in this process if one job is wanted."""
    if jobs == 1:
        yield from map(function, arguments)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(function, arguments)


def delays(kind: str, shift: Shift, groups: int = 12, each: int = 10, features: int = 20) -> list[str]:
    """Median panes to the first alarm of one shifted feature, by rule, and with three window lengths.

    Every group has its own traffic and baseline, and each of its features is a repetition.
    """
    level = BUDGET.level(1.0, 60_000, features)
    found: list[list[Alarms]] = [[] for _ in range(len(RULES) + 1)]
    for group in range(groups):
        rng = np.random.default_rng([7, zlib.crc32(kind.encode()), group])
        traffic: Traffic = GENERATORS[kind](rng, each, 100)
        baseline = traffic.draw(BASELINE_DAYS * PANES_A_DAY)
        after = np.concatenate([traffic.draw(WINDOW, NO_SHIFT), traffic.draw(PANES_A_DAY, shift)])
        one = Monitor(baseline, WINDOW, level).alarms(after)[:, 1:]
        three = np.zeros_like(one[0])
        for window in (WINDOW // 12, WINDOW // 4, WINDOW):
            alarms = Monitor(baseline, window, level / 3).alarms(after[WINDOW - window :])
            three |= alarms[RULES.index("budget, 0.02"), 1:]
        for kept, alarms in zip(found, [*one, three], strict=True):
            kept.append(alarms)
    return [delay_of(np.concatenate(alarms, axis=1)) for alarms in found]


def delay_of(alarms: Alarms) -> str:
    """The median of columns of evaluations, and the share of them that alarmed at all."""
    seen = alarms.any(axis=0)
    delay = np.median(np.where(seen, alarms.argmax(axis=0) + 1, np.inf))
    share = "" if seen.all() else f" ({seen.mean():.0%})"
    return ("-" if np.isinf(delay) else f"{delay:.0f}") + share


def print_delays() -> None:
    """The shifts of the design, on independent and on autocorrelated traffic."""
    titles = ["shift, 100 rows a pane", *RULES, "budget, 0.02, 3 lengths"]
    print("\nmedian panes from the shift of one of 20 features to the alarm (share seen within 24 h), 120 repeats\n")
    print("| " + " | ".join(titles) + " |\n|" + "--|" * len(titles), flush=True)
    shifts = (
        (".25 sd", Shift(mean=0.25)),
        (".5 sd", Shift(mean=0.5)),
        ("one bin +5 points", Shift(one_bin=0.05)),
        ("missing 0 to 2 %", Shift(missing=0.02)),
    )
    for kind in ("independent", "autocorrelated"):
        for name, shift in shifts:
            print(f"| {kind}: {name} | " + " | ".join(delays(kind, shift)) + " |", flush=True)


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
            per_run, in_alarm, n = [], np.zeros(len(RULES), np.int64), 0
            for seed in range(times):
                panes = flight_panes(order, seed)
                monitor = Monitor(panes[: 90 * 144], window, BUDGET.level(1.0, 600_000, panes.shape[1]))
                alarms = monitor.alarms(panes[90 * 144 - window + 1 :]).any(axis=2)
                per_run.append([episodes(a, window) for a in alarms])
                in_alarm, n = in_alarm + alarms.sum(axis=1), n + alarms.shape[1]
            print(row(f"{order}, {window // 6} h", np.array(per_run), in_alarm, n, times * 275 / 30), flush=True)


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
        print_false_alarms(cells, given.jobs)
    if given.permutations:
        print_flights(given.permutations)
    if given.months:
        print_rates(given.months)
    if not given.no_delays:
        print_delays()
    print(f"\n{time.perf_counter() - started_s:.0f} s")


if __name__ == "__main__":
    main()
