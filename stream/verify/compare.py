"""Two messages, field by field: what an alert says, and what was made of the same rows again.

Integers and words must be equal; numbers that were computed must agree to 9 digits, since another machine may add
in another order.
"""

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

RELATIVE: Final = 1e-9
ABSENT: Final = "(absent)"


class Difference(NamedTuple):
    """One field that is not the same."""

    field: str  # "evidence.bins.current[3]"
    said: Any  # by the alert
    found: Any  # by the recount


def differences(said: Any, found: Any, field: str = "") -> Iterator[Difference]:
    """What differs, in the order of the fields.

    >>> list(differences({"n": 3, "bins": [1, 2]}, {"n": 3, "bins": [1, 1]}))
    [Difference(field='bins[1]', said=2, found=1)]
    >>> list(differences({"value": 0.1 + 0.2}, {"value": 0.3, "n": 3}))
    [Difference(field='n', said='(absent)', found=3)]
    """
    if isinstance(said, dict) and isinstance(found, dict):
        for name in [*said, *(name for name in found if name not in said)]:
            path = f"{field}.{name}" if field else name
            yield from differences(said.get(name, ABSENT), found.get(name, ABSENT), path)
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for i, (one, other) in enumerate(zip(said, found, strict=True)):
            yield from differences(one, other, f"{field}[{i}]")
    elif not _same(said, found):
        yield Difference(field, said, found)


def _same(said: Any, found: Any) -> bool:
    if isinstance(said, float) or isinstance(found, float):
        numbers = isinstance(said, int | float) and isinstance(found, int | float)
        return numbers and math.isclose(said, found, rel_tol=RELATIVE)
    return type(said) is type(found) and bool(said == found)
