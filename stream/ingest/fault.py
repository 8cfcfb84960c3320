"""Why a message or an element is refused, before it has coordinates."""

from typing import Final, NamedTuple

SHOWN_CHARACTERS: Final = 80  # of a value in a detail: a 10 MB string must not become a 10 MB header


class Fault(NamedTuple):
    """What becomes a `Rejection` once the offset is known."""

    reason: str  # a key of REJECTION_REASONS
    detail: str  # for people: what was found and what to send instead


def shown(value: object) -> str:
    """A JSON value as a detail shows it: cut to 80 characters, objects and arrays by their name only.

    >>> shown("3"), shown(3), shown(True), shown(None), shown([1, 2])
    ("'3'", '3', 'true', 'null', 'an array')
    >>> len(shown("x" * 10_000_000))
    83
    """
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    whole = repr(value[: SHOWN_CHARACTERS + 1] if isinstance(value, str) else value)
    return whole if len(whole) <= SHOWN_CHARACTERS else whole[:SHOWN_CHARACTERS] + "..."
