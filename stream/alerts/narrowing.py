"""Whether a silence is about some alerts, or about all of them and all but a few: that must be asked for."""

from collections.abc import Mapping
from typing import Final

from detectors import Verdict
from stream.alerts.alert_names import ALERT_NAMES
from stream.alerts.silences import Matcher, Silence, like

ALL_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "alertname": tuple(ALERT_NAMES.values()),
    "check": tuple(ALERT_NAMES),
    "severity": (str(Verdict.NOTICE), str(Verdict.WARNING), str(Verdict.CRITICAL)),
}
"""Of the labels that can have only so many."""


def silence_narrows(silence: Silence) -> bool:
    """Whether it is about some alerts rather than about all, or all but some."""
    return any(map(narrows, silence.matchers))


def narrows(matcher: Matcher) -> bool:
    """Whether it leaves out enough.

    `!=` does not, nor stars with one letter at most, for most names have any one; nor what all alerts fulfil.

    >>> [narrows(Matcher("model", pattern)) for pattern in ("fraud", "fr*", "f*", "*a*", "*")]
    [True, True, False, False, False]
    >>> narrows(Matcher("alertname", "Driftline*")), narrows(Matcher("alertname", "DriftlineQuality*"))
    (False, True)
    """
    pattern = matcher.pattern
    if matcher.differs or not pattern or ("*" in pattern and len(pattern.replace("*", "")) <= 1):
        return False
    known = ALL_VALUES.get(matcher.label)
    return known is None or not all(like(pattern, value) for value in known)
