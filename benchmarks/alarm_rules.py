"""The rules whose alarms `bench_alarms.py` counts, side by side on the same windows.

PSI > 0.1, PSI > 0.25, chi-squared p < .01, and the budget's rule at "1 per 30d" with three effects. All of the
budget goes to the features.
"""

import numpy as np
import numpy.typing as npt
from healthy_traffic import Counts
from scipy.stats import chi2

from detectors.budget import FalseAlarmBudget
from detectors.divergence import psi_of_series
from detectors.evidence import EvidenceTable, judge
from detectors.evidence_learning import learn_evidence

WINDOW, BASELINE_DAYS, MONTH_DAYS = 60, 7, 30
BUDGET = FalseAlarmBudget.parse("1 per 30d")
EFFECTS = (0.0, 0.02, 0.1)  # corrected PSI: none, told, warning
RULES = ("PSI > .1", "PSI > .25", "chi2 p < .01", *(f"budget, {e:g}" for e in EFFECTS))
_AT_ONCE = 90  # windows of 200 features: what they need stays in the processor's cache

Alarms = npt.NDArray[np.bool_]  # shape (rules, windows, features)


class Monitor:
    """All rules for windows of one length over one baseline."""

    def __init__(self, panes: Counts, window: int, level: float) -> None:
        flat = panes.reshape(len(panes), -1)
        starts = np.arange(panes.shape[1]) * panes.shape[2]
        self.window, self._level = window, level
        self._table = EvidenceTable(learn_evidence(flat, starts, window), flat.sum(axis=0), starts)
        self._chi2_limit = chi2.isf(0.01, self._table.freedom)

    def alarms(self, panes: Counts) -> Alarms:
        """Of every window that ends in the panes but the first window - 1."""
        windows = len(panes) - self.window + 1
        stretches = range(0, windows, _AT_ONCE)
        found = [self._stretch(panes[at : at + min(_AT_ONCE, windows - at) + self.window - 1]) for at in stretches]
        return np.concatenate(found, axis=1)

    def _stretch(self, panes: Counts) -> Alarms:
        sums = np.cumsum(panes.reshape(len(panes), -1), axis=0)
        current = sums[self.window - 1 :].copy()
        current[1:] -= sums[: -self.window]
        psi = psi_of_series(self._table.baseline, current, self._table.starts)
        rows = self._table.total(current.astype(np.float64))
        found = judge(self._table, current, psi)
        level = self._table.level(self._level, rows)
        mine = [found.breaches(level, effect, self._table.guard) for effect in EFFECTS]
        return np.stack([psi > 0.1, psi > 0.25, self._g(current, rows) > self._chi2_limit, *mine])

    def _g(self, current: Counts, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The G statistic of two samples, which is chi-squared if rows are independent."""
        table = self._table
        pool = (current + table.baseline) / table.per_bin(rows + table.rows)
        some = np.where(pool > 0, pool, 1.0)
        shares = current / table.per_bin(np.maximum(rows, 1.0))
        terms = current * _log(shares / some) + table.baseline * _log(table.shares / some)
        return np.where(rows > 0, 2 * table.total(terms), 0.0)


def _log(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(ratio, 1e-300))


def episodes(alarms: npt.NDArray[np.bool_], window: int) -> int:
    """How many: a new one begins after more than a window's length without an alarm."""
    at = np.flatnonzero(alarms)
    return int(len(at) > 0) + int((np.diff(at) > window).sum())


def interval(count: int, months: float) -> tuple[float, float]:
    """95 % of a Poisson rate (Garwood)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return low / months, chi2.ppf(0.975, 2 * count + 2) / 2 / months
