"""Reports as they lie on their topic: JSON, plain values only."""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from detectors import EstimatedPerformance, Undefined
from stream.baselines.definition import Definition
from stream.evaluate.alert_message import window_record
from stream.evaluate.error_report import error_record
from stream.evaluate.evaluator import Check, Evaluation, SeriesTest
from stream.evaluate.latency_report import latency_record
from stream.evaluate.quality_report import quality_record
from stream.evaluate.schema_report import schema_record
from stream.evaluate.throughput_report import throughput_record
from stream.records.prediction import ModelKey

REPORT_SCHEMA: Final = "driftline.report/1"


class Judged(NamedTuple):
    """What was judged: one window of one model's traffic."""

    evaluation: Evaluation
    definition: Definition
    segment: str  # "" for the whole traffic


def report_record(
    judged: Judged, *, revision: int, alerts: Mapping[str, Any], reliable: bool | None = None
) -> dict[str, Any]:
    """The message of one evaluation.

    Args:
        judged: what was judged.
        revision: how often the window was published before.
        alerts: the ids of those that fire, and of those that are silenced.
        reliable: whether the estimates were right where labels could last tell; None: they never could.
    """
    evaluation, definition, segment = judged
    return {
        "schema": REPORT_SCHEMA,
        "model": definition.key.model,
        "version": definition.key.version,
        "segment": segment,
        "window": window_record(evaluation.start_ms, evaluation.end_ms),
        "n": evaluation.n,
        "complete": evaluation.complete,
        "revision": revision,
        "baseline": definition.baseline.id,
        "definition": definition.id,
        "season": None if evaluation.season is None else evaluation.season.name,
        **_learning(evaluation),
        "checks": [_check(c) for c in evaluation.checks],
        "estimates": _estimates(evaluation.estimates, reliable=reliable),
        "latency": latency_record(evaluation.latency),
        "quality": quality_record(evaluation.quality),
        "feature_names": schema_record(evaluation.schema),
        "operations": {
            "throughput": throughput_record(evaluation.throughput),
            "errors": error_record(evaluation.errors),
        },
        **alerts,
    }


def encode(record: dict[str, Any]) -> bytes:
    """JSON, keys in the order given, so that equal records are equal bytes."""
    return orjson.dumps(record)


def report_key(key: ModelKey, segment: str) -> bytes:
    """`model@version`, a segment after it.

    >>> report_key(ModelKey("flight-delay", "3"), "origin=EWR")
    b'flight-delay@3/origin=EWR'
    """
    return f"{key}/{segment}".encode() if segment else str(key).encode()


def _learning(evaluation: Evaluation) -> dict[str, Any]:
    """How far evidence from the model's own windows is; nothing where the baseline has enough."""
    if evaluation.learning is None:
        return {}
    windows, wanted = evaluation.learning
    return {"learning": {"windows": windows, "next_at": wanted}}


def _estimates(found: EstimatedPerformance | Undefined | None, *, reliable: bool | None) -> dict[str, Any] | None:
    """What performance should be by the scores alone; None where the baseline has no labels to estimate with."""
    if found is None:
        return None
    names = ("auc", "precision", "recall", "brier", "base_rate")
    values = {name: None if isinstance(found, Undefined) else _number(getattr(found, name)) for name in names}
    return {**values, "reliable": reliable}


def _check(check: Check) -> dict[str, Any]:
    return {
        "check": check.check,
        "subject": check.subject,
        "value": _number(check.value),
        "n": check.n,
        "threshold": {
            "notice": check.threshold.notice,
            "warning": check.threshold.warning,
            "critical": check.threshold.critical,
            "min_count": check.threshold.min_count,
        },
        "verdict": str(check.verdict),
        "reason": check.reason,
        "kl_nats": _number(check.kl_nats),
        "js_nats": _number(check.js_nats),
        **test_record(check),
        "evidence": {"baseline": check.baseline.tolist(), "current": check.current.tolist()},
    }


def test_record(check: Check) -> dict[str, Any]:
    """By what rule a series was judged, and what its test said; null where there was none."""
    test = check.test
    return {
        "rule": check.rule,
        "p_value": test and test.p_value,
        "level": test and test.level,
        "psi_corrected": test and test.psi_corrected,
        "minimum_detectable": test and _detectable(test),
        "provisional": check.provisional,
        **({} if test is None or test.times_farthest is None else {"far": _far(test.times_farthest)}),
    }


def _far(times: float) -> dict[str, Any]:
    """What a breach rests on that has no evidence by its p-value."""
    return {"times": times, "words": far_in_words(times)}


def far_in_words(times: float) -> str:
    """How far beyond healthy windows one is.

    >>> far_in_words(2.345), far_in_words(4_321.0)
    ('2.3 times the PSI of any healthy window', 'more than 99 times the PSI of any healthy window')
    """
    return f"{f'{times:.2g}' if times < 99 else 'more than 99'} times the PSI of any healthy window"


def _detectable(test: SeriesTest) -> dict[str, Any] | None:
    """The smallest PSI that would be told of; null for a series that is switched off."""
    if math.isinf(test.detectable_psi):
        return None
    seen = test.seen
    return {
        "psi": test.detectable_psi,
        "psi_along_wander": test.detectable_along_psi,
        "rows": seen.rows,
        "mean_shift_sd": seen.mean_shift_sd,
        "missing_share": seen.missing_share,
        "words": seen.words,
    }


def _number(value: float | Undefined) -> float | None:
    return None if isinstance(value, Undefined) else value
