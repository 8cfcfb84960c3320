"""`ts` to integer milliseconds since the epoch, or the reason why it is no time.

Promise: RFC 3339 with a zone (fractions are cut to milliseconds), or epoch milliseconds in
[1973-03-03, 5138-11-16); nothing is guessed: numbers that look like seconds, micro- or nanoseconds and
times without a zone are refused with a detail that says so. No clock is read.
Cost: about 0.1 us a row for a batch of times of one kind, 2 us a row otherwise.
"""

import calendar
import math
import re
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.ingest.fault import Fault, shown

Times = npt.NDArray[np.int64]

SECONDS_BELOW: Final = 10**11  # as milliseconds 1973-03-03; as seconds the year 5138
MICROSECONDS_FROM: Final = 10**14  # as milliseconds the year 5138; as microseconds 1973-03-03
NANOSECONDS_FROM: Final = 10**17
UNDECIDED: Final = -1  # in a batch: no time at first sight, `event_time` has to look

_RFC_3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?", re.ASCII
)
_DATE_SEPARATORS: Final = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_LEN_TO_SECONDS: Final = 19  # of "2013-04-01T05:15:00"
_ZERO: Final = ord("0")


def event_time(ts: object, *, record_timestamp_ms: int, max_clock_skew_ms: int) -> int | Fault:
    """Event time in ms of one prediction; without `ts` it is the record's timestamp.

    A record without a timestamp (-1 in Kafka) cannot judge the clock of its producer.

    >>> event_time("2013-04-01T05:15:00Z", record_timestamp_ms=1364793300000, max_clock_skew_ms=0)
    1364793300000
    >>> event_time(1364793300, record_timestamp_ms=1364793300000, max_clock_skew_ms=0).detail
    'ts = 1364793300 looks like seconds; send milliseconds'
    """
    found = _record_time(record_timestamp_ms) if ts is None else _stated_time(ts)
    if isinstance(found, Fault) or record_timestamp_ms < 0 or found <= record_timestamp_ms + max_clock_skew_ms:
        return found
    ahead_s = (found - record_timestamp_ms) / 1_000
    return Fault("future", f"ts is {ahead_s:.3f} s ahead of the record's timestamp; a clock is wrong somewhere")


def event_times(ts: list[object], *, record_timestamps_ms: Times, max_clock_skew_ms: int) -> Times:
    """Event times of a batch, shape (rows,); UNDECIDED where only `event_time` can tell."""
    kinds = set(map(type, ts))
    if kinds == {str}:
        times = _batch_of_texts(ts)  # type: ignore[arg-type]  # `kinds` says so
    elif kinds == {int} or kinds == {float}:
        times = _batch_of_numbers(ts)
    elif kinds == {type(None)}:
        times = record_timestamps_ms
    else:
        return _one_by_one(ts, record_timestamps_ms, max_clock_skew_ms)
    plausible = (times >= SECONDS_BELOW) & (times < MICROSECONDS_FROM)
    plausible &= (times <= record_timestamps_ms + max_clock_skew_ms) | (record_timestamps_ms < 0)
    return np.where(plausible, times, UNDECIDED)


def _record_time(record_timestamp_ms: int) -> int | Fault:
    if 0 <= record_timestamp_ms < MICROSECONDS_FROM:
        return record_timestamp_ms
    return Fault("bad_time", f"no ts, and the record's timestamp is {record_timestamp_ms}; send ts")


def _stated_time(ts: object) -> int | Fault:
    if isinstance(ts, str):
        return _text_time(ts)
    if isinstance(ts, bool) or not isinstance(ts, int | float):
        return Fault("bad_time", f"ts must be RFC 3339 with a zone or epoch milliseconds, got {shown(ts)}")
    if ts < SECONDS_BELOW:
        return Fault("bad_time", f"ts = {shown(ts)} looks like seconds; send milliseconds")
    if ts >= MICROSECONDS_FROM:
        unit = "microseconds" if ts < NANOSECONDS_FROM else "nanoseconds"
        return Fault("bad_time", f"ts = {shown(ts)} looks like {unit}; send milliseconds")
    return math.floor(ts)


def _text_time(text: str) -> int | Fault:
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return Fault("bad_time", f"ts must be RFC 3339 such as 2013-04-01T05:15:00Z, got {shown(text)}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, utc, sign, offset_hours, offset_minutes = match.groups()[6:]
    if utc is None and sign is None:
        return Fault("bad_time", f"ts = {shown(text)} has no zone; append Z if it is UTC")
    zone_exists = utc is not None or (int(offset_hours) <= 23 and int(offset_minutes) <= 59)
    if not zone_exists or not _exists(year, month, day, hour, minute, second):
        return Fault("bad_time", f"ts = {shown(text)} is no date or time that exists")
    offset_min = 0 if utc else int(f"{sign}1") * (int(offset_hours) * 60 + int(offset_minutes))
    seconds = calendar.timegm((year, month, day, hour, minute, second)) - offset_min * 60
    time_ms = seconds * 1_000 + int(((fraction or "") + "000")[:3])
    if not 0 <= time_ms < MICROSECONDS_FROM:
        return Fault("bad_time", f"ts = {shown(text)} is not between 1970 and 5138")
    return time_ms


def _exists(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bool:
    # A leap second, :60, counts as the second that follows it.
    in_calendar = year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    return in_calendar and hour <= 23 and minute <= 59 and second <= 60


def _one_by_one(ts: list[object], record_timestamps_ms: Times, max_clock_skew_ms: int) -> Times:
    found = [
        event_time(one, record_timestamp_ms=record_ms, max_clock_skew_ms=max_clock_skew_ms)
        for one, record_ms in zip(ts, record_timestamps_ms.tolist(), strict=True)
    ]
    return np.array([UNDECIDED if isinstance(one, Fault) else one for one in found], np.int64)


def _batch_of_numbers(ts: list[object]) -> Times:
    try:
        numbers = np.array(ts, np.float64)  # exact: every plausible millisecond is below 2 ** 53
    except OverflowError:  # an integer beyond any float
        return np.full(len(ts), UNDECIDED, np.int64)
    return np.where(np.abs(numbers) < MICROSECONDS_FROM, np.floor(numbers), UNDECIDED).astype(np.int64)


def _batch_of_texts(texts: list[str]) -> Times:
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    first = int(lengths[0])
    if (lengths == first).all():
        return _texts_of_length(texts, first)
    times = np.empty(len(texts), np.int64)
    for length in np.unique(lengths).tolist():
        at = np.flatnonzero(lengths == length)
        times[at] = _texts_of_length([texts[i] for i in at.tolist()], length)
    return times


def _texts_of_length(texts: list[str], length: int) -> Times:
    """Times of texts of one length, as a matrix of characters; only `...Z` and `...+00:00` are decided."""
    times = np.full(len(texts), UNDECIDED, np.int64)
    joined = "".join(texts)
    if not joined.isascii() or length <= _LEN_TO_SECONDS:
        return times
    characters = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length)
    for zone in (b"Z", b"+00:00"):
        has_zone = (characters[:, -len(zone) :] == np.frombuffer(zone, np.uint8)).all(axis=1)
        if has_zone.any():
            whole = has_zone.all()
            found = _utc_times((characters if whole else characters[has_zone])[:, : -len(zone)])
            times[has_zone] = found
    return times


def _utc_times(characters: npt.NDArray[np.uint8]) -> Times:
    """Times from characters without their zone, shape (rows, length)."""
    fraction = characters[:, _LEN_TO_SECONDS:]
    if characters.shape[1] < _LEN_TO_SECONDS or fraction.shape[1] == 1:
        return np.full(len(characters), UNDECIDED, np.int64)
    digits = (characters - _ZERO).astype(np.int64)  # what is no digit wraps to 10 or more
    well_formed = (digits[:, _DIGITS] <= 9).all(axis=1)
    for at, separator in _DATE_SEPARATORS:
        well_formed &= characters[:, at] == ord(separator)
    if fraction.shape[1]:
        well_formed &= (fraction[:, 0] == ord(".")) & (digits[:, _LEN_TO_SECONDS + 1 :] <= 9).all(axis=1)
    return np.where(well_formed, *_to_ms(digits))


def _to_ms(digits: Times) -> tuple[Times, Times]:
    """(times, UNDECIDED) of digits at RFC 3339's places; what does not exist is undecided too."""
    tens = [0, 5, 8, 11, 14, 17]
    year = digits[:, 0] * 1_000 + digits[:, 1] * 100 + digits[:, 2] * 10 + digits[:, 3]
    month, day, hour, minute, second = (digits[:, at] * 10 + digits[:, at + 1] for at in tens[1:])
    months = (year - 1970) * 12 + month - 1
    first_day, next_first_day = _first_day(months), _first_day(months + 1)
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= next_first_day - first_day)
    exists &= (hour <= 23) & (minute <= 59) & (second <= 59)
    minutes = ((first_day + day - 1) * 24 + hour) * 60 + minute
    times = (minutes * 60 + second) * 1_000 + _milliseconds(digits[:, _LEN_TO_SECONDS + 1 :])
    undecided = np.full(len(times), UNDECIDED, np.int64)
    return np.where(exists, times, undecided), undecided


def _first_day(months: Times) -> Times:
    """Days since the epoch of the first day of months since the epoch."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _milliseconds(fraction: Times) -> Times:
    """The first three digits of a fraction, shape (rows, digits)."""
    weights = np.array([100, 10, 1], np.int64)[: fraction.shape[1]]
    return np.asarray(fraction[:, : len(weights)] @ weights, np.int64)
