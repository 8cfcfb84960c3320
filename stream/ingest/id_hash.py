"""A prediction's id as 64 bits: what predictions and labels meet by.

Formula: XXH3-64 of the id's text in UTF-8, seeded with XXH3-64 of the model's name, so that two models may use
the same ids; 0 means that there is no id, so a hash of 0 becomes 1. A whole number counts as its decimal text:
a producer may send ids as numbers in one topic and as texts in the other.
Collisions: among n ids that wait at the same time about n^2 / 2^65 pairs: 3e-6 for ten million.
Cost: about 0.1 us an id.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from stream.ingest.fault import Fault, shown

NO_ID: Final = 0
SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**64 - 1  # beyond it JSON libraries read a float

Hashes = npt.NDArray[np.uint64]


def id_hash(model: str, prediction_id: str | int | None) -> int:
    """The hash of one id; 0 for none, and the empty text is none.

    >>> id_hash("fraud", 17) == id_hash("fraud", "17") != id_hash("price", "17")
    True
    >>> id_hash("fraud", None), id_hash("fraud", "")
    (0, 0)
    """
    if prediction_id is None or prediction_id == "":
        return NO_ID
    return xxh3_64_intdigest(str(prediction_id), xxh3_64_intdigest(model)) or 1


def id_hashes(model: str, ids: Sequence[str | int | None]) -> Hashes:
    """The hash of each id of one model, shape (ids,); 0 where there is none.

    >>> id_hashes("fraud", ["a", None]).tolist() == [id_hash("fraud", "a"), 0]
    True
    """
    texts = ["" if one is None else str(one) for one in ids]
    hashes = np.fromiter(map(xxh3_64_intdigest, texts, repeat(xxh3_64_intdigest(model))), np.uint64, len(texts))
    hashes = np.maximum(hashes, np.uint64(1))
    if "" in texts:
        hashes[[not text for text in texts]] = NO_ID
    return hashes


def class_hashes(hashes: Hashes, classes: Sequence[str]) -> Hashes:
    """The hash of each id as one class of a multiclass model is joined by it, shape (ids, classes), never 0.

    Formula: the low half XOR the low half of XXH3-64 of the class. The high half, which chooses the outcomes
    partition, stays: all classes of a prediction meet their label in the same place, at the same time.
    Two of 32 classes share a low half, and would be one, once in ten million models.

    >>> found = class_hashes(np.array([(5 << 32) + 7], np.uint64), ("a", "b"))
    >>> (found >> np.uint64(32)).tolist(), len(np.unique(found))
    ([[5, 5]], 2)
    """
    salts = np.array([xxh3_64_intdigest(name) & 0xFFFFFFFF for name in classes], np.uint64)
    mixed: Hashes = np.maximum(hashes[:, None] ^ salts, np.uint64(1))
    return mixed


def id_fault(prediction_id: object) -> Fault | None:
    """Why a JSON value is no id, or None; null is no id and no fault."""
    if prediction_id is None or isinstance(prediction_id, str):
        return None
    if isinstance(prediction_id, int) and not isinstance(prediction_id, bool):
        return None if is_whole(prediction_id) else _fault(prediction_id)
    return _fault(prediction_id)


def is_whole(number: int) -> bool:
    """Whether every JSON library of ours reads it as a whole number: 64 bits, signed or not."""
    return SMALLEST_INTEGER <= number <= LARGEST_INTEGER


def _fault(value: object) -> Fault:
    return Fault("wrong_type", f"prediction_id must be a text, or a whole number of 64 bits, got {shown(value)}")
