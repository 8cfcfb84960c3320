"""`driftline verify` after the replay: is what each alert says what the topics hold?"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from stream.errors import CallerError

EQUAL: Final = "equal"
UNEQUAL: Final = "unequal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What became of one alert."""

    result: str  # equal | unequal | cannot | nothing
    messages: int  # of the alert
    reason: str  # why it cannot be verified

    @property
    def in_words(self) -> str:
        """As a line of the summary says it.

        >>> Verification(result="equal", messages=2, reason="").in_words
        'equal in 2 messages'
        >>> Verification(result="cannot", messages=1, reason="the label's rows are joined").in_words
        "cannot be verified (the label's rows are joined)"
        """
        if self.result == EQUAL:
            return f"equal in {self.messages} message{'' if self.messages == 1 else 's'}"
        return "UNEQUAL" if self.result == UNEQUAL else f"cannot be verified ({self.reason})"


def verify(config_file: Path, alerts: Iterable[str]) -> Mapping[str, Verification]:
    """The alerts of the topic with these ids; the broker must still be there.

    Raises:
        CallerError: the command failed.
    """
    ids = sorted(set(alerts))
    if not ids:
        return {}
    command = [sys.executable, "-m", "stream", "verify", *ids, "--json", "-c", str(config_file)]
    done = subprocess.run(command, capture_output=True, check=False)
    try:
        found = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CallerError(f"`driftline verify` failed: {said}") from None
    return parse(found)


def parse(found: Mapping[str, Any]) -> Mapping[str, Verification]:
    """What the command prints with `--json`."""
    return {
        alert["id"]: Verification(
            result=alert["result"],
            messages=len(alert["messages"]),
            reason=next((m["reason"] for m in alert["messages"] if m["reason"]), ""),
        )
        for alert in found["alerts"]
    }
