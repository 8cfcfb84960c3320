"""Log lines: an event, fixed words, with its fields beside it; one line each, text or JSON."""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

OURS: Final = "driftline"  # the logger above all of ours
REPEATED_AFTER_S: Final = 10.0
LINES_REMEMBERED: Final = 1_000


class FieldsFormatter(logging.Formatter):
    """Time, level, logger, event, then the fields.

    >>> record = logging.makeLogRecord({"name": "driftline.worker", "levelname": "INFO", "created": 0.0,
    ...     "msg": "recovered", "seconds": 0.2, "partitions": ["predictions/0"]})
    >>> FieldsFormatter().format(record)
    '1970-01-01T00:00:00.000Z INFO driftline.worker recovered seconds=0.2 partitions=["predictions/0"]'
    """

    def __init__(self, *, as_json: bool = False) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on lines of its own, or as a field of the JSON object."""
        moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:
            line = {"time": f"{moment}Z", "level": record.levelname, "logger": record.name}
            line |= {"event": record.getMessage()} | fields | ({"traceback": trace} if trace else {})
            return orjson.dumps(line, default=str).decode()
        words = [f"{moment}Z", record.levelname, record.name, record.getMessage()]
        words += [f"{name}={_plain(value)}" for name, value in fields.items()]
        return " ".join(words) + (f"\n{trace}" if trace else "")


class OncePerWhile(logging.Filter):
    """Lets an identical line of a library through once in `while_s`; our own lines always pass.

    aiokafka says tens of times a second that a broker is gone. The next line that passes has a field
    `repeated`: how often the same was said in between. Memory: at most LINES_REMEMBERED lines.
    """

    def __init__(self, while_s: float = REPEATED_AFTER_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._while_s = while_s
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}  # when a line passed, how often it has not since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        if record.name.partition(".")[0] == OURS:
            return True
        line, now_s = (record.name, record.levelno, record.getMessage()), self._clock()
        said_at_s, repeated = self._said.get(line, (None, 0))
        if said_at_s is not None and now_s - said_at_s < self._while_s:
            self._said[line] = (said_at_s, repeated + 1)
            return False
        if len(self._said) >= LINES_REMEMBERED:
            self._said.clear()
        self._said[line] = (now_s, 0)
        if repeated:
            record.repeated = repeated
        return True


def set_up_logging(*, level: str, as_json: bool) -> None:
    """Our events at `level`, libraries' from WARNING on, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldsFormatter(as_json=as_json))
    handler.addFilter(OncePerWhile())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(level.upper())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value and " " not in value else orjson.dumps(value, default=str).decode()
