"""The features of one window by name, against the baseline's: vanished, new, and probably renamed.

Vanished: the share of the rows looked at without the key (null is not absent) is above the baseline's share of missing
values by the limit, and healthy windows, whose keys are absent at most as often as values are missing, have so many or
more with a chance below the level.
New: a name that neither the baseline has nor the model's first whole window had, in a share of the rows from the limit
on, and in so many that one of half that share has them with a chance below the level: a name that comes now and then
is no news. Told as `info`, for by itself it harms nothing.
Renamed: a new name that came in as many rows as a feature vanished from, within a tenth, and whose values fit that
feature's baseline (`likeness`). Of several the best fit; it is told as probable, for two columns may be alike.
Cost: below 0.1 ms while the names are the baseline's, however many; 40 ms where 32 features vanish at once and 32 names
come instead.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, NamedTuple

import msgspec

from detectors import Undefined, Verdict
from stream.alerts.episode import named
from stream.alerts.quality_rules import SCHEMA, Limits
from stream.alerts.rules import THRESHOLD
from stream.evaluate.likeness import Likeness, likeness
from stream.evaluate.quality_evaluator import NOISE, rise_p_value
from stream.evaluate.quality_yardstick import QualityYardstick
from stream.records.feature_names import FeatureNames

FEWEST_LOOKED: Final = 5  # rows looked at, below which no verdict is given
MOST_MATCHED: Final = 32  # features that vanish at once; of more it is not asked what they were renamed to
FEWEST_USUAL: Final = 20  # rows looked at in a window that says which names are no news
_AS_OFTEN: Final = 0.1  # by how much the two counts of a rename may differ, as a share of the larger
_USUAL_SHARE: Final = 0.1  # of the first whole window's rows: a name that is in so many is no news later
_MOST_NAMES: Final = 128  # beside the baseline's that are looked after, of those no news and of those that are

VANISHED: Final = "vanished"
RENAMED: Final = "renamed"
NEW: Final = "new"


class Renamed(NamedTuple):
    """What a vanished feature is probably called now."""

    name: str
    likeness: Likeness


class SchemaCheck(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One feature of one window, with its verdict."""

    check: str = SCHEMA
    subject: str
    change: str  # "vanished" | "renamed" | "new": what there is to be told, if it is
    value: float | Undefined  # share of the rows looked at, 0..1
    healthy: float  # what it is in healthy windows, at most
    count: int  # rows looked at
    n: int  # out of so many
    warning: float  # the limits, in the value's unit; of a new one the first is for `info`
    critical: float
    p_value: float | None  # None: not asked, for the effect is not there
    level: float
    verdict: Verdict
    reason: str | None  # why the verdict is undefined
    renamed: Renamed | None = None
    usual: tuple[str, ...] = ()  # beyond a limit: the names beside the baseline's that were no news

    def limit_of(self, severity: Verdict) -> float | None:
        """The limit that a verdict says was crossed."""
        of_new = {Verdict.NOTICE: self.warning}
        of_vanished = {Verdict.WARNING: self.warning, Verdict.CRITICAL: self.critical}
        return (of_new if self.change == NEW else of_vanished).get(severity)


class _Found(NamedTuple):
    """What one feature or name has come to, before its evidence is asked for."""

    subject: str
    change: str
    healthy: float
    rows: int
    limits: Limits
    verdict: Verdict
    renamed: Renamed | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class SchemaWindow:
    """The features of one window."""

    looked: int  # rows that were looked at
    beyond: int  # times that a name was too long, or one too many, to be counted by itself
    usual: tuple[str, ...]  # names beside the baseline's that the model's first whole window had
    beside: Mapping[str, int]  # rows, by other name that the baseline has not
    judged: int  # how many checks have a verdict
    crossed: tuple[SchemaCheck, ...]  # those whose limit is crossed, be it by chance
    spent: float  # how often chance alone would have made one of the verdicts an alarm, at most
    judge: Callable[[Collection[str] | None], Iterator[SchemaCheck]]  # some subjects, or all

    @cached_property
    def checks(self) -> tuple[SchemaCheck, ...]:
        """All of them."""
        return tuple(self.judge(None))

    def told(self, alerts: Collection[str]) -> tuple[SchemaCheck, ...]:
        """Those that can move alerts: whose limit is crossed, and that the alerts given by name are about."""
        held = {subject for check, subject in map(named, alerts) if check == SCHEMA}
        crossed = {check.subject for check in self.crossed}
        return self.crossed if held <= crossed else tuple(self.judge(held | crossed))


def evaluate_schema(
    yardstick: QualityYardstick | None, names: FeatureNames, usual: Collection[str] | None, *, complete: bool
) -> SchemaWindow | None:
    """Judge the names of the features in one window.

    Args:
        yardstick: of data quality; None: it is not checked.
        names: of the window.
        usual: names beside the baseline's that are no news; None: not known yet, so no name is new.
        complete: whether every pane of the window was counted; if not, no verdict is given.
    """
    if yardstick is None or SCHEMA not in yardstick.rule.limits:
        return None
    few = "empty" if not names.looked else "too few" if names.looked < FEWEST_LOOKED else None
    reason = few if complete or not names.looked else "window filling"
    came = {name: rows for name, rows in names.rows_by_name().items() if name not in (usual or ())}
    news = () if usual is None else _frequent({name: n for name, n in came.items() if name not in yardstick.rule.off})
    # A copy of the names: a running sum moves on, and what is below its limit is judged only when somebody asks.
    window = _Window(yardstick, names.ordered(), came, tuple(sorted(news)), tuple(usual or ()), reason)
    # What has a limit above 0 and did not happen is not beyond it: mostly nothing is left to be judged one by one.
    crossed = () if reason else tuple(c for c in window.judge(names.absent.keys() | came) if c.p_value is not None)
    tests = 0 if reason else len(yardstick.watched[SCHEMA])
    by_chance = sum(check.reason == NOISE for check in crossed)
    return SchemaWindow(
        looked=names.looked,
        beyond=names.beyond,
        usual=window.usual,
        beside={name: came[name] for name in news},
        judged=0 if reason else tests + len(news) - by_chance,
        crossed=crossed,
        spent=tests * yardstick.level if yardstick.rule.rule != THRESHOLD else 0.0,
        judge=window.judge,
    )


def usual_names(yardstick: QualityYardstick, names: FeatureNames) -> tuple[str, ...] | None:
    """The names beside the baseline's that are no news, by a model's first whole window; None: it has too few rows.

    A name that a feature of the baseline has been renamed to is none of them.
    """
    found = evaluate_schema(yardstick, names, (), complete=True)
    if found is None or found.looked < FEWEST_USUAL:
        return None
    renamed = {check.renamed.name for check in found.crossed if check.renamed is not None}
    came = {name: rows for name, rows in names.rows_by_name().items() if name not in renamed}
    return tuple(sorted(name for name in _frequent(came) if came[name] >= _USUAL_SHARE * names.looked))


def _frequent(came: Mapping[str, int]) -> list[str]:
    """The names that came in the most rows, so many as are looked after."""
    return sorted(came, key=lambda name: (-came[name], name))[:_MOST_NAMES]


@dataclass(frozen=True, eq=False)
class _Window:
    """One window's names, and by what they are judged."""

    by: QualityYardstick
    names: FeatureNames
    came: Mapping[str, int]  # rows, by name that is neither the baseline's nor usual
    news: tuple[str, ...]  # of them, those that are looked after
    usual: tuple[str, ...]
    reason: str | None  # why no verdict is given at all

    def judge(self, subjects: Collection[str] | None) -> Iterator[SchemaCheck]:
        """The checks of some features and names, or of all."""
        if subjects is not None and not subjects:
            return
        for i in self.by.watched[SCHEMA]:
            if subjects is None or self.by.counters.names[i] in subjects:
                yield self._vanished(i)
        for name in self.news:
            if subjects is None or name in subjects:
                yield self._new(name)

    def _vanished(self, series: int) -> SchemaCheck:
        law, limits, subject = self.by.healthy.missing, self._limits(series), self.by.counters.names[series]
        healthy, count, n = float(law.rate[series]), self.names.absent.get(subject, 0), self.names.looked
        verdict, chance = Verdict.OK, None
        if count >= limits.warning * n:
            verdict = Verdict.CRITICAL if count >= limits.critical * n else Verdict.WARNING
            chance = partial(rise_p_value, count, n, healthy, float(law.overdispersion[series]))
        renamed = self._renamed.get(subject) if chance else None
        change = VANISHED if renamed is None else RENAMED
        return self._check(_Found(subject, change, healthy, count, limits, verdict, renamed), chance)

    def _new(self, name: str) -> SchemaCheck:
        limits, count, n = self.by.rule.limits[SCHEMA], self.came[name], self.names.looked
        verdict, chance = Verdict.OK, None
        if count >= limits.warning * n and name not in {one.name for one in self._renamed.values()}:
            verdict, chance = Verdict.NOTICE, partial(rise_p_value, count, n, limits.warning / 2, 0.0)
        return self._check(_Found(name, NEW, 0.0, count, limits, verdict), chance)

    def _limits(self, series: int) -> Limits:
        healthy, above = float(self.by.healthy.missing.rate[series]), self.by.rule.limits[SCHEMA]
        return Limits(warning=healthy + above.warning, critical=healthy + above.critical)

    def _check(self, found: _Found, chance: Callable[[], float] | None) -> SchemaCheck:
        """`chance`: of a healthy window to have as much; None: within its limit."""
        n, verdict, reason = self.names.looked, Verdict.UNDEFINED if self.reason else found.verdict, self.reason
        p_value = chance() if chance and reason is None else None
        if p_value is not None and self.by.rule.rule != THRESHOLD and p_value >= self.by.level:
            verdict, reason = Verdict.UNDEFINED, NOISE
        return SchemaCheck(
            subject=found.subject,
            change=found.change,
            value=found.rows / n if n else Undefined("empty"),
            healthy=found.healthy,
            count=found.rows,
            n=n,
            warning=found.limits.warning,
            critical=found.limits.critical,
            p_value=p_value,
            level=self.by.level,
            verdict=verdict,
            reason=reason,
            renamed=found.renamed,
            usual=() if p_value is None else self.usual,
        )

    @cached_property
    def _renamed(self) -> dict[str, Renamed]:
        """By vanished feature its new name: the best fits first, each name once."""
        absent, of_series = self.names.absent, self.by.layout.series
        at = [i for i in self.by.watched[SCHEMA] if of_series[i].name in absent]
        gone = [i for i in at if absent[of_series[i].name] >= self._limits(i).warning * self.names.looked]
        if self.reason or len(gone) > MOST_MATCHED:
            return {}
        pairs: list[tuple[float, str, str, Likeness]] = []
        for subject, series in ((of_series[i].name, of_series[i]) for i in gone):
            for name in (name for name, rows in self.came.items() if _as_often(rows, absent[subject])):
                found = likeness(self.names.unknown[name], series)
                if found is not None and found.fits:
                    pairs.append((found.gap, subject, name, found))
        matched: dict[str, Renamed] = {}
        for _, subject, name, found in sorted(pairs):
            if subject not in matched and all(one.name != name for one in matched.values()):
                matched[subject] = Renamed(name, found)
        return matched


def _as_often(came: int, went: int) -> bool:
    return abs(came - went) <= _AS_OFTEN * max(came, went)
