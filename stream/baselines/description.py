"""A baseline in words: constants, atoms, missing values, categories."""

from collections.abc import Sequence

import msgspec
import numpy as np

from detectors import Auc, BinaryMetrics, Undefined, binary_metrics
from stream.baselines.baseline import Baseline, CategoricalSeries, ClassScores, NumericSeries
from stream.baselines.by_segment import SegmentedBaseline
from stream.baselines.class_metrics import baseline_metrics
from stream.baselines.performance_evidence import healthy_words
from stream.baselines.sight import WindowSight
from stream.records.times import duration_words

MOST_ATOMS_SHOWN = 3
LEAST_ATOM_SHARE = 0.01  # of the rows; with fewer a bin is one float wide by rounding alone
MOST_CATEGORIES_SHOWN = 5
MOST_VALUES_SHOWN = 10


def describe(baseline: Baseline, sights: Sequence[WindowSight] = ()) -> str:
    """Several lines: what the baseline is, each series in words, then what windows of each length would show."""
    made = baseline.provenance
    facts = [
        ("baseline", baseline.id if baseline.number or baseline.is_learned else f"{baseline.key} (not registered)"),
        ("rows", f"{baseline.rows:,}"),
        ("answer", baseline.answer or "none"),
        ("from", ", ".join(made.files) or "a table"),
        ("sha256", made.data_sha256),
        ("created", f"{made.created_at}, commit {made.git_hash or 'none'}, seed {made.seed}"),
    ]
    if made.libraries:  # a learned baseline names none, so that it is the same on every machine
        facts.append(("with", ", ".join(f"{name} {version}" for name, version in made.libraries.items())))
    facts += [("segments", segment_words(one)) for one in baseline.segments]
    facts += _learned_facts(baseline)
    facts += performance_facts(baseline)
    width = max([len(s.name) for s in baseline.series], default=0)
    series = [f"  {s.name:<{width}}  {describe_series(s, baseline.rows)}" for s in baseline.series]
    shown = [
        line for sight in sights for line in (sight.words, *(f"  {s.name:<{width}}  {s.words}" for s in sight.series))
    ]
    return "\n".join([*(f"{name:<8}  {fact}" for name, fact in facts), "series", *series, *shown])


def segment_words(one: SegmentedBaseline) -> str:
    """What is known of the values of one segment key.

    >>> from stream.baselines.by_segment import SegmentValue
    >>> values = tuple(SegmentValue(value=v, rows=n, packed=b"") for v, n in (("EWR", 1200), ("JFK", 800)))
    >>> segment_words(SegmentedBaseline(key="origin", values=values, rows_beyond=7))
    'origin: EWR 1,200 rows, JFK 800; 7 rows of other values'
    """
    if not one.values:
        return f"{one.key}: no row has a value"
    first, *others = one.values
    shown = [f"{first.value} {first.rows:,} rows", *(f"{v.value} {v.rows:,}" for v in others[: MOST_VALUES_SHOWN - 1])]
    more = len(one.values) - len(shown)
    beyond = [f"{more} values more"] if more else []
    beyond += [f"{one.rows_beyond:,} rows of other values"] if one.rows_beyond else []
    return f"{one.key}: {'; '.join([', '.join(shown), *beyond])}"


def _learned_facts(baseline: Baseline) -> list[tuple[str, str]]:
    if baseline.learned is msgspec.UNSET:
        return []
    facts = [("learned", "from the model's own first predictions; whatever you register takes its place")]
    return facts + [("left out", one) for one in baseline.learned.left_out]


def performance_facts(baseline: Baseline) -> list[tuple[str, str]]:
    """Name and words of what the baseline's labels say of the model."""
    facts: list[tuple[str, str]] = []
    grid, scores, values = baseline.grid, baseline.labelled, baseline.labelled_values
    if grid is not None:
        facts.append(("positive", f"from a score of {grid.threshold:g} on; {grid.bins:,} bins of the score"))
    if grid is not None and scores is not None:
        counts = np.array(scores.negatives, np.int64), np.array(scores.positives, np.int64)
        metrics = binary_metrics(*counts, grid.representatives, grid.first_positive)
        if not isinstance(metrics, Undefined):
            facts += _binary_facts(metrics)
    if baseline.by_class:
        facts += class_facts(baseline.by_class)
    if values is not None:
        r2 = "undefined (constant labels)" if values.r2 is None else f"{values.r2:.4g}"
        facts.append(("labels", f"{values.n:,}, mean {values.label_mean:.4g}, deviation {values.label_deviation:.4g}"))
        facts.append(
            ("errors", f"MAE {values.mae:.4g}, RMSE {values.rmse:.4g}, bias {values.bias:+.4g}, R² {r2}"),
        )
    return facts + [
        ("healthy", f"windows of {duration_words(one.window_ms)}: {healthy_words(told.check, told.wander)}")
        for one in baseline.evidence
        for told in one.performance
    ]


def class_facts(classes: tuple[ClassScores, ...]) -> list[tuple[str, str]]:
    """Name and words of the classes, and of how well the baseline's labels met them."""
    facts = [("classes", ", ".join(one.name for one in classes))]
    found = baseline_metrics(classes)
    if isinstance(found, Undefined):
        return facts
    priors = ", ".join(f"{one.name} {100 * share:.1f} %" for one, share in zip(classes, found.priors, strict=True))
    said = f"{found.n:,}, log-loss {found.log_loss:.4g}, accuracy {_or_undefined(found.accuracy)}"
    return [*facts, ("labels", said), ("priors", priors), ("AUC", f"macro {_or_undefined(found.macro_auc)}")]


def _binary_facts(metrics: BinaryMetrics) -> list[tuple[str, str]]:
    said = (
        f"{metrics.n:,}, base rate {_percent(metrics.positives, metrics.n)}, Brier {metrics.brier:.4g}, "
        f"precision {_or_undefined(metrics.precision)}, recall {_or_undefined(metrics.recall)}"
    )
    auc = metrics.auc
    found = (
        f"{auc.value:.4f} in [{auc.low:.4f}, {auc.high:.4f}], standard error {auc.se:.2g}"
        if isinstance(auc, Auc)
        else f"undefined ({auc.reason})"
    )
    return [("labels", said), ("AUC", found)]


def _or_undefined(value: float | Undefined) -> str:
    return f"undefined ({value.reason})" if isinstance(value, Undefined) else f"{value:.4g}"


def describe_series(series: NumericSeries | CategoricalSeries, rows: int) -> str:
    """One series in one line."""
    found = _numeric(series, rows) if isinstance(series, NumericSeries) else _categorical(series, rows)
    for count, word in ((series.missing, "missing"), (series.invalid, "invalid")):
        if 0 < count < rows:
            found.append(f"{_percent(count, rows)} {word}")
    return ", ".join(found)


def atoms(series: NumericSeries) -> list[tuple[float, int]]:
    """Values with a bin of their own and a hundredth of the rows or more, with their counts, the most frequent first.

    A bin [v, nextafter(v)) holds v alone.
    """
    least = LEAST_ATOM_SHARE * (sum(series.counts) + series.missing + series.invalid)
    edges = np.array(series.inner_edges, np.float64)
    alone = np.flatnonzero(np.nextafter(edges[:-1], np.inf) == edges[1:])
    found = [(float(edges[i]), series.counts[i + 1]) for i in alone.tolist()]
    return sorted(((v, n) for v, n in found if n >= max(least, 1)), key=lambda atom: (-atom[1], atom[0]))


def _numeric(series: NumericSeries, rows: int) -> list[str]:
    if series.minimum is None or series.maximum is None:
        return [f"numeric, never a value: {'all missing' if series.missing == rows else 'missing or invalid'}"]
    if series.minimum == series.maximum:
        return [f"numeric, constant {series.minimum:g}"]
    found = [f"numeric, {series.minimum:g} to {series.maximum:g}"]
    if series.mean is not None and series.deviation is not None:
        found.append(f"mean {series.mean:.4g}, deviation {series.deviation:.4g}")
    found.append(f"{len(series.coarse_starts)} bins ({series.bins} fine)")
    shown = atoms(series)
    if shown:
        named = ", ".join(f"{v:g} ({_percent(n, rows)})" for v, n in shown[:MOST_ATOMS_SHOWN])
        more = f" and {len(shown) - MOST_ATOMS_SHOWN} more" if len(shown) > MOST_ATOMS_SHOWN else ""
        found.append(f"atoms {named}{more}")
    return found


def _categorical(series: CategoricalSeries, rows: int) -> list[str]:
    known = len(series.categories) + len(series.other_categories)
    if known == 0:
        return ["categorical, never a value"]
    if known == 1:
        return [f"categorical, constant {series.categories[0]!r}"]
    top = zip(series.categories, series.counts, strict=True)
    named = [f"{category} {_percent(n, rows)}" for category, n in list(top)[:MOST_CATEGORIES_SHOWN]]
    found = [f"categorical, {known} categories: {', '.join(named)}{', …' if known > len(named) else ''}"]
    if series.other_categories:
        found.append(f"{len(series.other_categories)} of them in `other` ({_percent(series.other, rows)})")
    return found


def _percent(count: int, rows: int) -> str:
    """A count as people read it; a small one is never shown as none.

    >>> _percent(1, 3), _percent(1, 100_000), _percent(99_999, 100_000)
    ('33.3 %', '<0.1 %', '>99.9 %')
    """
    share = 100 * count / rows
    if 0 < share < 0.1:
        return "<0.1 %"
    return ">99.9 %" if 99.9 < share < 100 else f"{share:.1f} %"
