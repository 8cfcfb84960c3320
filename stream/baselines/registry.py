"""The registry of baselines: an in-memory view of the compacted topic `baselines`.

Promise: an entry under a key is never overwritten: of several the first counts, whoever reads
and whenever. What cannot be read is remembered with its reason and stops nothing.
"""

from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from stream.baselines.baseline import Baseline, CategoricalSeries, LabelledScores, NumericSeries
from stream.baselines.by_segment import SegmentedBaseline
from stream.baselines.classes import FEWEST, MOST, class_complaint
from stream.baselines.evidence import evidence_complaint
from stream.baselines.grid import grid_complaint
from stream.baselines.layout import Layout
from stream.baselines.season import season_complaint
from stream.durable.log import Log, Outgoing
from stream.errors import InputError
from stream.records.performance import unpack_sparse
from stream.records.prediction import Answer, ModelKey
from stream.records.source import Message, Source

MAX_ENTRY_BYTES: Final = 1_000_000  # Kafka's default `max.message.bytes` is 1,048,588
MAX_REGISTER_ATTEMPTS: Final = 20  # writers that race each other for a number


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """A record of the topic that is no baseline."""

    offset: int
    key: bytes | None
    reason: str


@dataclass(slots=True)
class Registry:
    """All baselines there are."""

    broken: list[BrokenEntry] = field(default_factory=list)
    _by_id: dict[str, Baseline] = field(default_factory=dict)
    _in_force: dict[ModelKey, Baseline] = field(default_factory=dict)

    def add(self, message: Message) -> Baseline | None:
        """Take the topic's next record; the baseline if it is one that was not known."""
        found = _read(message)
        if isinstance(found, str):
            self.broken.append(BrokenEntry(message.offset, message.key, found))
            return None
        if found.id in self._by_id:
            return None
        self._by_id[found.id] = found
        newest = self._in_force.get(found.key)
        if newest is None or found.number > newest.number:
            self._in_force[found.key] = found
        return found

    def get(self, baseline_id: str) -> Baseline | None:
        """The baseline with this id, `model@version#number`."""
        return self._by_id.get(baseline_id)

    def in_force(self, key: ModelKey) -> Baseline | None:
        """The baseline that a model version is compared with: its largest number."""
        return self._in_force.get(key)

    def keys(self) -> list[ModelKey]:
        """The model versions that have a baseline, sorted."""
        return sorted(self._in_force)

    def baselines(self) -> list[Baseline]:
        """All entries by model, version and number."""
        return sorted(self._by_id.values(), key=lambda b: (b.key, b.number))

    def next_number(self, key: ModelKey) -> int:
        """The number that the model version's next baseline gets."""
        newest = self.in_force(key)
        return 1 if newest is None else newest.number + 1


async def read_registry(log: Log, source: Source) -> Registry:
    """The registry as the topic holds it now."""
    registry = Registry()
    async for message in log.read(source, 0):
        registry.add(message)
    return registry


async def register(log: Log, source: Source, baseline: Baseline) -> Baseline:
    """Store a baseline under the model version's next number and return it with that number.

    1. Read the topic to its end and take the next number.
    2. Send the entry; await it.
    3. Read back. If the first entry under the key is ours, it is registered.
    4. Otherwise another writer was first: send *its* entry again, so that compaction, which keeps
       the last one, keeps the one that counts; begin anew.

    Raises:
        InputError: the entry is larger than a topic takes, or would not be read back.
    """
    for _ in range(MAX_REGISTER_ATTEMPTS):
        registry = await read_registry(log, source)
        numbered = msgspec.structs.replace(baseline, number=registry.next_number(baseline.key))
        _check_entry(numbered)
        await log.send([_outgoing(source, numbered)])
        kept = (await read_registry(log, source)).get(numbered.id)
        if kept is not None and kept.to_bytes() == numbered.to_bytes():
            return numbered
        if kept is not None:
            await log.send([_outgoing(source, kept)])
    raise InputError(f"other writers registered baselines of {baseline.key} all the time; try again")


def complaint(baseline: Baseline) -> str | None:
    """Why a baseline cannot be counted with, or None; nobody's broken entry may stop a worker."""
    names = [s.name for s in baseline.series]
    if not names or len(set(names)) != len(names):
        return "a baseline needs series, and their names must differ"
    if baseline.number < (0 if baseline.is_learned else 1) or baseline.rows < 1:
        return "number and rows must be at least 1; only a learned baseline has number 0"
    if wrong := _answer_complaint(baseline):
        return wrong
    for series in baseline.series:
        wrong = _numeric_complaint(series) if isinstance(series, NumericSeries) else _categorical_complaint(series)
        if wrong is not None:
            return f"series {series.name!r}: {wrong}"
    return _performance_complaint(baseline) or _evidence_complaint(baseline) or _segments_complaint(baseline)


def _answer_complaint(baseline: Baseline) -> str | None:
    if baseline.answer is not None and baseline.answer not in list(Answer):
        return f"answer must be score, value, scores or null, got {baseline.answer!r}"
    if baseline.answer is not None and not isinstance(baseline.series[-1], NumericSeries):
        return "the answer's series must be numeric, and last"
    return _classes_complaint(baseline)


def _classes_complaint(baseline: Baseline) -> str | None:
    classes = baseline.classes
    if (baseline.answer == Answer.SCORES) != bool(classes):
        return "scores need classes, and only they have some"
    if not classes:
        return None
    if not FEWEST <= len(classes) <= MOST or len(set(classes)) != len(classes):
        return f"there must be {FEWEST} to {MOST} classes, and their names must differ"
    answers = baseline.series[-len(classes) :]
    named = [s.name for s in answers if isinstance(s, NumericSeries)]
    if named != [f"{Answer.SCORES}.{name}" for name in classes]:
        return "the last series must be the scores of the classes, numeric, in their order"
    wrong = ((one.name, class_complaint(one)) for one in baseline.by_class)
    return next((f"class {name!r}: {why}" for name, why in wrong if why is not None), None)


def _performance_complaint(baseline: Baseline) -> str | None:
    grid = baseline.grid
    if grid is None:
        return "labelled scores need a score grid" if baseline.labelled is not None else None
    if wrong := grid_complaint(grid):
        return f"the score grid: {wrong}"
    score = baseline.series[-1]
    if baseline.answer != Answer.SCORE or not isinstance(score, NumericSeries):
        return "only a score has a score grid"
    if not np.isin(grid.inner_edges, score.inner_edges).all():
        return "the edges of the score grid must be among the score's own"
    return None if baseline.labelled is None else _labelled_complaint(baseline.labelled, grid.bins)


def _evidence_complaint(baseline: Baseline) -> str | None:
    season = baseline.season
    if not baseline.evidence and season is None:
        return None
    layout = Layout(baseline)
    for known in (baseline.evidence, () if season is None else season.evidence):
        if (why := evidence_complaint(known, layout.series_widths)) is not None:
            return f"the evidence: {why}"
    if season is not None and (why := season_complaint(season, len(layout.coarse_starts))) is not None:
        return f"the season: {why}"
    return None


def _segments_complaint(baseline: Baseline) -> str | None:
    keys = [one.key for one in baseline.segments]
    if len(set(keys)) != len(keys):
        return "segment keys must differ"
    layout = Layout(baseline)
    for one in baseline.segments:
        values = [known.value for known in one.values]
        if len(set(values)) != len(values):
            return f"the values of segment key {one.key!r} must differ"
        if any(len(known.counts) != len(layout.coarse_starts) for known in one.values):
            return f"segment key {one.key!r} must have one count per bin of each value"
        wrong = (evidence_complaint(known.evidence, layout.series_widths) for known in one.values)
        if (why := next((w for w in wrong if w is not None), None)) is not None:
            return f"segment key {one.key!r}, the evidence: {why}"
        if why := _segment_labels_complaint(one, 2 * baseline.grid.bins if baseline.grid else 0):
            return f"segment key {one.key!r}: {why}"
    return None


def _segment_labels_complaint(segmented: SegmentedBaseline, width: int) -> str | None:
    for one in segmented.values:
        try:
            counts = unpack_sparse(one.labelled, width)
        except (IndexError, ValueError, TypeError):
            return f"labelled scores of {one.value!r} must lie in the bins of the score grid"
        if (counts < 0).any():
            return f"labelled scores of {one.value!r} must not be negative"
    return None


def _labelled_complaint(labelled: LabelledScores, bins: int) -> str | None:
    columns = (labelled.negatives, labelled.positives, labelled.calibration)
    if any(len(column) != bins for column in columns):
        return "labelled scores must have one number per bin of the score grid"
    if min(*labelled.negatives, *labelled.positives) < 0:
        return "counts of labelled scores must not be negative"
    chances = np.array(labelled.calibration, np.float64)
    if not ((chances >= 0) & (chances <= 1)).all() or not (np.diff(chances) >= 0).all():
        return "the calibration must be in [0, 1] and never fall"
    return None


def _numeric_complaint(series: NumericSeries) -> str | None:
    if len(series.counts) != len(series.inner_edges) + 1:
        return "counts must be one more than inner_edges"
    edges = np.array(series.inner_edges, np.float64)
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        return "inner_edges must be finite and ascending"
    starts = np.array(series.coarse_starts, np.int64)
    if not starts.size or starts[0] != 0 or not (np.diff(starts) > 0).all() or starts[-1] >= series.bins:
        return "coarse_starts must ascend from 0 and lie within the bins"
    if min(*series.counts, series.missing, series.invalid) < 0:
        return "counts must not be negative"
    return None


def _categorical_complaint(series: CategoricalSeries) -> str | None:
    if len(series.counts) != len(series.categories):
        return "counts must be one per category"
    known = series.categories + series.other_categories
    if len(set(known)) != len(known):
        return "categories must differ"
    if min(*series.counts, series.other, series.missing, series.invalid) < 0:
        return "counts must not be negative"
    return None


def _read(message: Message) -> Baseline | str:
    if message.value is None:
        return "deleted: an entry may not be, the ones before it still count"
    try:
        baseline = Baseline.from_bytes(message.value)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        return f"no baseline: {problem}"
    if message.key != baseline.id.encode():
        return f"the key must be the entry's id, {baseline.id}"
    return complaint(baseline) or baseline


def _outgoing(source: Source, baseline: Baseline) -> Outgoing:
    return Outgoing(to=source, key=baseline.id.encode(), value=baseline.to_bytes())


def _check_entry(baseline: Baseline) -> None:
    size = len(baseline.to_bytes())
    if size > MAX_ENTRY_BYTES:
        features = baseline.series[: len(baseline.series) - baseline.answers] or baseline.series
        hint = ", or keep fewer --segments" if baseline.segments else ""
        largest = max(features, key=lambda s: len(msgspec.json.encode(s)))
        raise InputError(
            f"the baseline takes {size} bytes, a topic takes {MAX_ENTRY_BYTES}; the largest series is "
            f"{largest.name!r}: leave it out with --ignore (an id or free text is no category){hint}"
        )
    wrong = complaint(baseline)
    if wrong is not None:
        raise InputError(f"the baseline cannot be registered: {wrong}")
