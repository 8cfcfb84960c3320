"""The fast route: well-formed predictions of known models straight into columns.

Promise: what it accepts, the slow route (careful_rows.py) reads to the very same row; whatever else it
leaves alone and says so. It never refuses a prediction by itself.
Cost: about 1.3 us a row for 400 bytes with 10 features, half of `orjson.loads` and its dict.
How: one msgspec struct type per model, generated from the schemas of its versions. The model's name is the
struct's tag, so that one pass finds the model, checks the types and keeps only the features that count.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import reduce
from itertools import compress
from operator import attrgetter, or_
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.ingest.chunk import Chunk, Places, Units
from stream.ingest.class_scores import class_columns
from stream.ingest.envelope import DEFAULT_VERSION
from stream.ingest.event_time import UNDECIDED, event_times
from stream.ingest.feature_values import MISSING_NUMBER, category_codes
from stream.ingest.id_hash import id_hashes, is_whole
from stream.ingest.json_text import parse_json
from stream.ingest.latency_values import latency_column
from stream.ingest.segment_values import SegmentColumns, SegmentStruct
from stream.ingest.settings import IngestSettings
from stream.ingest.status_values import status_column
from stream.ingest.typed_json import decode_each
from stream.records.prediction import CODE_UNSEEN, STATUS_OK, Answer, ModelKey, Schema

_Envelope = Any  # an instance of a generated struct type, or None where there is none

_VERSION: Final = attrgetter("version")
_Getter = Callable[[Any], Any]

_NUMERIC_TYPE: Final = float | bool | None
_CATEGORICAL_TYPE: Final = str | int | None
_ID_TYPE: Final = str | int | None
_LATENCY_TYPE: Final = float | None
_STATUS_TYPE: Final = str | None
_SCORES_TYPE: Final = dict[str, float] | list[float] | None
# msgspec looks for a key behind the one before it, then from the start: 500 features in another order than the
# struct's took 200 us a row, in its own order 12 us.
WIDE_FEATURES: Final = 20


class TypedRows:
    """Reads the models of `schemas`; those whose names JSON must escape, or whose versions disagree, are left alone."""

    def __init__(self, schemas: Mapping[ModelKey, Schema], settings: IngestSettings) -> None:
        self._schemas = schemas
        self._settings = settings
        self._readers: dict[tuple[type, str], _VersionReader] = {}
        self._types: dict[str, type] = {}
        self._unlearned: set[str] = set()
        for model in sorted({key.model for key in schemas}):
            self._add_model(model)
        self._decode = _decoder(self._types.values())

    def read(self, units: Units) -> tuple[list[Chunk], list[int]]:
        """Chunks of the rows that are beyond doubt, and the positions of the units that are not."""
        if not self._types or not units.values:
            return [], list(range(len(units.values)))
        envelopes = decode_each(units.values, self._decode, self._settings.max_message_bytes)
        chunks: list[Chunk] = []
        left_alone = np.ones(len(envelopes), np.bool_)
        for reader, positions in self._by_version(envelopes):
            rows = envelopes if isinstance(positions, slice) else [envelopes[i] for i in positions]
            chunk, accepted = reader.read(rows, units.place[positions], units.timestamps_ms[positions])
            chunks.append(chunk)
            left_alone[positions] = ~accepted
            if reader.key.model in self._unlearned:
                self._learn_order(reader.key.model, units.values[0 if isinstance(positions, slice) else positions[0]])
        return chunks, np.flatnonzero(left_alone).tolist()

    def _add_model(self, model: str, first: Collection[str] = ()) -> None:
        """Make the model's struct type, with the features of `first` in front."""
        versions = {key: schema for key, schema in self._schemas.items() if key.model == model}
        types = _feature_types(list(versions.values()))
        segment = SegmentStruct(list(versions.values()))
        if types is None or not model or not all(map(_is_plain_name, (*types, *segment.attributes))):
            return
        ordered = {name: types[name] for name in [*first, *types] if name in types}
        asked = _fields_asked(list(versions.values()))
        envelope, no_features = _envelope_type(model, ordered, segment, asked)
        attributes = {name: _attribute(i) for i, name in enumerate(ordered)}
        for key, schema in versions.items():
            columns = _Columns(schema, attributes, no_features, SegmentColumns(schema, segment))
            self._readers[envelope, key.version] = _VersionReader(key, columns, self._settings.max_clock_skew_ms)
        self._types[model] = envelope
        if len(types) >= WIDE_FEATURES and not first:
            self._unlearned.add(model)

    def _learn_order(self, model: str, value: bytes | None) -> None:
        """Put the features into the order of a message that was read; a matter of speed, not of what is read."""
        prediction = parse_json(value or b"")
        features = prediction.get("features") if isinstance(prediction, dict) else None
        if not isinstance(features, dict) or 2 * len(features) < WIDE_FEATURES:
            return  # it says nothing about the order of the others; the next batch may
        self._unlearned.remove(model)
        outdated = self._types[model]
        self._readers = {label: reader for label, reader in self._readers.items() if label[0] is not outdated}
        self._add_model(model, first=features)
        self._decode = _decoder(self._types.values())

    def _by_version(self, envelopes: list[_Envelope]) -> list[tuple["_VersionReader", list[int] | slice]]:
        """The positions of each known model and version; a slice if all are of one."""
        label = _only_version(envelopes)
        if label is not None:
            return [(self._readers[label], slice(None))] if label in self._readers else []
        groups: dict[tuple[type, str], list[int]] = {}
        for i, envelope in enumerate(envelopes):
            if envelope is not None:
                groups.setdefault((type(envelope), envelope.version), []).append(i)
        return [(self._readers[label], at) for label, at in groups.items() if label in self._readers]


class _VersionReader:
    """Chunks of one model's version, from its envelopes."""

    def __init__(self, key: ModelKey, columns: "_Columns", max_clock_skew_ms: int) -> None:
        self.key = key
        self._columns = columns
        self._max_clock_skew_ms = max_clock_skew_ms

    def read(
        self, rows: list[_Envelope], place: Places, timestamps_ms: npt.NDArray[np.int64]
    ) -> tuple[Chunk, npt.NDArray[np.bool_]]:
        """The accepted rows as a chunk, and which they are, shape (rows,)."""
        times = event_times(
            [row.ts for row in rows], record_timestamps_ms=timestamps_ms, max_clock_skew_ms=self._max_clock_skew_ms
        )
        features = [row.features for row in rows]
        numeric, categorical = self._columns.numeric(rows, features), self._columns.categorical(features)
        ids, good_ids = self._columns.ids(rows)
        latency_ms, status = self._columns.latency_ms(rows), self._columns.status(rows)
        segments = self._columns.segments.codes(rows)
        accepted = (times != UNDECIDED) & self._columns.has_good_answer(rows, numeric) & good_ids
        if not accepted.all():
            place, times = place[accepted], times[accepted]
            numeric, categorical, latency_ms = numeric[accepted], categorical[accepted], latency_ms[accepted]
            segments, status = segments[accepted], status[accepted]
            ids = list(compress(ids, accepted))
        id_hash = id_hashes(self.key.model, ids) if ids else np.zeros(len(place), np.uint64)
        chunk = Chunk(
            key=self.key,
            place=place,
            event_time_ms=times,
            numeric=numeric,
            categorical=categorical,
            id_hash=id_hash,
            latency_ms=latency_ms,
            segments=segments,
            status=status,
        )
        return chunk, accepted


class _Columns:
    """Where each series of one schema lies in the structs."""

    def __init__(
        self, schema: Schema, attributes: Mapping[str, str], no_features: object, segments: SegmentColumns
    ) -> None:
        self.segments = segments
        self._answer = schema.answer
        self._classes = schema.classes
        self._ids = schema.ids
        self._latency = schema.latency
        self._status = schema.status
        self._no_features = no_features
        self._numeric = [attrgetter(attributes[name]) for name in schema.numeric]
        self._categorical = [
            (attrgetter(attributes[name]), category_codes(categories))
            for name, categories in zip(schema.categorical, schema.categories, strict=True)
        ]

    def numeric(self, rows: list[_Envelope], features: list[Any]) -> npt.NDArray[np.float64]:
        """Shape (rows, numeric features + answer), each column contiguous; NaN = missing."""
        getters: list[tuple[_Getter, list[Any]]] = [(get, features) for get in self._numeric]
        if self._answer is not None and not self._classes:
            getters.append((attrgetter(self._answer.value), rows))
        columns = np.empty((len(getters) + len(self._classes), len(rows)), np.float64)
        for column, (get, structs) in zip(columns, getters, strict=False):
            column[:] = _floats(get, structs)
        if self._classes:
            columns[len(getters) :] = class_columns([row.scores for row in rows], self._classes)
        return columns.T

    def categorical(self, features: list[Any]) -> npt.NDArray[np.int32]:
        """Shape (rows, categorical features), each column contiguous: codes."""
        columns = np.empty((len(self._categorical), len(features)), np.int32)
        for column, (get, codes) in zip(columns, self._categorical, strict=True):
            column[:] = [codes.get(value, CODE_UNSEEN) for value in map(get, features)]
        return columns.T

    def ids(self, rows: list[_Envelope]) -> tuple[list[str | int | None], npt.NDArray[np.bool_] | np.bool_]:
        """The ids, none at all if the schema asks for none, and whether they are such, shape (rows,) or ()."""
        if not self._ids:
            return [], np.True_
        ids = [row.prediction_id for row in rows]
        if int not in set(map(type, ids)):
            return ids, np.True_
        return ids, np.array([not isinstance(one, int) or is_whole(one) for one in ids], np.bool_)

    def latency_ms(self, rows: list[_Envelope]) -> npt.NDArray[np.float64]:
        """Shape (rows,), as in ModelColumns."""
        if not self._latency:
            return np.full(len(rows), MISSING_NUMBER)
        return latency_column([row.latency_ms for row in rows])

    def status(self, rows: list[_Envelope]) -> npt.NDArray[np.int8]:
        """Shape (rows,), as in ModelColumns."""
        if not self._status:
            return np.full(len(rows), STATUS_OK, np.int8)
        return status_column([row.status for row in rows])

    def has_good_answer(self, rows: list[_Envelope], numeric: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Shape (rows,): the answer lies in its range, or is missing while another one is there."""
        if self._answer is None:
            return np.array([self._has_other_answer(row) for row in rows], np.bool_)
        if self._classes:
            return self._has_good_scores(rows, numeric[:, -len(self._classes) :])
        answer = numeric[:, -1]
        good = (answer >= 0) & (answer <= 1) if self._answer is Answer.SCORE else ~np.isnan(answer)
        for i in np.flatnonzero(np.isnan(answer)).tolist():
            good[i] = self._has_other_answer(rows[i])
        return good

    def _has_good_scores(self, rows: list[_Envelope], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        missing = np.isnan(scores)
        in_range = missing | ((scores >= 0) & (scores <= 1))
        good: npt.NDArray[np.bool_] = np.asarray(in_range.all(axis=1))
        for i in np.flatnonzero(missing.all(axis=1)).tolist():
            good[i] = self._has_other_answer(rows[i])
        return good

    def _has_other_answer(self, row: _Envelope) -> bool:
        if row.features is not self._no_features:
            return True
        return row.score is not None or row.value is not None or row.scores is not None


def _only_version(envelopes: list[_Envelope]) -> tuple[type, str] | None:
    """The model's type and the version that all envelopes have; None if there are several."""
    types = set(map(type, envelopes))
    if len(types) != 1 or envelopes[0] is None:
        return None
    versions = set(map(_VERSION, envelopes))
    return (types.pop(), versions.pop()) if len(versions) == 1 else None


def _floats(get: _Getter, structs: list[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.fromiter(map(get, structs), np.float64, len(structs))
    except TypeError:  # there is a None, which only np.array takes for NaN
        return np.array(list(map(get, structs)), np.float64)


def _feature_types(schemas: Collection[Schema]) -> dict[str, Any] | None:
    """Feature: what JSON may hold for it, over all versions of a model; None if they disagree."""
    numeric: dict[str, Any] = {name: _NUMERIC_TYPE for schema in schemas for name in schema.numeric}
    categorical: dict[str, Any] = {name: _CATEGORICAL_TYPE for schema in schemas for name in schema.categorical}
    return None if numeric.keys() & categorical.keys() else numeric | categorical


def _fields_asked(schemas: Collection[Schema]) -> list[tuple[str, Any, None]]:
    """The fields of the envelope that are read only where a version asks for them."""
    asked = {
        ("prediction_id", _ID_TYPE): any(schema.ids for schema in schemas),
        ("latency_ms", _LATENCY_TYPE): any(schema.latency for schema in schemas),
        ("status", _STATUS_TYPE): any(schema.status for schema in schemas),
    }
    return [(name, kind, None) for (name, kind), wanted in asked.items() if wanted]


def _envelope_type(
    model: str, types: Mapping[str, Any], segment: SegmentStruct, asked: Sequence[tuple[str, Any, None]] = ()
) -> tuple[type, object]:
    """The struct type of one model's predictions, and what stands in it where there are no features."""
    fields = [
        (_attribute(i), kind, msgspec.field(default=None, name=name)) for i, (name, kind) in enumerate(types.items())
    ]
    features = msgspec.defstruct("Features", fields, frozen=True, gc=False)
    no_features = features()
    envelope = msgspec.defstruct(
        "Envelope",
        [
            *asked,
            *segment.fields,
            ("features", features, no_features),
            ("version", str, DEFAULT_VERSION),
            ("ts", int | float | str | None, None),
            ("score", float | None, None),
            ("value", float | None, None),
            ("scores", _SCORES_TYPE, None),
        ],
        tag_field="model",
        tag=model,
        gc=False,
    )
    return envelope, no_features


def _attribute(position: int) -> str:
    return f"f{position}"


def _decoder(envelopes: Iterable[type]) -> Callable[[Any], _Envelope]:
    # msgspec asks for the tag only where there are two to tell apart; no model has the empty name.
    nameless, _ = _envelope_type("", {}, SegmentStruct([]))
    return msgspec.json.Decoder(reduce(or_, envelopes, nameless)).decode


def _is_plain_name(name: str) -> bool:
    """Whether JSON writes the name without escapes, so that msgspec can compare its bytes."""
    return name.isprintable() and '"' not in name and "\\" not in name
