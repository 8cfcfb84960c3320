"""What people say about alerts: silences, and acknowledgements. The topic `silences` holds the newest of each.

A silence keeps alerts whose labels match from being told, for windows that end within [start, end) of event time: a
maintenance window is one that starts later. Both reach an evaluation by an activation in its changelog, at an offset,
so that what is told is a function of the log and not of when a worker heard of them.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from stream.errors import InputError
from stream.records.times import epoch_ms, rfc3339

SILENCE_SCHEMA: Final = "driftline.silence/1"
ACKNOWLEDGEMENT_SCHEMA: Final = "driftline.acknowledgement/1"
LABELS: Final = ("alertname", "model", "version", "check", "subject", "segment", "severity")
LONGEST_TEXT: Final = 500  # of a pattern, a name or a comment
MOST_MATCHERS: Final = 20
MOST_KEPT: Final = 500  # silences, and as many acknowledgements: the newest; they lie in `@`
MOST_KEPT_BYTES: Final = 200_000  # of each of the two: `@` must fit a message
_MATCHER: Final = re.compile(r"([a-z]+)(!?=)(.*)", re.S)


class Matcher(msgspec.Struct, frozen=True, array_like=True):
    """A condition on one label."""

    label: str  # one of LABELS
    pattern: str  # `*` stands for any text
    differs: bool = False  # the label must not match

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels fulfils it."""
        return like(self.pattern, labels[self.label]) is not self.differs

    def __str__(self) -> str:
        return f"{self.label}{'!=' if self.differs else '='}{self.pattern}"


class Silence(msgspec.Struct, frozen=True, array_like=True):
    """Alerts that are not told for a while."""

    id: str
    matchers: tuple[Matcher, ...]  # all must match; none: every alert
    starts_at_ms: int  # event time
    ends_at_ms: int
    author: str
    comment: str

    def is_about(self, labels: Mapping[str, str]) -> bool:
        """Whether it silences alerts with these labels."""
        return all(matcher.matches(labels) for matcher in self.matchers)


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True):
    """Somebody has seen an alert and looks after it."""

    alert: str  # its id
    author: str
    at_ms: int
    comment: str

    def record(self) -> dict[str, str]:
        """As the alert's messages show it."""
        return {"by": self.author, "at": rfc3339(self.at_ms), "comment": self.comment}


class Requests(msgspec.Struct, frozen=True, array_like=True):
    """All that people have said, as one activation. Its bytes differ whenever more has been read."""

    read_to: int = 0  # offset behind the newest record of the topic
    silences: tuple[Silence, ...] = ()  # ascending by id
    acknowledgements: tuple[Acknowledgement, ...] = ()  # ascending by alert

    def at(self, end_ms: int) -> "tuple[Silence, ...]":
        """The silences that count for a window that ends then."""
        return tuple(silence for silence in self.silences if silence.starts_at_ms <= end_ms < silence.ends_at_ms)

    def acknowledgement_of(self, alert: str) -> Acknowledgement | None:
        """What was said of an alert; one of many, each asked for at every window."""
        place = bisect_left(self.acknowledgements, alert, key=lambda ack: ack.alert)
        found = self.acknowledgements[place : place + 1]
        return found[0] if found and found[0].alert == alert else None


NO_REQUESTS: Final = Requests()


def matcher_of(text: str) -> Matcher:
    """`model=fraud`, `subject!=wind_*`.

    >>> matcher_of("subject!=wind_*")
    Matcher(label='subject', pattern='wind_*', differs=True)

    Raises:
        InputError: it is no condition on a label that alerts have.
    """
    found = _MATCHER.fullmatch(text)
    if found is None or found[1] not in LABELS:
        raise InputError(f"{text!r} is no matcher; write LABEL=TEXT or LABEL!=TEXT with one of {', '.join(LABELS)}")
    if len(found[3]) > LONGEST_TEXT:
        raise InputError(f"a matcher's text must be at most {LONGEST_TEXT} characters long, got {len(found[3])}")
    return Matcher(found[1], found[3], found[2] == "!=")


def silence_record(silence: Silence) -> dict[str, Any]:
    """The message of a silence."""
    return {
        "schema": SILENCE_SCHEMA,
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "startsAt": rfc3339(silence.starts_at_ms),
        "endsAt": rfc3339(silence.ends_at_ms),
        "createdBy": silence.author,
        "comment": silence.comment,
    }


def acknowledgement_record(ack: Acknowledgement) -> dict[str, Any]:
    """The message of an acknowledgement."""
    return {"schema": ACKNOWLEDGEMENT_SCHEMA, "alert": ack.alert, **ack.record()}


def read_request(value: bytes) -> Silence | Acknowledgement | str:
    """What a message of the topic says, or why it says nothing: anybody may write there."""
    try:
        record = msgspec.json.decode(value, type=dict[str, Any])
        found = _READ[record["schema"]](record)
    except KeyError as missing:
        return f"{missing.args[0]} is missing or unknown"
    except (ValueError, TypeError, AttributeError, InputError) as problem:
        return str(problem)
    return found if _is_sound(found) else "a text that is too long, too many matchers, or an end before the start"


def _silence(record: Mapping[str, Any]) -> Silence:
    return Silence(
        id=_text(record["id"]),
        matchers=tuple(matcher_of(_text(text)) for text in record["matchers"]),
        starts_at_ms=epoch_ms(record["startsAt"]),
        ends_at_ms=epoch_ms(record["endsAt"]),
        author=_text(record["createdBy"]),
        comment=_text(record["comment"]),
    )


def _acknowledgement(record: Mapping[str, Any]) -> Acknowledgement:
    return Acknowledgement(
        _text(record["alert"]), _text(record["by"]), epoch_ms(record["at"]), _text(record["comment"])
    )


_READ: Final[dict[str, Callable[[Mapping[str, Any]], Silence | Acknowledgement]]] = {
    SILENCE_SCHEMA: _silence,
    ACKNOWLEDGEMENT_SCHEMA: _acknowledgement,
}


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(f"{value!r:.80} is no text of at most {LONGEST_TEXT} characters")
    return value


def _is_sound(found: Silence | Acknowledgement) -> bool:
    if isinstance(found, Acknowledgement):
        return True
    return len(found.matchers) <= MOST_MATCHERS and found.starts_at_ms <= found.ends_at_ms


def like(pattern: str, text: str) -> bool:
    """Whether the whole text is as the pattern says; `*` stands for any text, none too.

    No regular expression, since some of those that people send take for ever: this takes one pass over the text.

    >>> like("wind_*", "wind_speed"), like("*a*b", "cab"), like("a*a", "a")
    (True, True, False)
    """
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at, last = len(first), rest.pop()
    for part in rest:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)
