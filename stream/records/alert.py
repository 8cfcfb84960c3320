"""What every message on the alerts topic has in common, whoever sends it."""

import hashlib
from typing import Final

import msgspec

ALERT_SCHEMA: Final = "driftline.alert/1"


def alert_id(*, model: str, version: str, check: str, subject: str, segment: str, first_pane_ms: int) -> str:
    """16 hex digits of SHA-256 over what an alert is about: the same after a crash, a replay or a repeat.

    >>> alert_id(model="fraud", version="3", check="psi", subject="amount", segment="", first_pane_ms=0)
    '39440c1c3bd7a91e'
    """
    identity = msgspec.json.encode((model, version, check, subject, segment, first_pane_ms))
    return hashlib.sha256(identity).hexdigest()[:16]


def runbook(alert_name: str) -> str:
    """Where the alert is explained, from the root of the repository.

    >>> runbook("DriftlinePSI")
    'docs/runbook.md#driftlinepsi'
    """
    return f"docs/runbook.md#{alert_name.lower()}"
