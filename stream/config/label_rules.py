"""Rules on how predictions wait for labels that need more than one key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.config.durations import format_duration
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config import Config, LabelKeys, ModelConfig

SECOND_MS: Final = 1_000  # the times of outcomes are whole seconds
MOST_COHORTS: Final = 400  # panes of prediction time that are open at a time, per model version


class _Broken(NamedTuple):
    """A rule that a model's settings break."""

    keys: tuple[str, ...]  # that could be changed; the first one that the model says itself is named
    rule: str
    fix: str


def label_rules(config: "Config") -> Iterator[ConfigError]:
    """Every rule on labels that the settings break: of any model, then of what a listed one has otherwise."""
    anything = config.model("a model that is not listed")
    for broken in _broken(anything):
        yield _error("windows" if broken.keys[0] == "pane" else "labels", broken.keys[0], anything, broken)
    for name, keys in config.models.items():
        model = config.model(name)
        own = set(keys.labels.model_fields_set) if keys.labels is not None else set()
        if keys.windows.pane is not None:
            own.add("pane")
        for broken in _broken(model):
            key = next((key for key in broken.keys if key in own), None)
            if key is not None:
                section = "windows" if key == "pane" else "labels"
                yield _error(f"models.{name}.{section}", key, model, broken)


def _broken(model: "ModelConfig") -> Iterator[_Broken]:
    labels, pane_ms = model.labels, model.windows.pane
    if labels is not None and pane_ms >= SECOND_MS:  # a shorter one is refused elsewhere
        yield from _not_whole_seconds(labels, pane_ms)
        yield from _spans_that_do_not_fit(labels)
        yield from _cohorts_that_do_not_fit(labels.ttl, model.cohort_ms, pane_ms)


def _not_whole_seconds(labels: "LabelKeys", pane_ms: int) -> Iterator[_Broken]:
    if pane_ms % SECOND_MS:
        rule = "must be whole seconds, since labels are joined by the second"
        yield _Broken(("pane",), rule, f"{round(pane_ms / SECOND_MS)}s, or `labels: off`")
    for key in ("ttl", "early", "revision"):
        duration_ms = getattr(labels, key)
        if duration_ms % SECOND_MS:
            yield _Broken((key,), "must be whole seconds", f"{max(1, round(duration_ms / SECOND_MS))}s")


def _spans_that_do_not_fit(labels: "LabelKeys") -> Iterator[_Broken]:
    ttl, early = format_duration(labels.ttl), format_duration(labels.early)
    if labels.ttl == 0:
        yield _Broken(("ttl",), "must be longer than nothing", "30d")
    elif labels.early > labels.ttl:
        rule = f"a label may not come earlier ({early}) before its prediction than late after it ({ttl})"
        yield _Broken(("early", "ttl"), rule, f"labels.early of at most {ttl}")


def _cohorts_that_do_not_fit(ttl_ms: int, cohort_ms: int, pane_ms: int) -> Iterator[_Broken]:
    if cohort_ms < pane_ms or cohort_ms % pane_ms:
        rule = f"a cohort ({format_duration(cohort_ms)}) must be whole panes ({format_duration(pane_ms)})"
        nearest = format_duration(max(1, round(cohort_ms / pane_ms)) * pane_ms)
        yield _Broken(("cohort", "pane"), rule, f"labels.cohort of {nearest}")
    elif ttl_ms > MOST_COHORTS * cohort_ms:
        cohorts = f"{-(-ttl_ms // cohort_ms)} cohorts of {format_duration(cohort_ms)}"
        rule = f"labels.ttl ({format_duration(ttl_ms)}) is {cohorts}, more than {MOST_COHORTS}"
        fitting_ms = -(-ttl_ms // (MOST_COHORTS * pane_ms)) * pane_ms
        yield _Broken(("cohort", "ttl", "pane"), rule, f"labels.cohort of at least {format_duration(fitting_ms)}")


def _error(section: str, key: str, model: "ModelConfig", broken: _Broken) -> ConfigError:
    values = {"pane": model.windows.pane, "cohort": model.cohort_ms}
    if model.labels is not None:
        values |= {"ttl": model.labels.ttl, "early": model.labels.early, "revision": model.labels.revision}
    return ConfigError(f"{section}.{key}", format_duration(values[key]), broken.rule, fix=broken.fix)
