"""Reports of labels, made by hand."""

from stream.demo.delay_model import DAY_MS
from stream.demo.performance import Cohort, Performance


def performance(
    end_ms: int,
    auc: float,
    *,
    n: int = 24,
    reliable: bool | None = True,
    estimated: float = 0.9,
    coverage: float = 0.96,
    cohorts: tuple[Cohort, ...] = (),
) -> Performance:
    """One window of a day against a baseline of AUC 0.914."""
    return Performance(
        window_start_ms=end_ms - DAY_MS,
        window_end_ms=end_ms,
        n=n,
        complete=True,
        auc=auc,
        auc_low=auc - 0.001,
        auc_high=auc + 0.001,
        auc_se=0.02,
        estimated=estimated,
        reliable=reliable,
        baseline=0.914,
        warning=0.714,
        critical=0.514,
        coverage=coverage,
        delay_p50_s=7_200.0,
        delay_p95_s=18_000.0,
        cohorts=cohorts,
    )
