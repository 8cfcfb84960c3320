"""A baseline: the registered, versioned distribution of each series that counts as normal.

Promise: what is stored here is all that counting and evaluating need: bin edges, counts,
categories; no rows. Size: about 2 KB per numeric series with 110 fine bins; a binary model's score grid
and what was labelled in it take 0.2 MB more.
"""

import msgspec

from stream.baselines.by_segment import OTHER, SegmentedBaseline
from stream.baselines.evidence import WindowEvidence
from stream.baselines.grid import ScoreGrid
from stream.baselines.season import SeasonBaseline
from stream.records.prediction import ModelKey


class NumericSeries(msgspec.Struct, frozen=True, kw_only=True, tag="numeric", tag_field="kind"):
    """A numeric feature, or the model's answer, cut into fine bins that coarsen exactly to PSI's bins."""

    name: str
    inner_edges: tuple[float, ...]  # fine, ascending; the outer edges are -inf and +inf; bins = len + 1
    coarse_starts: tuple[int, ...]  # first fine bin of each coarse bin; starts with 0
    counts: tuple[int, ...]  # per fine bin
    missing: int
    invalid: int
    minimum: float | None  # of the valid values; None if there is none
    maximum: float | None
    mean: float | None
    deviation: float | None  # standard deviation, population

    @property
    def bins(self) -> int:
        """How many fine bins."""
        return len(self.counts)


class CategoricalSeries(msgspec.Struct, frozen=True, kw_only=True, tag="categorical", tag_field="kind"):
    """A categorical feature: its most frequent categories, the known rest as `other`."""

    name: str
    categories: tuple[str, ...]  # by baseline count, descending, ties by name; one bin each
    other_categories: tuple[str, ...]  # known, but beyond the top K: counted in the bin `other`
    counts: tuple[int, ...]  # per category of `categories`
    other: int
    missing: int
    invalid: int

    @property
    def bins(self) -> int:
        """One bin per kept category."""
        return len(self.counts)


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a baseline comes from, so that it can be made again."""

    created_at: str  # RFC 3339, UTC
    rows: int
    files: tuple[str, ...]  # names as given, or "topic/partition[begin, end)" for a live one
    data_sha256: str  # of the files' bytes in order, or of the messages' values
    git_hash: str | None  # of the working directory's repository, None where there is none
    libraries: dict[str, str]  # name: version of driftline, python, numpy, pyarrow
    seed: int  # of whatever chance was used; sampling, ties
    from_ms: int | None = None  # event time of the first and last row, where the data have times
    to_ms: int | None = None


class LabelledScores(msgspec.Struct, frozen=True, kw_only=True):
    """A binary baseline's labelled rows, by bin of its score grid; all tuples have one number per bin."""

    negatives: tuple[int, ...]
    positives: tuple[int, ...]
    calibration: tuple[float, ...]  # P(positive) given the bin, never falling: an isotonic fit


class LabelledValues(msgspec.Struct, frozen=True, kw_only=True):
    """How well a regression's baseline rows met their labels; error = estimate - label."""

    n: int
    mae: float  # mean absolute error
    rmse: float
    bias: float  # mean error
    r2: float | None  # None: the labels do not vary
    abs_error_deviation: float  # standard deviation of the absolute errors, population
    label_mean: float
    label_deviation: float  # population


class ClassScores(msgspec.Struct, frozen=True, kw_only=True):
    """One class of a multiclass model: its score grid, and the baseline's labelled rows in it.

    Rows are counted by 2 * grid bin + 1 if no class scores higher, else + 0; both tuples have 2 * bins numbers.
    """

    name: str
    grid: ScoreGrid
    negatives: tuple[int, ...] | None = None  # rows of the other classes; None: made without labels
    positives: tuple[int, ...] | None = None
    top: int | msgspec.UnsetType = msgspec.UNSET  # baseline rows that it is the answer of; unset: not known


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """Of a baseline that the service made of a model's own beginning, since nobody had registered one."""

    from_ms: int  # event time [from, to): whole panes
    to_ms: int
    left_out: tuple[str, ...]  # features that the model has and the baseline has not, each with the reason


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the registry; its `id` is the key in the topic `baselines` and is never overwritten."""

    model: str
    version: str
    number: int  # 1, 2, ... per model and version; 0: learned
    task: str  # binary | regression | multiclass
    answer: str | None  # "score" | "value" | "scores" | None: which answer the answer series describe
    rows: int
    series: tuple[NumericSeries | CategoricalSeries, ...]  # features in column order, the answers last
    provenance: Provenance
    schema: str = "driftline.baseline/1"
    grid: ScoreGrid | None = None  # of a binary model's scores; None: made before there were grids, or no score
    labelled: LabelledScores | None = None
    labelled_values: LabelledValues | None = None
    scores: tuple[ClassScores, ...] | msgspec.UnsetType = msgspec.UNSET  # of a multiclass model; others have no key
    segments: tuple[SegmentedBaseline, ...] = ()  # one per key that it was asked for
    evidence: tuple[WindowEvidence, ...] = ()  # one per window length that it was learned for; none without times
    season: SeasonBaseline | None = None  # what is normal at each hour; None: the whole stands for every hour

    learned: Learned | msgspec.UnsetType = msgspec.UNSET  # one that somebody has made has no key

    @property
    def is_learned(self) -> bool:
        """Whether the service made it, so that any other one of the model version is to be preferred."""
        return self.learned is not msgspec.UNSET

    @property
    def key(self) -> ModelKey:
        """The model and version that it is a baseline of."""
        return ModelKey(self.model, self.version)

    @property
    def id(self) -> str:
        """`model@version#number`."""
        return f"{self.model}@{self.version}#{self.number}"

    @property
    def by_class(self) -> tuple[ClassScores, ...]:
        """The classes of a multiclass model; empty for any other."""
        return () if self.scores is msgspec.UNSET else self.scores

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of an array in `scores`."""
        return tuple(one.name for one in self.by_class)

    @property
    def tops(self) -> tuple[int, ...]:
        """How many of its rows each class was the answer of; empty where that is not known."""
        known = [one.top for one in self.by_class if one.top is not msgspec.UNSET]
        return tuple(known) if len(known) == len(self.by_class) else ()

    @property
    def has_labels(self) -> bool:
        """Whether it says how well its rows met their labels."""
        of_classes = any(one.positives is not None for one in self.by_class)
        return self.labelled is not None or self.labelled_values is not None or of_classes

    @property
    def answers(self) -> int:
        """How many of the series, the last ones, are the model's answer."""
        return len(self.by_class) or int(self.answer is not None)

    def evidence_for(self, window_ms: int, *, seasonal: bool = False) -> WindowEvidence | None:
        """How much healthy windows of this length differ; None: it was not learned for them.

        `seasonal`: from what is normal at their own hours, rather than from the whole baseline.
        """
        known = self.evidence if not seasonal else () if self.season is None else self.season.evidence
        return next((one for one in known if one.window_ms == window_ms), None)

    def by_segment(self, key: str) -> SegmentedBaseline | None:
        """Its rows by the value of a key; None: it was not asked for that key."""
        return next((one for one in self.segments if one.key == key), None)

    def evidence_of(self, segment: str, window_ms: int) -> WindowEvidence | None:
        """How much healthy windows of one segment, `KEY=VALUE`, differ; None: it was not learned for them."""
        key, _, value = segment.partition("=")
        known = self.by_segment(key)
        values = () if known is None or value == OTHER else known.values
        return next((e for one in values if one.value == value for e in one.evidence if e.window_ms == window_ms), None)

    def to_bytes(self) -> bytes:
        """JSON, as it lies in the topic `baselines`."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Baseline":
        """The baseline in a registry entry; raises `msgspec.DecodeError` if it is none."""
        return msgspec.json.decode(data, type=cls)
