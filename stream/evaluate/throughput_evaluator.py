"""Whether a model answers as much as it does in healthy windows, and whether it still answers at all.

Effect: of the rows that a healthy window has, at least the share `warning` is gone. Evidence: fewer than any healthy
window of the baseline had, and the law of their rows makes so few with a chance below the level. A baseline made
without times does not know what is usual: it is learned from the model's own windows (`live_rows`), and until then only
a window without any row is an alarm, and provisional.

When every partition has been silent for `windows.idle` no window ends any more. Then the silence itself is judged: an
alarm if it is longer than any healthy one, and no chance.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from detectors import Verdict
from detectors.traffic import few_rows_p_value
from stream.alerts.rules import THRESHOLD
from stream.alerts.throughput_rule import THROUGHPUT, ThroughputRule
from stream.baselines.evidence import RowsEvidence, WindowEvidence

SUBJECT: Final = "predictions"


@dataclass(frozen=True, kw_only=True)
class ThroughputYardstick:
    """What the number of rows is judged with."""

    rule: ThroughputRule
    level: float  # how often the test may alarm by chance
    window_ms: int
    known: WindowEvidence | None  # to the baseline, of windows of this length
    live: RowsEvidence | None = None  # learned from the model's own windows, where the baseline knows too little

    @property
    def usual(self) -> RowsEvidence | None:
        """The rows of healthy windows; None: nothing is known, or they have none."""
        rows = self.live or (None if self.known is None else self.known.rows)
        return rows if rows is not None and rows.mean > 0 else None

    @property
    def provisional(self) -> bool:
        """Whether how many rows are usual is not known, or from too few windows."""
        return self.live is None and (self.known is None or self.known.provisional)

    def gone(self, rows: int) -> float | None:
        """The share of the usual rows that a window of so many lacks; None: not known."""
        return 1.0 if rows == 0 else None if self.usual is None else 1 - rows / self.usual.mean

    def is_seen(self, rows: int) -> bool:
        """Whether a window of so many rows is an alarm."""
        gone, usual = self.gone(rows), self.usual
        if gone is None or gone < self.rule.warning:
            return False
        if usual is None or self.rule.rule == THRESHOLD:
            return True
        return rows < usual.smallest and _p_value(rows, usual) < self.level

    @cached_property
    def most_seen(self) -> int | None:
        """The most rows that a window may have and be an alarm; None: not even one without any row is."""
        most = 0 if self.usual is None else int(self.usual.mean)
        below = bisect_left(range(most + 1), True, key=lambda rows: not self.is_seen(rows))
        return below - 1 if below else None

    @property
    def none_in_breach(self) -> bool:
        """Whether a whole window without any row is in breach."""
        found = evaluate_throughput(self, 0, complete=True)
        return found is not None and found.verdict.is_breach


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputCheck:
    """The rows of a window, with the verdict."""

    check: str = THROUGHPUT
    subject: str = SUBJECT
    value: float | None  # share of the usual rows that is gone, below 0 if there are more; None: not known
    n: int
    usual: float | None  # rows of a healthy window
    live: RowsEvidence | None  # that they are known from, where it is not the baseline
    silent_ms: int | None  # that no partition had a row for; None: they have
    warning: float
    critical: float
    p_value: float | None  # None: not asked
    level: float
    provisional: bool
    most_seen: int | None  # rows that a window may have and be an alarm; None: not even one without any row is
    verdict: Verdict
    reason: str | None  # why the verdict is undefined

    @property
    def spent(self) -> float:
        """How often chance alone would have made this verdict an alarm: the level, if a test was made."""
        return 0.0 if self.p_value is None else self.level

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        return {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}.get(severity)


def evaluate_throughput(yardstick: ThroughputYardstick | None, n: int, *, complete: bool) -> ThroughputCheck | None:
    """Judge how many rows a window has.

    Args:
        yardstick: None: it is not checked.
        n: rows of the window.
        complete: whether every pane of the window was counted; if not, no verdict is given.
    """
    if yardstick is None:
        return None
    rule, usual = yardstick.rule, yardstick.usual
    gone = yardstick.gone(n)
    found = ThroughputCheck(
        value=gone,
        n=n,
        usual=None if usual is None else usual.mean,
        live=yardstick.live,
        silent_ms=None,
        warning=rule.warning,
        critical=rule.critical,
        p_value=None,
        level=yardstick.level,
        provisional=yardstick.provisional,
        most_seen=yardstick.most_seen,
        verdict=Verdict.OK if complete else Verdict.UNDEFINED,
        reason=None if complete else "window filling",
    )
    if not complete or gone is None or gone < rule.warning:
        return found
    verdict = Verdict.CRITICAL if gone >= rule.critical else Verdict.WARNING
    if usual is None or rule.rule == THRESHOLD:
        return replace(found, verdict=verdict)
    p_value = _p_value(n, usual)
    if yardstick.is_seen(n):
        return replace(found, verdict=verdict, p_value=p_value)
    return replace(found, verdict=Verdict.UNDEFINED, reason="sampling noise", p_value=p_value)


def _p_value(rows: int, usual: RowsEvidence) -> float:
    return few_rows_p_value(rows, usual.mean, usual.overdispersion, usual.windows)


def evaluate_silence(
    yardstick: ThroughputYardstick | None, found: ThroughputCheck | None, idle_ms: int
) -> ThroughputCheck | None:
    """Judge that no partition has had a row for `idle_ms`; None: it is no alarm.

    Args:
        yardstick: None: throughput is not checked.
        found: of the newest window.
        idle_ms: how long a partition is silent until it is called idle.
    """
    if yardstick is None or found is None:
        return None
    alarm = replace(found, value=1.0, silent_ms=idle_ms, verdict=Verdict.CRITICAL, reason=None, p_value=None)
    if yardstick.rule.rule == THRESHOLD:
        return alarm
    usual = yardstick.usual
    if usual is None or usual.longest_silence_ms >= idle_ms:
        return None  # not known to be unusual
    expected = usual.mean * idle_ms / yardstick.window_ms
    p_value = few_rows_p_value(0, expected, usual.overdispersion, usual.windows)
    return replace(alarm, p_value=p_value) if p_value < yardstick.level else None
