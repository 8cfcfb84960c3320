"""What the operator can set about reading predictions."""

from typing import Literal

import msgspec

from stream.records.learning import LearningSettings

DEFAULT_MAX_CLOCK_SKEW_MS = 300_000  # 5 minutes
DEFAULT_MAX_MESSAGE_BYTES = 10 * 1024 * 1024  # ten times Kafka's own default limit for a message


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one decoder; everything here may change which rows are accepted."""

    max_clock_skew_ms: int = DEFAULT_MAX_CLOCK_SKEW_MS  # how far `ts` may be ahead of the record's timestamp
    unknown_models: Literal["dead-letter", "ignore", "learn"] = "dead-letter"
    fields: dict[str, str] = {}  # our field -> path in the message: {"score": "outputs.0.data.0"}
    constants: dict[str, str] = {}  # our field -> its value in every message: {"model": "fraud"}
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    learning: LearningSettings | None = None  # only with `unknown_models: learn`
