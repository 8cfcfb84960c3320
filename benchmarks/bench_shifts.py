"""Complete shifts of a feature that wanders by itself: the share of windows that alarm, by p alone and with the size.

A normal feature whose mean wanders from hour to hour; windows of an hour of 600 rows, ten bins, the level of one of 20
features. By p alone all of a shift along the wander is allowed for; so what is far beyond every healthy window is
beyond, too (`detectors/farthest.py`). Shift 0 says what that costs where nothing has changed.
"""

import argparse
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from alarm_rules import BUDGET

from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence

PANES, ROWS, EFFECT = 60, 10, 0.02  # of a window, of a pane; nats
WANDERS, DAYS, SHIFTS = (0.2, 0.3, 0.4, 0.6), (7, 90), (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)
LEVEL = BUDGET.level(0.5, 60_000, 20)

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--baselines", type=int, default=20, help="a line (20), each with 100 windows behind it")
    baselines = options.parse_args().baselines
    print("| wander, baseline | " + " | ".join(f"{shift:g} sd" for shift in SHIFTS) + " |")
    print("|--" * (len(SHIFTS) + 1) + "|", flush=True)
    for days in DAYS:
        for wander in WANDERS:
            found = np.mean(
                [_shares(np.random.default_rng([days, seed]), wander, days) for seed in range(baselines)], 0
            )
            cells = [f"{by_p:.2g}; {by_size:.2g}" for by_p, by_size in found.T]
            print(f"| {wander:g} sd, {days} days | " + " | ".join(cells) + " |", flush=True)


def _shares(rng: np.random.Generator, wander: float, days: int) -> Values:
    """Of 100 windows of each shift those that alarm, by p alone and with the size; shape (2, shifts)."""
    values = _values(rng, wander, days * 24)
    edges = np.quantile(values, np.arange(1, 10) / 10)
    panes = _histogram(values, edges)
    (learned,) = learn_evidence(panes, np.array([0]), PANES)
    baseline, starts = panes.sum(axis=0), np.array([0])
    tables = [EvidenceTable([one], baseline, starts) for one in (replace(learned, farthest_psi=np.inf), learned)]
    shares = np.empty((2, len(SHIFTS)))
    for i, shift in enumerate(SHIFTS):
        windows = _histogram(_values(rng, wander, 100) + shift, edges).reshape(100, PANES, 10).sum(axis=1)
        shares[:, i] = [judge(table, windows).breaches(LEVEL, EFFECT, table.guard).mean() for table in tables]
    return shares


def _values(rng: np.random.Generator, wander: float, hours: int) -> Values:
    """Of rows, shape (panes, rows of a pane)."""
    return rng.normal(size=(hours * PANES, ROWS)) + rng.normal(0, wander, hours).repeat(PANES)[:, None]


def _histogram(values: Values, edges: Values) -> Counts:
    """Of each pane, shape (panes, 10)."""
    bins = np.searchsorted(edges, values, side="right") + 10 * np.arange(len(values))[:, None]
    return np.bincount(bins.ravel(), minlength=10 * len(values)).reshape(len(values), 10)


if __name__ == "__main__":
    main()
