"""What the checks of every model have come to, and its alerts, at a scrape; the metrics are declared in `metrics`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from stream.alerts.episode import SEVERITIES, Episode, State
from stream.evaluate.course_progress import CourseProgress
from stream.evaluate.evaluator import Evaluation
from stream.evaluate.fold import EvaluateFold
from stream.evaluate.performance_course import PerformanceProgress
from stream.service.performance_metrics import Families

SHOWN_STATES = (State.PENDING, State.FIRING, State.RESOLVED)  # an inactive alert is none

_Model = tuple[str, str]


def add_alerts(families: Families, folds: Iterable[EvaluateFold]) -> None:
    """Breaches, what the tests spent, and alerts: of traffic and of labels together, since a user sees one model."""
    firing: Counter[tuple[str, str, str]] = Counter()
    states: Counter[tuple[str, str, str]] = Counter()
    breaches: Counter[_Model] = Counter()
    spent: defaultdict[_Model, float] = defaultdict(float)
    for progress in _progresses(folds):
        model = progress.model, progress.version
        breaches[model] += progress.tally.breaches
        spent[model] += progress.tally.spent
        episodes = _episodes(progress)
        for state in SHOWN_STATES:
            states[(*model, str(state))] += sum(episode.state is state for episode in episodes)
        for severity in SEVERITIES:
            told = sum(episode.is_told and episode.severity is severity for episode in episodes)
            firing[(*model, str(severity))] += told
    for name, counts in (
        ("alerts_firing", firing),
        ("alerts", states),
        ("breaches_total", breaches),
        ("false_alarms_expected_total", spent),
    ):
        for labels, value in sorted(counts.items()):
            families[name].add_metric([*labels], value)


def provisional_ratio(latest: Evaluation) -> float | None:
    """The share of the series judged by evidence of which it is not known how much healthy windows differ."""
    tested = [check for check in latest.checks if check.test is not None and check.threshold.least is not None]
    return sum(check.provisional for check in tested) / len(tested) if tested else None


def _progresses(folds: Iterable[EvaluateFold]) -> Iterator[CourseProgress | PerformanceProgress]:
    for fold in folds:
        yield from (course.progress for course in fold.courses.values())
        yield from (course.progress for course in fold.performance.models)


def _episodes(progress: CourseProgress | PerformanceProgress) -> list[Episode]:
    """Those of the whole traffic and of every segment."""
    segments = progress.segments.values() if isinstance(progress, CourseProgress) else ()
    return [*progress.episodes.values(), *(e for segment in segments for e in segment.episodes.values())]
