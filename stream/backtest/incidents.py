"""Marked incidents: when something was truly wrong, as people wrote it down. A CSV, YAML or JSON file."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from stream.backtest.alerts import CHECKS, NO_SERIES, AlertResult
from stream.backtest.windows import FileWindow
from stream.baselines.columns import SMALLEST_EPOCH_MS
from stream.baselines.roles import names_and_hint
from stream.errors import InputError

KEYS: Final = ("start", "end", "name", "check", "subject", "segment")
EXAMPLE: Final = "start: 2013-10-02T06:00:00Z, end: 2013-10-04T00:00:00Z, name: distance in kilometres"
FORMATS: Final = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A stretch [start_at, end_at) in which alerts are wanted."""

    name: str
    start_at: int  # event time in ms, or a row number where the file has no times
    end_at: int
    check: str | None  # only alerts of this check count; None: of any
    subjects: tuple[str, ...]  # only alerts about these series count; none: about any
    segment: str | None = None  # only alerts of this segment count; None: of the whole traffic, or any segment

    def touches(self, window: FileWindow) -> bool:
        """Whether the window has a moment of it."""
        return window.start_at < self.end_at and self.start_at < window.end_at

    def concerns(self, alert: AlertResult) -> bool:
        """Whether it is one of the alerts that are wanted."""
        of_series = not self.subjects or alert.subject in self.subjects
        return of_series and self.check in (None, alert.check) and self.segment in (None, alert.segment)


def read_incidents(path: Path, *, timed: bool, columns: Sequence[str]) -> list[Incident]:
    """The incidents of a file, the earliest first.

    Args:
        path: a table with the columns, or a list of objects with the keys, `start`, `end`, `name` and, if only
            some alerts count, `segment`, `check` and `subject`: one series, or several (a list; `a;b` in a table).
        timed: whether windows have times; if not, start and end are row numbers.
        columns: of the judged file; what else an alert is about is known here.

    Raises:
        InputError: the file cannot be read, or an entry lacks something, has too much, or names a check or a subject
            that no alert could be of.
    """
    subjects = list(dict.fromkeys((*columns, *NO_SERIES)))
    entries = _entries(path)
    if not entries:
        raise InputError(f"{path} has no incidents; list at least one, such as `{EXAMPLE}`")
    incidents = []
    for number, entry in enumerate(entries, start=1):
        try:
            incidents.append(_known(_incident(entry, timed=timed), subjects))
        except ValueError as problem:
            raise InputError(f"{path}, incident {number}: {problem}") from None
    return sorted(incidents, key=lambda i: (i.start_at, i.end_at))


def _entries(path: Path) -> list[Any]:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: incidents are read from .csv, .yaml or .json; rename the file, or convert it")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if kind == "csv":
            found: Any = list(csv.DictReader(text.splitlines(), restkey="a cell more than the head", strict=True))
        else:
            found = json.loads(text) if kind == "json" else yaml.safe_load(text)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}; give a CSV, YAML or JSON file") from problem
    except (ValueError, csv.Error, yaml.YAMLError) as problem:
        raise InputError(f"{path} is no {kind.upper()} file that can be read: {problem}") from problem
    if not isinstance(found, list | None):
        raise InputError(f"{path} must be a list of incidents, such as `- {{{EXAMPLE}}}`")
    return found or []


def _incident(entry: Any, *, timed: bool) -> Incident:
    """One entry, checked. A ValueError says what is wrong with it."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"must have {', '.join(KEYS[:3])}, such as `{EXAMPLE}`")
    unknown = [str(key) for key in entry if key not in KEYS]
    if unknown:
        raise ValueError(f"there is no key {unknown[0]!r}; the keys are {', '.join(KEYS)}")
    given = {key: value for key, value in entry.items() if value not in (None, "")}
    missing = [key for key in KEYS[:3] if key not in given]
    if missing:
        raise ValueError(f"{missing[0]} is missing; an incident has {', '.join(KEYS[:3])}, such as `{EXAMPLE}`")
    read = _time_ms if timed else _row
    start_at, end_at = read("start", given["start"]), read("end", given["end"])
    if end_at <= start_at:
        raise ValueError(f"end = {given['end']} is not after start = {given['start']}; the end is no part of it")
    return Incident(
        name=str(given["name"]),
        start_at=start_at,
        end_at=end_at,
        check=str(given["check"]) if "check" in given else None,
        subjects=_subjects(given.get("subject", [])),
        segment=str(given["segment"]) if "segment" in given else None,
    )


def _known(incident: Incident, subjects: Sequence[str]) -> Incident:
    """The same incident. A ValueError says which of its names no alert could have."""
    for key, named, known in (("check", (incident.check,), CHECKS), ("subject", incident.subjects, subjects)):
        for name in named:
            if name is not None and name not in known:
                what = f"{key} = {name!r} of {incident.name!r}: no alert of this file could be of it"
                raise ValueError(f"{what}; there are {names_and_hint(name, known)}")
    return incident


def _subjects(given: Any) -> tuple[str, ...]:
    """One name, several with semicolons between, or a list.

    >>> _subjects("distance; score"), _subjects(["distance"])
    (('distance', 'score'), ('distance',))
    """
    names = given if isinstance(given, list) else str(given).split(";")
    return tuple(str(name).strip() for name in names)


def _time_ms(key: str, value: Any) -> int:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # midnight; its zone comes below
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = _number(key, value, f"must be RFC 3339, such as 2013-10-02T06:00:00Z, or epoch ms, got {value!r}")
    if isinstance(value, datetime):
        zoned = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return math.floor(zoned.timestamp() * 1000)
    number = _number(key, value, f"must be RFC 3339, such as 2013-10-02T06:00:00Z, or epoch ms, got {value!r}")
    if abs(number) < SMALLEST_EPOCH_MS:
        raise ValueError(f"{key} = {number}: epoch milliseconds are at least 1e11; multiply seconds by 1000")
    return number


def _row(key: str, value: Any) -> int:
    return _number(key, value, f"must be a row number, since the judged file has no times, got {value!r}")


def _number(key: str, value: Any, rule: str) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError(value)
    except (ValueError, TypeError):
        raise ValueError(f"{key} {rule}") from None
    return int(value)
