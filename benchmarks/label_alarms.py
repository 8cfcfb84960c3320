"""False alarms about AUC on a model in which nothing changed, and how soon a loss of half of what it knew is seen.

Scores of two normal classes over 64 bins, AUC 0.86; panes of ten minutes, windows of an hour, half of the labels
positive. What wanders is how far apart the classes are: for an hour or so, or from one day to the next.
"""

import numpy as np
import numpy.typing as npt
from alarm_rules import BASELINE_DAYS, BUDGET, MONTH_DAYS, episodes, interval
from healthy_traffic import Wander
from scipy.special import ndtr, ndtri

from detectors import Auc, auc, auc_drop_p_value
from detectors.wander import auc_reading, learn_wander

PANES_A_DAY, WINDOW, PANE_MS = 144, 6, 600_000
CUTS = ndtri(np.arange(1, 64) / 64) * 1.5 + 0.75
APART, TOLERANCE = 1.5, 0.05
KINDS = ("independent", "wandering by the hour", "hard days and easy ones")

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def print_label_alarms(months: int) -> None:
    """A line a kind of model and number of labels."""
    print("\nAUC of a healthy model: episodes a month [95 % interval]; median panes to see a loss of half (in 24 h)\n")
    print("| labels | months | AUC < limit | and sampling says so | budget, healthy windows known | panes to see it |")
    print("|--|--|--|--|--|--|", flush=True)
    for kind in KINDS:
        for rows in (100, 1_000):
            found = [_month(kind, rows, seed) for seed in range(months)]
            begun = np.array([episodes_of for episodes_of, _ in found])
            cells = []
            for each in begun.T:
                low, high = interval(int(each.sum()), months)
                cells.append(f"{each.mean():.3g} [{low:.2g}, {high:.2g}]")
            delays = np.array([delay for _, delay in found])
            seen = np.isfinite(delays)
            delay = f"{np.median(np.where(seen, delays, 1e9)):.3g}" if seen.mean() > 0.5 else "-"
            print(
                f"| {kind}, {rows:,} a pane | {months} | " + " | ".join(cells) + f" | {delay} ({seen.mean():.0%}) |",
                flush=True,
            )


def _month(kind: str, rows: int, seed: int) -> tuple[list[int], float]:
    """Episodes by rule, and after how many panes a loss of half is seen; infinite: not within a day."""
    rng = np.random.default_rng([21, KINDS.index(kind), rows, seed])
    apart = _apart(rng, kind, (BASELINE_DAYS + MONTH_DAYS + 1) * PANES_A_DAY)
    apart[-PANES_A_DAY:] /= 2
    panes = np.stack([rng.multinomial(rows // 2, _shares(apart * side)) for side in (-0.5, 0.5)], axis=1)
    begin = BASELINE_DAYS * PANES_A_DAY
    before = _area(panes[:begin].sum(axis=0))
    windows = np.lib.stride_tricks.sliding_window_view(panes, WINDOW, axis=0).sum(axis=-1)
    areas = [_area(one) for one in windows]
    readings = [auc_reading(one) for one in areas]
    known = learn_wander([readings[first : begin - WINDOW + 1 : WINDOW] for first in range(WINDOW)])
    assert known is not None
    level = BUDGET.level(1.0, PANE_MS)
    limit = np.array([one.value < before.value - TOLERANCE for one in areas])
    sampling = limit & np.array([auc_drop_p_value(one, before) < level for one in areas])
    evident = np.array([known.p_value(one) < level and known.beyond(one) for one in readings])
    budget = limit & (evident | (sampling & np.array([known.far(one) for one in readings])))
    healthy = slice(begin - WINDOW + 1, len(areas) - PANES_A_DAY)
    after = np.flatnonzero(budget[-PANES_A_DAY:])
    return [episodes(one[healthy], WINDOW) for one in (limit, sampling, budget)], float(after[0] + 1) if len(
        after
    ) else np.inf


def _apart(rng: np.random.Generator, kind: str, panes: int) -> Values:
    if kind == KINDS[1]:
        return APART * np.exp(0.2 * Wander(rng, 1, 0.85).draw(panes)[:, 0])
    if kind == KINDS[2]:
        return APART * np.exp(0.2 * rng.standard_normal(panes // PANES_A_DAY)).repeat(PANES_A_DAY)
    return np.full(panes, APART)


def _shares(mean: Values) -> Values:
    edge = np.zeros((len(mean), 1))
    return np.diff(np.concatenate([edge, ndtr(CUTS - 0.75 - mean[:, None]), edge + 1], axis=1), axis=1)


def _area(classes: Counts) -> Auc:
    found = auc(classes[0], classes[1])
    assert isinstance(found, Auc)
    return found
