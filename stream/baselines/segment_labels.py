"""How good a binary model was in single segments, as its baseline's labels say."""

import msgspec
import numpy as np

from detectors.calibration import isotonic_map
from detectors.outcome import Undefined
from stream.baselines.baseline import Baseline, LabelledScores
from stream.baselines.by_segment import OTHER, Counts
from stream.baselines.evidence import WindowEvidence
from stream.baselines.performance_evidence import binary_readings
from stream.baselines.segmentation import Segmentation
from stream.records.performance import unpack_sparse


def of_segment(baseline: Baseline, segmentation: Segmentation, segment: str) -> Baseline:
    """The baseline with the labelled rows of one segment in place of all; without any where it does not know them.

    Its evidence is the segment's own. Where that was not learned, of labels the whole's stands in: windows differ as
    much from the segment's own performance as those of the whole do from the whole's.
    """
    counts = _labelled_counts(baseline, segmentation, segment)
    labelled = None if counts is None else _labelled(baseline, counts)
    evidence = tuple(_of_labels(baseline, segment, one, counts) for one in baseline.evidence)
    return msgspec.structs.replace(baseline, labelled=labelled, labelled_values=None, evidence=evidence)


def _of_labels(baseline: Baseline, segment: str, whole: WindowEvidence, counts: Counts | None) -> WindowEvidence:
    """Check by check the segment's own, if of windows enough, or the whole's around the segment's own reading."""
    own = baseline.evidence_of(segment, whole.window_ms)
    read = {} if counts is None or baseline.grid is None else binary_readings(counts[0], counts[1], baseline.grid)
    known = {
        one.check: msgspec.structs.replace(one, mean=read[one.check].badness)
        for one in whole.performance
        if one.check in read
    } | {one.check: one for one in (own.performance if own else ()) if not one.provisional}
    return msgspec.structs.replace(own or whole, performance=tuple(one for _, one in sorted(known.items())))


def _labelled_counts(baseline: Baseline, segmentation: Segmentation, segment: str) -> Counts | None:
    """Negatives and positives by bin of the score grid, shape (2, bins); None: not known."""
    name, _, value = segment.partition("=")
    key = next((one for one in segmentation.keys if one.name == name), None)
    known, grid = baseline.by_segment(name), baseline.grid
    if key is None or known is None or grid is None or baseline.labelled is None:
        return None
    shape = (2, grid.bins)
    stored = {one.value: unpack_sparse(one.labelled, 2 * grid.bins).reshape(shape) for one in known.values}
    if value != OTHER:
        return stored.get(value)
    if known.rows_beyond and any(own not in stored for own in key.values):
        return None
    whole = np.array([baseline.labelled.negatives, baseline.labelled.positives], np.int64)
    rest: Counts = whole - sum((stored[own] for own in key.values if own in stored), start=np.zeros(shape, np.int64))
    return rest


def _labelled(baseline: Baseline, counts: Counts) -> LabelledScores | None:
    assert baseline.grid is not None, "there are no labelled counts without a grid"
    calibration = isotonic_map(counts[0], counts[1], baseline.grid.representatives)
    if isinstance(calibration, Undefined):
        return None
    return LabelledScores(
        negatives=tuple(counts[0].tolist()),
        positives=tuple(counts[1].tolist()),
        calibration=tuple(calibration.tolist()),
    )
