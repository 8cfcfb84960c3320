"""What predictions and labels say alike: which model, which version, when."""

import enum
import re
from collections.abc import Mapping
from typing import Final

from stream.ingest.event_time import event_time
from stream.ingest.fault import Fault, shown
from stream.ingest.settings import IngestSettings
from stream.records.prediction import ModelKey

DEFAULT_VERSION: Final = "0"
MAX_NAME_CHARACTERS: Final = 200  # of a model or a version: they are keys and metric labels
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Ignored(enum.Enum):
    """A message of an unknown model under `unknown_models: ignore`."""

    IGNORED = enum.auto()


IGNORED: Final = Ignored.IGNORED


def model_key(message: Mapping[str, object]) -> ModelKey | Fault:
    """Which model and version it names; whether they are known is another question."""
    model, version = message.get("model"), message.get("version")
    if model is None or model == "":
        return Fault("missing_model", "`model` is required, a text")
    if not isinstance(model, str):
        return Fault("wrong_type", f"model must be a text, got {shown(model)}")
    if version is None:
        return ModelKey(model, DEFAULT_VERSION)
    if not isinstance(version, str):
        return Fault("wrong_type", f'version must be a text such as "3", got {shown(version)}')
    return ModelKey(model, version)


def name_fault(field: str, name: str) -> Fault | None:
    """Why a name is not fit to be a key and a metric's label, or None."""
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        return Fault("wrong_type", f"{field} must have 1 to {MAX_NAME_CHARACTERS} characters, got {len(name)}")
    if _CONTROL_CHARACTER.search(name):
        return Fault("wrong_type", f"{field} must not hold control characters, got {shown(name)}")
    return None


def time_of(message: object, record_timestamp_ms: int, settings: IngestSettings) -> int | None:
    """Event time of a message that did not become a row; None if it names no model or no time.

    Whatever becomes of it, it moves the watermark: else lateness would depend on which models an owner knows.
    """
    if not isinstance(message, dict) or isinstance(model_key(message), Fault):
        return None
    found = event_time(
        message.get("ts"), record_timestamp_ms=record_timestamp_ms, max_clock_skew_ms=settings.max_clock_skew_ms
    )
    return None if isinstance(found, Fault) else found
