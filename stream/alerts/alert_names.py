"""What the alert on each check is called: the label `alertname`, and the section of the runbook."""

from typing import Final

from stream.alerts.quality_rules import (
    CARDINALITY,
    CLASS_SHARE,
    CONFIDENCE,
    ENTROPY,
    INVALID,
    MISSING,
    OUT_OF_RANGE,
    POSITIVE_SHARE,
    SCHEMA,
    STUCK,
    UNSEEN,
)
from stream.alerts.rules import ERROR_RATE, INPUT_LOST, LATENCY_SLA, PSI
from stream.alerts.throughput_rule import THROUGHPUT
from stream.baselines.performance_evidence import AUC, BRIER, MAE
from stream.records.violation import LATENCY_VIOLATION, VIOLATION_NAME

ALERT_NAMES: Final = {
    PSI: "DriftlinePSI",
    AUC: "DriftlineAUC",
    BRIER: "DriftlineBrier",
    MAE: "DriftlineMAE",
    LATENCY_SLA: "DriftlineLatencySLA",
    LATENCY_VIOLATION: VIOLATION_NAME,
    MISSING: "DriftlineQualityMissing",
    INVALID: "DriftlineQualityInvalid",
    OUT_OF_RANGE: "DriftlineQualityOutOfRange",
    UNSEEN: "DriftlineQualityUnseen",
    STUCK: "DriftlineQualityStuck",
    CARDINALITY: "DriftlineQualityCardinality",
    POSITIVE_SHARE: "DriftlinePositiveShare",
    CONFIDENCE: "DriftlineConfidence",
    ENTROPY: "DriftlineEntropy",
    CLASS_SHARE: "DriftlineClassShare",
    ERROR_RATE: "DriftlineErrorRate",
    SCHEMA: "DriftlineSchema",
    THROUGHPUT: "DriftlineThroughput",
    INPUT_LOST: "DriftlineInputLost",
}
