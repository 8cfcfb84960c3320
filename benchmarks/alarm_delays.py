"""How long from the shift of one of 20 features until each rule alarms: windows of 60 panes, 100 rows a pane.

`DESIGNED` are the delays that the method was designed with, in panes. They rest on one draw of traffic, which
`designed_traffic` makes again, so that the two can be compared. On autocorrelated traffic one draw is one path of
what wanders, with all of its features on it, and another path reads otherwise: `delays_over_paths` are of many.
"""

import zlib

import numpy as np
from alarm_rules import BASELINE_DAYS, BUDGET, RULES, WINDOW, Alarms, Monitor
from healthy_traffic import GENERATORS, NO_SHIFT, PANES_A_DAY, Counts, Shift, Traffic, Values
from scipy.signal import lfilter

FEATURES, ROWS, REPEATS, SEED = 20, 100, 60, 5
OTHER_SEEDS = range(6, 13)
TOLD = RULES.index("budget, 0.02")
SHIFTS = {
    ".25 sd": Shift(mean=0.25),
    ".5 sd": Shift(mean=0.5),
    "one bin +5 points": Shift(one_bin=0.05),
    "missing 0 to 2 %": Shift(missing=0.02),
}
# Of PSI > .1, PSI > .25 and the method at an effect of 0.02, with one window length and with three ("": not told).
DESIGNED = {
    ("independent", ".25 sd"): ("never", "never", "36", "10"),
    ("independent", ".5 sd"): ("40", "121", "18", "4"),
    ("independent", "one bin +5 points"): ("never", "never", "58", "20"),
    ("independent", "missing 0 to 2 %"): ("58", "never", "17", "2"),
    ("autocorrelated", ".25 sd"): ("", "", "- (12%)", ""),
    ("autocorrelated", ".5 sd"): ("", "", "104 (97%)", ""),
    ("autocorrelated", "one bin +5 points"): ("", "", "50", ""),
    ("autocorrelated", "missing 0 to 2 %"): ("", "", "6", ""),
}


def one_path(rng: np.random.Generator, panes: int, columns: int, phi: float) -> Values:
    """An autoregressive series of variance 1 that begins anew, one a column."""
    noise = rng.standard_normal((panes, columns)) * np.sqrt(1 - phi**2)
    noise[0] /= np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], noise, axis=0)


class Designed:
    """The traffic of the design: each stretch has a path of its own, which all features share in part."""

    def __init__(self, kind: str, seed: int = SEED) -> None:
        self._rng, self._kind, self._at = np.random.default_rng(seed), kind, 0
        self._phases = self._rng.uniform(0, 6.28, REPEATS)

    def draw(self, panes: int, shift: Shift = NO_SHIFT) -> Counts:
        """The next panes, shape (panes, REPEATS, 11)."""
        if self._kind == "independent":
            return self._rng.multinomial(ROWS, shift.shares(np.zeros(REPEATS)), size=(panes, REPEATS))
        day = 2 * np.pi * (self._at + np.arange(panes)) / PANES_A_DAY
        self._at += panes
        common, own = one_path(self._rng, panes, 1, 0.98), one_path(self._rng, panes, REPEATS, 0.98)
        mean = 0.1 * np.sqrt(0.5) * (common + own) + 0.05 * np.sin(day[:, None] + self._phases)
        volume = np.exp(0.4 * one_path(self._rng, panes, 1, 0.95)[:, 0] - 0.08 + 0.5 * np.sin(day))
        return self._rng.multinomial(self._rng.poisson(ROWS * volume)[:, None], shift.shares(mean))


def first_alarms(traffic: Traffic, shift: Shift) -> list[Alarms]:
    """By rule, then of three window lengths together: whether each evaluation after the shift alarms, by feature."""
    level = BUDGET.level(1.0, 60_000, FEATURES)
    baseline = traffic.draw(BASELINE_DAYS * PANES_A_DAY)
    after = np.concatenate([traffic.draw(WINDOW), traffic.draw(PANES_A_DAY, shift)])
    one = Monitor(baseline, WINDOW, level).alarms(after)[:, 1:]
    three = np.zeros_like(one[0])
    for window in (WINDOW // 12, WINDOW // 4, WINDOW):
        three |= Monitor(baseline, window, level / 3).alarms(after[WINDOW - window :])[TOLD, 1:]
    return [*one, three]


def delay_of(alarms: Alarms) -> str:
    """The median of columns of evaluations, and the share of them that alarmed at all."""
    seen = alarms.any(axis=0)
    delay = np.median(np.where(seen, alarms.argmax(axis=0) + 1, np.inf))
    share = "" if seen.all() else f" ({seen.mean():.0%})"
    return ("-" if np.isinf(delay) else f"{delay:g}") + share


def delays_over_paths(kind: str, shift: Shift, groups: int = 12, each: int = 10) -> list[str]:
    """By rule and with three window lengths; every group has its own traffic, each of its features is a repetition."""
    found: list[list[Alarms]] = [[] for _ in range(len(RULES) + 1)]
    for group in range(groups):
        rng = np.random.default_rng([7, zlib.crc32(kind.encode()), group])
        for kept, alarms in zip(found, first_alarms(GENERATORS[kind](rng, each, ROWS), shift), strict=True):
            kept.append(alarms)
    return [delay_of(np.concatenate(alarms, axis=1)) for alarms in found]


def print_delays() -> None:
    """Beside the design's on its own draw, then over many paths."""
    print("\nmedian panes from the shift of one of 20 features to the alarm (share seen within 24 h, where not all)")
    print(f"\non the very draw of the design, {REPEATS} repeats; in brackets [what the design has]\n")
    titles = ["shift, 100 rows a pane", RULES[0], RULES[1], RULES[TOLD], f"{RULES[TOLD]}, 3 lengths"]
    print("| " + " | ".join(titles) + " |\n|" + "--|" * len(titles), flush=True)
    for (kind, name), designed in DESIGNED.items():
        found = first_alarms(Designed(kind), SHIFTS[name])
        shown = [delay_of(found[i]) for i in (0, 1, TOLD, len(RULES))]
        cells = [f"{new} [{old}]" if old else new for new, old in zip(shown, designed, strict=True)]
        print(f"| {kind}: {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nother draws of the same, .5 sd on autocorrelated traffic, {RULES[TOLD]}:")
    others = [first_alarms(Designed("autocorrelated", seed), SHIFTS[".5 sd"])[TOLD] for seed in OTHER_SEEDS]
    print("; ".join(delay_of(alarms) for alarms in others), flush=True)
    print("\nover twelve paths of ten repeats each\n")
    titles = ["shift, 100 rows a pane", *RULES, f"{RULES[TOLD]}, 3 lengths"]
    print("| " + " | ".join(titles) + " |\n|" + "--|" * len(titles), flush=True)
    for kind in ("independent", "autocorrelated"):
        for name, shift in SHIFTS.items():
            print(f"| {kind}: {name} | " + " | ".join(delays_over_paths(kind, shift)) + " |", flush=True)
