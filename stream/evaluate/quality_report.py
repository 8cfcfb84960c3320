"""Data quality in reports and alerts: plain JSON values, shares from 0 to 1, and one line for people.

A report names every series with what it was made of; of the checks only those that are beyond a limit, so that 500
features fit into a message.
"""

import math
from typing import Any, Final

from detectors import Undefined, Verdict
from stream.alerts.evidence import interval_label
from stream.alerts.quality_rules import (
    CARDINALITY,
    CLASS_SHARE,
    CONFIDENCE,
    ENTROPY,
    INVALID,
    MISSING,
    OUT_OF_RANGE,
    POSITIVE_SHARE,
    STUCK,
    UNSEEN,
)
from stream.baselines.baseline import CategoricalSeries
from stream.baselines.layout import Series
from stream.evaluate.alert_message import Content
from stream.evaluate.latency_report import number
from stream.evaluate.quality_evaluator import QualityCheck, QualityWindow
from stream.records.times import duration_words

_SAID: Final = {
    MISSING: "is missing in {share} of {n} rows",
    INVALID: "is of a wrong type, or no number, in {share} of {n} rows",
    OUT_OF_RANGE: "is out of the baseline's range in {share} of {n} rows",
    UNSEEN: "has a category that the baseline has not in {share} of {n} rows",
    STUCK: "is stuck: {share} of {n} values are {bin}",
    POSITIVE_SHARE: "is positive in {now} of {n} answers",
    CONFIDENCE: "is sure by {now} on the average of {n} answers",
    ENTROPY: "has an entropy of {now} of a nat on the average of {n} answers",
    CLASS_SHARE: "is the largest in {now} of {n} answers",
    CARDINALITY: "fills only {count} of its {bins} with {n} values, {share} fewer than healthy windows",
}


def quality_record(found: QualityWindow | None) -> dict[str, Any] | None:
    """What a report says of data quality; None where it is not checked."""
    if found is None:
        return None
    return {
        "rule": found.rule.rule,
        "level": found.level,
        "min_count": found.rule.min_count,
        "provisional": found.provisional,
        "series": [
            {
                "subject": one.subject,
                "missing": one.missing,
                "invalid": one.invalid,
                "beyond": one.beyond,
                "different": one.different,
                "fullest": one.fullest,
                "detectable": seen_from,
            }
            for one, seen_from in zip(found.series, found.seen_from, strict=True)
        ],
        "classes": dict(found.tops),
        "answers": {name: number(value) for name, value in found.answers.items()},
        "judged": found.judged,
        "checks": [_check(check) for check in found.beyond],
    }


def quality_content(check: QualityCheck, series: Series, span_ms: int, *, severity: Verdict, resolved: bool) -> Content:
    """What an alert on data quality says, besides its window and offsets.

    Args:
        check: what was judged.
        series: that it is about.
        span_ms: the window's length.
        severity: of the episode.
        resolved: whether the alert ends.
    """
    said = _SAID[check.check].format(
        share=_share(check.value),
        n=check.n,
        count=check.count,
        bin=_bin(series, check.at),
        bins="categories" if isinstance(series, CategoricalSeries) else "bins",
        now=_share(check.now),
    )
    against = "" if check.check == CARDINALITY else f" ({_share(check.healthy)} when healthy)"
    what = f"{said}{against} over {duration_words(span_ms)}"
    return Content(
        f"{series.name} is back: it {what}" if resolved else f"{series.name} {what}",
        _description(check),
        number(check.value),
        check.limit_of(severity),
        {
            "healthy": check.healthy,
            "count": check.count,
            "of": check.n,
            "p_value": check.p_value,
            "level": check.level,
            "detectable": check.detectable,
            "now": check.now,
            "provisional": check.provisional,
        },
    )


def _description(check: QualityCheck) -> str:
    told = []
    if check.p_value is not None:
        told.append(f"A healthy window has so many or more with p = {check.p_value:.2g}.")
    if check.check == CARDINALITY and check.p_value is not None:
        told = [f"A healthy window has so few or fewer with p = {check.p_value:.2g}."]
    if check.detectable is not None:
        what = "a move of" if check.now is not None else "a share from"
        told.append(f"With {check.n} rows {what} about {_share(check.detectable)} on is seen.")
    if check.provisional:
        told.append("Provisional: how much healthy windows differ was not learned, rows are taken as independent.")
    return " ".join(told) or "The window says nothing of it any more."


def _share(value: float | Undefined | None) -> str:
    return "none" if value is None or isinstance(value, Undefined) else f"{100 * value:.3g}%"


def _bin(series: Series, at: int | None) -> str:
    """Where the values of a stuck series lie.

    >>> from stream.baselines.baseline import CategoricalSeries
    >>> carrier = CategoricalSeries(name="carrier", categories=("UA", "AA"), other_categories=(), counts=(5, 3),
    ...     other=0, missing=0, invalid=0)
    >>> _bin(carrier, 1)
    'AA'
    """
    if at is None:
        return "one value"
    if isinstance(series, CategoricalSeries):
        return series.categories[at]
    if at in (0, series.bins + 1):
        return "below the baseline's smallest" if at == 0 else "above the baseline's largest"
    edges = [-math.inf if series.minimum is None else series.minimum, *series.inner_edges]
    return interval_label(edges[at - 1], edges[at] if at < len(edges) else math.inf)


def _check(check: QualityCheck) -> dict[str, Any]:
    return {
        "check": check.check,
        "subject": check.subject,
        "value": number(check.value),
        "healthy": check.healthy,
        "count": check.count,
        "n": check.n,
        "threshold": {"warning": check.warning, "critical": check.critical},
        "p_value": check.p_value,
        "detectable": check.detectable,
        "now": check.now,
        "verdict": str(check.verdict),
        "reason": check.reason,
    }
