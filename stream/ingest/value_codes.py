"""Values of a feature that nobody has described, in bins that need no baseline: so two features can be compared later.

A number: its sign and its size, four bins an octave, clamped to 2**-32 .. 2**32; codes ascend with the numbers. A text:
one of 64 buckets by its CRC. All else: one code each for null, and for what is neither (a list, true, infinity).
At most about 580 codes, whatever comes. It cannot tell numbers within a fifth of each other apart.
"""

import math
import zlib
from typing import Final

OCTAVES: Final = 32  # on each side of 1
PARTS: Final = 4  # bins an octave
TEXTS: Final = 1_000  # the first of the codes of texts
BUCKETS: Final = 64
NULL: Final = 2_000
OTHER: Final = 2_001


def value_code(value: object) -> int:
    """The code of a JSON value.

    >>> [value_code(v) for v in (0, 1, 1.2, 1.25, 2, -1, None, True)]
    [0, 129, 129, 130, 133, -129, 2000, 2001]
    """
    if value is None:
        return NULL
    if isinstance(value, str):
        return TEXTS + zlib.crc32(value.encode("utf-8", "surrogatepass")) % BUCKETS
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return OTHER
    return number_code(float(value))


def number_code(number: float) -> int:
    """The code of a number; an infinite one, as the edge of a bin may be, has that of the largest."""
    if number == 0:
        return 0
    fraction, exponent = (0.5, 2 * OCTAVES) if math.isinf(number) else math.frexp(abs(number))  # fraction in [0.5, 1)
    place = (exponent - 1 + OCTAVES) * PARTS + int((2 * fraction - 1) * PARTS)
    size = min(max(place, 0), 2 * OCTAVES * PARTS - 1) + 1
    return size if number > 0 else -size


def is_number(code: int) -> bool:
    """Whether it is the code of a number."""
    return code < TEXTS
