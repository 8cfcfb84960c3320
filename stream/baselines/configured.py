"""Where the configuration of a model and its baseline do not go together."""

from collections.abc import Mapping
from typing import Final

from stream.baselines.baseline import Baseline
from stream.config import ModelConfig
from stream.errors import InputError

OPTION_OF: Final[Mapping[str, str]] = {
    "binary": "--score COL",
    "regression": "--value COL",
    "multiclass": "--scores A,B,C",
}
FIELD_OF: Final[Mapping[str, str]] = {"binary": "score", "regression": "value"}  # of a message


def other_task(model: ModelConfig, baseline: Baseline) -> bool:
    """Whether the configuration gives the model another task than its baseline has."""
    return model.task is not None and model.task != baseline.task


def check_task(model: ModelConfig, baseline: Baseline, *, live: bool) -> None:
    """Refuse a baseline that the configuration contradicts: the model would get no performance, or the wrong one.

    Args:
        model: its configuration.
        baseline: made of the rows.
        live: of messages, which name their answer themselves.

    Raises:
        InputError: it does.
    """
    if model.task is None or not other_task(model, baseline):
        return
    found = "no answer" if baseline.answer is None else f"`{baseline.answer}`, the answer of a {baseline.task} model"
    fix = f"name the answer with {OPTION_OF[model.task]}"
    if live:
        fix = f"send `{FIELD_OF[model.task]}`"
    raise InputError(f"models.{model.name}.task = {model.task!r}: the rows have {found}; {fix}, or mend the key")


def unknown_features(model: ModelConfig, baseline: Baseline) -> Mapping[str, list[str]]:
    """Names below the model's `checks.psi.features` and `checks.quality.features` that no series has, by key.

    `quality.features: {NAME: off}` of such a name does nothing, but for hushing that the feature is new.
    """
    quality = model.checks.quality
    named = {"psi": set(model.checks.psi.features), "quality": set(quality.features if quality else ())}
    known = {series.name for series in baseline.series}
    return {check: sorted(names - known) for check, names in named.items() if names - known}


def unknown_feature_notes(model: ModelConfig, baseline: Baseline) -> tuple[str, ...]:
    """The same, a sentence for each key."""
    return tuple(
        f"models.{model.name}.checks.{check}.features names {', '.join(map(repr, names))}, "
        "which the baseline has no series of: mend the name, or take it out"
        for check, names in unknown_features(model, baseline).items()
    )
