"""What a baseline knows of single segments: the rows of each value of a key, in the bins of the whole.

The bins are those of the whole that PSI compares, so that segments add up to it.
What lies in `other` follows by subtraction, whichever values have a segment of their own.
Size: about 1 KB for each value of a key with 50 features of ten bins, and 5 bytes for each bin of its labelled scores.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.baselines.evidence import WindowEvidence
from stream.records.partial import pack_counts, unpack_counts
from stream.records.performance import pack_sparse

MOST_VALUES: Final = 100  # of one key that are stored: the most frequent ones
OTHER: Final = "other"
NO_LABELS: Final = pack_sparse(np.zeros(0, np.int64))

Counts = npt.NDArray[np.int64]


class SegmentValue(msgspec.Struct, frozen=True, kw_only=True):
    """The baseline's rows with one value."""

    value: str
    rows: int
    packed: bytes  # counts over the bins that PSI compares, series after series
    evidence: tuple[WindowEvidence, ...] = ()  # how much its healthy windows differ, by window length
    labelled: bytes = NO_LABELS  # negatives, then positives, by bin of a binary model's score grid; see pack_sparse

    @property
    def counts(self) -> Counts:
        """Shape (coarse bins,)."""
        return unpack_counts(self.packed)


class SegmentedBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """The baseline's rows by the value of one key."""

    key: str
    values: tuple[SegmentValue, ...]  # by rows, descending; ties by value
    rows_beyond: int  # rows of values that are not stored; rows without a value are not among them

    def counts_of(self, value: str, own: Collection[str], whole: Counts) -> Counts | None:
        """The counts of one segment; None: the baseline does not know them.

        Args:
            value: its value, or `other`.
            own: the values that have a segment of their own.
            whole: the counts of the whole baseline, of the same shape.
        """
        known = {one.value: one for one in self.values}
        if value != OTHER:
            return known[value].counts if value in known else None
        if self.rows_beyond and any(one not in known for one in own):
            return None  # their rows are among those that are not stored
        listed = [known[one].counts for one in own if one in known]
        rest: Counts = whole - np.sum(listed, axis=0, dtype=np.int64) if listed else whole
        return rest if rest.any() else None


def segmented(
    key: str,
    codes: npt.NDArray[np.int32],
    values: Sequence[str],
    series: Iterable[tuple[Counts, int]],
    labelled: tuple[Counts, int] | None = None,
) -> SegmentedBaseline:
    """The rows of a baseline by one key.

    Args:
        key: its name.
        codes: index into `values` of each row, shape (rows,); below 0: none.
        values: without repeats, in any order.
        series: of each the bin that PSI compares in which each row lies, shape (rows,), and how many bins there are.
        labelled: likewise, the place among negatives and positives by grid bin; -1: no label. None: no labels.
    """
    times = np.bincount(codes[codes >= 0], minlength=len(values)).tolist()
    found = sorted((-n, value, code) for code, (n, value) in enumerate(zip(times, values, strict=True)) if n)
    kept = found[:MOST_VALUES]
    place = np.full(len(values) + 1, -1, np.int64)  # the last one is that of no value
    place[[code for _, _, code in kept]] = np.arange(len(kept))
    of_row = place[np.where(codes >= 0, codes, len(values))]
    stored = of_row >= 0

    def by_bin(bins: Counts, width: int) -> Counts:
        counted = stored & (bins >= 0)
        flat = of_row[counted] * width + bins[counted]
        return np.bincount(flat, minlength=len(kept) * width).reshape(len(kept), width)

    counts = [by_bin(bins, width) for bins, width in series]
    labels = np.empty((len(kept), 0), np.int64) if labelled is None else by_bin(*labelled)
    by_value = np.hstack(counts) if counts else np.empty((len(kept), 0), np.int64)
    return SegmentedBaseline(
        key=key,
        values=tuple(
            SegmentValue(value=value, rows=-n, packed=pack_counts(own), labelled=pack_sparse(truth))
            for (n, value, _), own, truth in zip(kept, by_value, labels, strict=True)
        ),
        rows_beyond=sum(-n for n, _, _ in found[MOST_VALUES:]),
    )
