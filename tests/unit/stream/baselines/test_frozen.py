"""Entries of the registry that were written long ago: read, they are the same bytes and count into the same panes."""

from pathlib import Path

from stream.baselines.baseline import Baseline
from stream.baselines.definition import Definition
from stream.records.settings import CountingSettings

WRITTEN = Path(__file__).parents[3] / "golden" / "baseline_with_evidence.json"


def test_what_a_baseline_may_know_besides_changes_no_definition() -> None:
    """Or all panes that were counted with it would be lost."""
    written = WRITTEN.read_bytes()
    baseline = Baseline.from_bytes(written)
    assert baseline.evidence
    assert baseline.to_bytes() == written
    counting = CountingSettings(pane_ms=300_000, allowed_lateness_ms=0, max_clock_skew_ms=0)
    assert Definition(baseline, counting).id == "22a6992b57f41bcd"
