"""The models that predict: their baselines, and the values that each of their bins is written as.

A value is chosen by its bin, and its text follows; so what the service must count is known
without binning anything. Those with labels come in pairs of versions, every other pair judged by the false-alarm
budget. One more has segments and no labels, and one has no baseline: its own is learned. All models have the
same three series:

    x      numeric: below the baseline's range, 20 fine bins of which PSI sees 10, above; then missing, invalid
    c      categorical: a, b, c; then other (d), missing, unseen, invalid
    score  numeric like x, 8 bins with two values each; they are the score grid, too

Behind them, of those with labels, which are checked for latency and errors: the bins of latency's sketch, of which
only the edges are the service's, then missing, bad; and of `status` ok, failed, bad.
Every value lies within its baseline's range, so the counters below and above it stay 0.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.baselines.baseline import Baseline, CategoricalSeries, LabelledScores, NumericSeries, Provenance
from stream.baselines.by_segment import SegmentedBaseline, SegmentValue
from stream.baselines.grid import ScoreGrid
from stream.baselines.latency_counters import LatencyCounters
from stream.records.partial import pack_counts

Shares = npt.NDArray[np.float64]

X_BINS: Final = 20
X_EDGES: Final = tuple(k / 4 for k in range(1, X_BINS))  # binary fractions: what is sent is what is read
X_COARSE: Final = tuple(range(0, X_BINS, 2))
SCORE_BINS: Final = 8
SCORE_EDGES: Final = tuple(k / 8 for k in range(1, SCORE_BINS))
CATEGORIES: Final = ("a", "b", "c")

# Per series: (text of the JSON value, counter within the series): the middle of each bin, its lower edge, the odd ones.
X_VALUES: Final = (
    *((b"%r" % (k / 4 + 0.125), k) for k in range(X_BINS)),
    *((b"%r" % (k / 4), k) for k in range(1, X_BINS)),
    (b"null", X_BINS),
    (b'"far"', X_BINS + 1),
)
C_VALUES: Final = ((b'"a"', 0), (b'"b"', 1), (b'"c"', 2), (b'"d"', 3), (b"null", 4), (b'"q"', 5), (b"[]", 6))
SCORES: Final = tuple(k / 16 + 0.03125 for k in range(2 * SCORE_BINS))
SCORE_VALUES: Final = (
    *((b"%r" % score, k // 2) for k, score in enumerate(SCORES)),
    (b"null", SCORE_BINS),
)
SLA_MS: Final = 250
HARD_LIMIT_MS: Final = 2_000
LATENCIES: Final = ((b"20", 20.0), (b"180.5", 180.5), (b"250", 250.0), (b"250.5", 250.5), (b"2000", 2_000.0),
                    (b"2000.5", 2_000.5), (b"9000", 9_000.0))  # fmt: skip
SLOWEST: Final = len(LATENCIES) - 1
LATENCY_EDGES: Final = LatencyCounters(SLA_MS, HARD_LIMIT_MS).sketch.inner_edges.tolist()
LATENCY_BINS: Final = len(LATENCY_EDGES) + 1
LATENCY_VALUES: Final = (
    *((text, bisect_right(LATENCY_EDGES, ms)) for text, ms in LATENCIES),
    (b"null", LATENCY_BINS),
    (b'"slow"', LATENCY_BINS + 1),
)
STATUS_VALUES: Final = ((b'"ok"', 0), (b"null", 0), (b'"timeout"', 1), (b"503", 2))
MEANS: Final = tuple(k / 8 + 0.0625 for k in range(SCORE_BINS))
THRESHOLD: Final = 0.5

X_WIDTH: Final = X_BINS + 4
C_WIDTH: Final = len(CATEGORIES) + 4
SCORE_WIDTH: Final = SCORE_BINS + 4
C_START: Final = X_WIDTH
SCORE_START: Final = X_WIDTH + C_WIDTH
WIDTH: Final = X_WIDTH + C_WIDTH + SCORE_WIDTH  # of the series
STATUS_START: Final = WIDTH + LATENCY_BINS + 2
CHECKED_WIDTH: Final = STATUS_START + 3  # of a model that is checked for latency and errors

# The counters that PSI compares, as (first, after the last) of the flat vector, by series.
COARSE: Final = {
    "x": [(1 + k, 3 + k) for k in X_COARSE] + [(X_BINS + 2, X_BINS + 3), (X_BINS + 3, X_BINS + 4)],
    "c": [(C_START + k, C_START + k + 1) for k in range(C_WIDTH)],
    "score": [(SCORE_START + 1 + k, SCORE_START + 2 + k) for k in range(SCORE_BINS)]
    + [(SCORE_START + SCORE_BINS + 2 + k, SCORE_START + SCORE_BINS + 3 + k) for k in range(2)],
}


def places(counters: npt.NDArray[np.int64], start: int, bins: int) -> npt.NDArray[np.int64]:
    """Where the counters of a numeric series lie in the flat vector: its outer bins enclose the others.

    >>> places(np.array([0, 19, 20, 21]), 0, 20).tolist()
    [1, 20, 22, 23]
    """
    return start + 1 + counters + (counters >= bins)


SITES: Final = ("s0", "s1", "s2")  # of a row: by its counter in x
PARTS: Final = {"c": ("a", "b"), "site": ("s0", "s1")}  # by key, the values with a segment of their own
OTHER: Final = "other"

BASELINE_ROWS: Final = 4_000
HURTING: Final = 1  # of each four models


@dataclass(frozen=True)
class Model:
    """One model version."""

    name: str
    version: str
    drifts: bool  # in the middle of the run its x moves
    hurts: bool  # in the middle of the run its scores say the opposite of the truth; its labels are never corrected

    @property
    def key(self) -> str:
        """`model@version`, as the reports are keyed."""
        return f"{self.name}@{self.version}"

    @property
    def is_budgeted(self) -> bool:
        """Whether the false-alarm budget judges it; else plain limits do."""
        return not self.name.startswith("model-") or int(self.name[-2:]) % 2 == 1


SEGMENTED: Final = Model("parts", "1", drifts=True, hurts=False)  # without labels
LEARNED: Final = Model("fresh", "1", drifts=False, hurts=False)  # that nobody registers; without labels, too


def make_models(count: int) -> list[Model]:
    """Half as many names as models, each with two versions; every third model drifts, every fourth hurts."""
    return [
        Model(f"model-{i // 2:02}", str(i % 2 + 1), drifts=i % 3 == 0, hurts=i % 4 == HURTING) for i in range(count)
    ]


def x_shares(*, drifted: bool) -> Shares:
    """How probable each entry of X_VALUES is, shape (values,)."""
    rare = 0.1 if drifted else 1.0
    weights = np.array([rare if counter < X_BINS // 2 else 1.0 for _, counter in X_VALUES])
    weights[-2:] = 0.2
    return _shares(weights)


def c_shares() -> Shares:
    """How probable each entry of C_VALUES is, shape (values,)."""
    weights = np.array([8, 4, 2, 1, 0.5, 0.2, 0.1])
    return _shares(weights)


def score_shares() -> Shares:
    """How probable each entry of SCORE_VALUES is, shape (values,)."""
    weights = np.array([*(k // 2 + 1 for k in range(len(SCORES))), 0.6])
    return _shares(weights)


def latency_shares() -> Shares:
    """How probable each entry of LATENCY_VALUES is, shape (values,): 3 % over the hard limit."""
    return _shares(np.array([50, 20, 10, 8, 4, 1.5, 1.5, 4, 1]))


def status_shares(*, drifted: bool) -> Shares:
    """How probable each entry of STATUS_VALUES is, shape (values,): 1 % fail, and 25 % of a model that drifts."""
    return _shares(np.array([60, 38, 33, 1] if drifted else [60, 38, 1, 1]))


def chance(score: float) -> float:
    """P(label is 1) of a score, while the model does not hurt.

    >>> [round(chance(score), 2) for score in (0.03125, 0.5, 0.96875)]
    [0.05, 0.5, 0.95]
    """
    return min(max((score - 0.5) * 1.6 + 0.5, 0.05), 0.95)


def labelled_scores() -> LabelledScores:
    """All rows of a baseline that have a score are labelled, as the chances say."""
    chances = [(chance(SCORES[2 * k]) + chance(SCORES[2 * k + 1])) / 2 for k in range(SCORE_BINS)]
    counts = baseline_counts()[SCORE_START + 1 :][:SCORE_BINS].tolist()
    positives = [round(n * p) for n, p in zip(counts, chances, strict=True)]
    return LabelledScores(
        negatives=tuple(n - k for n, k in zip(counts, positives, strict=True)),
        positives=tuple(positives),
        calibration=tuple(chances),
    )


def _shares(weights: npt.NDArray[np.float64]) -> Shares:
    shares: Shares = weights / weights.sum()
    return shares


def baseline_counts() -> npt.NDArray[np.int64]:
    """What the baselines say of BASELINE_ROWS undrifted rows, shape (WIDTH,)."""
    counts = np.zeros(WIDTH, np.int64)
    for at, shares in (
        (places(_counters(X_VALUES), 0, X_BINS), x_shares(drifted=False)),
        (C_START + _counters(C_VALUES), c_shares()),
        (places(_counters(SCORE_VALUES), SCORE_START, SCORE_BINS), score_shares()),
    ):
        np.add.at(counts, at, [round(share * BASELINE_ROWS) for share in shares.tolist()])
    counts[C_START + 5] = 0  # no baseline has rows of a category that it has not
    return counts


def _counters(values: tuple[tuple[bytes, int], ...]) -> npt.NDArray[np.int64]:
    return np.array([counter for _, counter in values], np.int64)


def segments_of(x: int, c: int) -> tuple[str, ...]:
    """The segments of a row, by its counters within x and c.

    >>> segments_of(4, 2), segments_of(X_BINS, 0)
    (('c=other', 'site=s1'), ('c=a', 'site=other'))
    """
    values = {"c": CATEGORIES[c] if c < len(CATEGORIES) else "", "site": SITES[x % len(SITES)]}
    return tuple(f"{key}={values[key] if values[key] in own else OTHER}" for key, own in PARTS.items())


SEGMENTS: Final = tuple(f"{key}={value}" for key, own in PARTS.items() for value in (*own, OTHER))


def segment_counts(segment: str) -> npt.NDArray[np.int64]:
    """What the baseline of SEGMENTED says of a segment, or of the whole where it is `""`, shape (WIDTH,)."""
    key, _, value = segment.partition("=")
    if value == OTHER:
        return baseline_counts() - sum(segment_counts(f"{key}={own}") for own in PARTS[key])
    if not segment:
        return baseline_counts()
    counts = baseline_counts() // 4  # of what the key does not decide, each has a quarter
    if key == "c":
        counts[C_START:SCORE_START] = 0
        at = [C_START + CATEGORIES.index(value)]
    else:
        counts[:C_START] = 0
        at = places(np.arange(SITES.index(value), X_BINS + 2, len(SITES)), 0, X_BINS).tolist()
    counts[at] = baseline_counts()[at]
    return counts


def coarsened(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Counts, shape (WIDTH,), in the bins that PSI compares."""
    return np.array([counts[first:last].sum() for of_series in COARSE.values() for first, last in of_series])


def _by_segment() -> tuple[SegmentedBaseline, ...]:
    return tuple(
        SegmentedBaseline(
            key=key,
            values=tuple(
                SegmentValue(
                    value=value,
                    rows=BASELINE_ROWS // 4,
                    packed=pack_counts(coarsened(segment_counts(f"{key}={value}"))),
                )
                for value in own
            ),
            rows_beyond=0,
        )
        for key, own in PARTS.items()
    )


def make_baseline(model: Model) -> Baseline:
    """The model's baseline, still without its number."""
    counts = baseline_counts().tolist()
    x, c, score = counts[:C_START], counts[C_START:SCORE_START], counts[SCORE_START:]
    return Baseline(
        model=model.name,
        version=model.version,
        number=1,
        task="binary",
        answer="score",
        rows=BASELINE_ROWS,
        series=(
            _numeric("x", X_EDGES, X_COARSE, x),
            CategoricalSeries(
                name="c",
                categories=CATEGORIES,
                other_categories=("d",),
                counts=tuple(c[:3]),
                other=c[3],
                missing=c[4],
                invalid=c[6],
            ),
            _numeric("score", SCORE_EDGES, tuple(range(SCORE_BINS)), score),
        ),
        provenance=Provenance(
            created_at="2026-01-01T00:00:00Z",
            rows=BASELINE_ROWS,
            files=(),
            data_sha256="",
            git_hash=None,
            libraries={},
            seed=0,
        ),
        grid=ScoreGrid(edges=SCORE_EDGES, means=MEANS, threshold=THRESHOLD),
        labelled=labelled_scores(),
        segments=_by_segment() if model == SEGMENTED else (),
    )


def _numeric(name: str, edges: tuple[float, ...], coarse: tuple[int, ...], counts: list[int]) -> NumericSeries:
    return NumericSeries(
        name=name,
        inner_edges=edges,
        coarse_starts=coarse,
        counts=tuple(counts[1:-3]),
        missing=counts[-2],
        invalid=counts[-1],
        minimum=0.0,
        maximum=edges[-1] + 1,
        mean=edges[len(edges) // 2],
        deviation=1.0,
    )
