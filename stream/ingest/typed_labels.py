"""The fast route of labels: well-formed ones of known models straight into columns.

Promise: what it accepts, the slow route (careful_labels.py) reads to the very same label; whatever else it
leaves alone and says so. It never refuses a label by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.ingest.careful_labels import LARGEST_FLOAT32, NO_SCORE, RETRACTED, Label, LabelRule, class_place
from stream.ingest.chunk import Places, Units
from stream.ingest.envelope import DEFAULT_VERSION, name_fault
from stream.ingest.event_time import UNDECIDED, event_times
from stream.ingest.id_hash import id_hashes, is_whole
from stream.ingest.settings import IngestSettings
from stream.ingest.typed_json import decode_each

Numbers = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]


class _Message(msgspec.Struct, gc=False):
    """A label as most producers send it; without any of the first three the slow route decides."""

    prediction_id: str | int
    model: str
    label: bool | int | float | None
    ts: int | float | str | None = None
    score: float | None = None
    version: str | None = None


class _NamingMessage(msgspec.Struct, gc=False):
    """The same where some model has classes, so that a label may be a text."""

    prediction_id: str | int
    model: str
    label: bool | int | float | str | None
    ts: int | float | str | None = None
    score: float | None = None
    version: str | None = None


_DECODE: Final = msgspec.json.Decoder(_Message).decode
_DECODE_NAMES: Final = msgspec.json.Decoder(_NamingMessage).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChunk:
    """Labels of one model that came by one route; all arrays have shape (rows,)."""

    model: str
    place: Places
    event_time_ms: npt.NDArray[np.int64]
    id_hash: npt.NDArray[np.uint64]
    value: Numbers
    score: Numbers
    versions: list[str]  # of each row; empty: all of them "0"


class TypedLabels:
    """Reads the labels of the models of `rules`."""

    def __init__(self, rules: Mapping[str, LabelRule], settings: IngestSettings) -> None:
        self._rules = dict(rules)
        self._settings = settings
        self._names = any(rule.is_multiclass for rule in rules.values())

    def read(self, units: Units) -> tuple[list[LabelChunk], list[int]]:
        """Chunks of the labels that are beyond doubt, and the positions of the units that are not."""
        if not self._rules or not units.values:
            return [], list(range(len(units.values)))
        messages = decode_each(
            units.values, _DECODE_NAMES if self._names else _DECODE, self._settings.max_message_bytes
        )
        left_alone = np.ones(len(messages), np.bool_)
        chunks: list[LabelChunk] = []
        for model, positions in _by_model(messages).items():
            if model in self._rules:
                of_model = [messages[i] for i in positions]
                chunk, accepted = self._read_model(model, of_model, units, np.array(positions, np.int64))
                chunks.append(chunk)
                left_alone[positions] = ~accepted
        return chunks, np.flatnonzero(left_alone).tolist()

    def _read_model(
        self, model: str, messages: list[Any], units: Units, positions: npt.NDArray[np.int64]
    ) -> tuple[LabelChunk, Chosen]:
        rule = self._rules[model]
        times = event_times(
            [message.ts for message in messages],
            record_timestamps_ms=units.timestamps_ms[positions],
            max_clock_skew_ms=self._settings.max_clock_skew_ms,
        )
        ids = [message.prediction_id for message in messages]
        value, good_values = _values([message.label for message in messages], rule, may_be_text=self._names)
        score, versions, good_scores = _scores(messages, rule)
        accepted = (times != UNDECIDED) & _good_ids(ids) & good_values & good_scores
        if not accepted.all():
            ids = [one for one, good in zip(ids, accepted.tolist(), strict=True) if good]
            versions = [one for one, good in zip(versions, accepted.tolist(), strict=True) if good] if versions else []
        chunk = LabelChunk(
            model=model,
            place=units.place[positions[accepted]],
            event_time_ms=times[accepted],
            id_hash=id_hashes(model, ids),
            value=value[accepted],
            score=score[accepted],
            versions=versions,
        )
        return chunk, accepted


def label_chunks(labels: Sequence[tuple[int, Label]]) -> list[LabelChunk]:
    """The chunks of labels of the slow route, with their places, one per model."""
    by_model: dict[str, list[tuple[int, Label]]] = {}
    for place, label in labels:
        by_model.setdefault(label.model, []).append((place, label))
    return [
        LabelChunk(
            model=model,
            place=np.array([place for place, _ in placed], np.int64),
            event_time_ms=np.array([label.event_time_ms for _, label in placed], np.int64),
            id_hash=np.array([label.id_hash for _, label in placed], np.uint64),
            value=np.array([label.value for _, label in placed], np.float64),
            score=np.array([label.score for _, label in placed], np.float64),
            versions=[label.version for _, label in placed],
        )
        for model, placed in by_model.items()
    ]


def _by_model(messages: list[Any]) -> dict[str, list[int]]:
    """The positions of each model's messages."""
    found: dict[str, list[int]] = {}
    for i, message in enumerate(messages):
        if message is not None:
            found.setdefault(message.model, []).append(i)
    return found


def _good_ids(ids: list[str | int]) -> Chosen | np.bool_:
    """Whether each is an id, shape (rows,) or ()."""
    if set(map(type, ids)) == {str}:
        return np.True_ if "" not in ids else np.array([one != "" for one in ids], np.bool_)
    return np.array([is_whole(one) if isinstance(one, int) else one != "" for one in ids], np.bool_)


def _values(labels: list[Any], rule: LabelRule, *, may_be_text: bool) -> tuple[Numbers, Chosen]:
    """The labels as numbers, NaN where one is retracted, and whether they are such, both of shape (rows,)."""
    if rule.is_multiclass:
        return _places(labels, rule), np.ones(len(labels), np.bool_)
    if may_be_text and str in set(map(type, labels)):  # beside labels of a model that has classes
        numbers = [RETRACTED if isinstance(one, str) else one for one in labels]
        value, good = _values(numbers, rule, may_be_text=False)
        return value, good & [not isinstance(one, str) for one in labels]
    try:
        value = np.array(labels, np.float64)
    except OverflowError:  # an integer beyond any float
        return np.full(len(labels), RETRACTED), np.zeros(len(labels), np.bool_)
    good = np.isnan(value)
    if rule.is_regression:
        good |= np.abs(value) <= LARGEST_FLOAT32
        if bool in set(map(type, labels)):
            good &= [not isinstance(one, bool) for one in labels]
    else:
        good |= (value == 0) | (value == 1)
    return value, good


def _places(labels: list[Any], rule: LabelRule) -> Numbers:
    """The place of each label's class, NaN where one is retracted."""
    places = {name: i for i, name in enumerate(rule.classes)}
    keys = list(zip(map(type, labels), labels, strict=True))  # True is no 1 here
    found = {key: class_place(key[1], places) for key in set(keys)}
    return np.array([found[key] for key in keys], np.float64)


def _scores(messages: list[Any], rule: LabelRule) -> tuple[Numbers, list[str], Chosen | np.bool_]:
    """The scores, NaN for none, the versions that gave them, and whether they are such."""
    scores = [message.score for message in messages]
    if rule.is_regression or rule.is_multiclass or set(map(type, scores)) == {type(None)}:
        return np.full(len(messages), NO_SCORE), [], np.True_
    score = np.array(scores, np.float64)
    scored = ~np.isnan(score)
    versions = [
        DEFAULT_VERSION if message.version is None or message.score is None else message.version for message in messages
    ]
    unfit = {version for version in set(versions) if name_fault("version", version) is not None}
    good = ~scored | ((score >= 0) & (score <= 1))
    if unfit:
        good &= [version not in unfit for version in versions]
    return score, versions, good
