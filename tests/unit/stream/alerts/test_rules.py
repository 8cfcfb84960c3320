"""Which limits count for which subject."""

from detectors import Threshold, Verdict
from stream.alerts.rules import NEVER, Rules

DEFAULT = Threshold(warning=0.1, critical=0.25, min_count=200)
WIND = Threshold(warning=0.1, critical=0.5, min_count=200)


def test_a_subject_has_its_own_limits_or_the_default() -> None:
    rules = Rules(default=DEFAULT, subjects={"wind_speed": WIND, "note": NEVER})
    assert rules.limits("wind_speed") is WIND
    assert rules.limits("note") is NEVER
    assert rules.limits("distance") is DEFAULT


def test_what_is_switched_off_never_breaches() -> None:
    assert NEVER.judge(1e9, 10) is Verdict.OK
