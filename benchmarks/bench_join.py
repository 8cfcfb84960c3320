"""The label join on one core, in one process without a broker: speed, memory, and reading back.

predictions/s, labels/s   rows folded with a million waiting, in covering records of 5,000 rows
join / dict               joined labels/s against a plain-dict join over the same bytes
memory                    bytes of one waiting prediction: of the arrays, and resident
read-back                 seconds until the waiting rows are there again after a restart, from the same bytes

--large does it with 10 million waiting, in eight partitions as one worker may have them (about two minutes).
"""

import argparse
import gc
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stream.join.emission import JoinOutputs
from stream.join.fold import JoinFold
from stream.records.outcome import (
    NO_MODEL,
    Covering,
    Kind,
    OutcomeRows,
    PerformanceDefinition,
    decode_covering,
    encode_covering,
    pack_rows,
)
from stream.records.source import MessageBatch, Source

BINS, ROWS, LABELS, START_S, DAY_S = 2_048, 5_000, 500_000, 1_700_000_000, 86_400
MODELS = [
    PerformanceDefinition(f"m{i}", "1", "", "binary", "g", BINS, 0.0, 60_000, DAY_S * 1000, f"m{i}@1#1", 3_600_000,
                          30 * DAY_S * 1000, 7 * DAY_S * 1000, True, 1 << 40)
    for i in range(10)
]  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="10 million waiting predictions, in 8 partitions")
    large = parser.parse_args().large
    waiting, partitions = (10_000_000, 8) if large else (1_000_000, 1)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    predictions = [list(_records(Kind.PREDICTIONS, _ids(p, waiting // partitions))) for p in range(partitions)]
    some = np.random.default_rng(9).permutation(_ids(0, waiting // partitions))[:LABELS]
    labels = list(_records(Kind.LABELS, some))
    before = _resident_bytes()
    started_s = time.process_time()
    folds = [_folded(records) for records in predictions]
    took_s = time.process_time() - started_s
    print(f"predictions: {waiting / took_s / 1e6:.2f} M rows/s ({waiting:,} that wait, {partitions} partitions)")
    arrays = sum(fold.waiting.table.nbytes for fold in folds)
    gc.collect()
    resident = _resident_bytes() - before
    print(f"memory of a waiting prediction: {arrays / waiting:.1f} B in arrays (wanted <= 36), ", end="")
    print(f"{resident / waiting:.1f} B resident with about 25 MB that do not grow with them: {resident / 1e6:.0f} MB")
    _read_back(folds, predictions, waiting)
    for rows in (0, 1, 10):
        _read_back_small(rows)
    if not large:
        _against_a_dict(predictions[0], labels)


def _against_a_dict(predictions: list[bytes], labels: list[bytes]) -> None:
    fold = _folded(predictions)
    started_s = time.process_time()
    _fold(fold, labels)
    fold_s = time.process_time() - started_s
    assert fold.ledger.joined == len(labels) * ROWS
    print(f"labels: {LABELS / fold_s / 1e6:.2f} M joined/s with {len(predictions) * ROWS:,} waiting")
    filling_s, dict_s = _dict_join(predictions, labels)
    print(f"join / dict: {dict_s / fold_s:.1f} x faster for labels ({LABELS / dict_s / 1e6:.2f} M/s in a dict)")
    started_s = time.process_time()
    again = _folded(predictions)
    print(f"             {filling_s / (time.process_time() - started_s):.1f} x for predictions")
    del again


def _dict_join(predictions: list[bytes], labels: list[bytes]) -> tuple[float, float]:
    """The same in Python's own table: no expiry, no revision, no panes of cohorts."""
    waiting: dict[int, tuple[int, int, int]] = {}
    panes: dict[tuple[int, int], list[list[int]]] = {}
    started_s = time.process_time()
    for value in predictions:
        rows = decode_covering(value).outcome_rows()
        for key, *row in zip(*(c.tolist() for c in (rows.hash, rows.time_s, rows.model, rows.payload)), strict=True):
            if key not in waiting:
                waiting[key] = tuple(row)
    filled_s = time.process_time()
    for value in labels:
        rows = decode_covering(value).outcome_rows()
        for key, t, label in zip(rows.hash.tolist(), rows.time_s.tolist(), rows.value.tolist(), strict=True):
            found = waiting.pop(key, None)
            if found is not None and found[0] <= t:
                pane = panes.setdefault((found[1], t // 60), [[0] * BINS, [0] * BINS])
                pane[int(label)][found[2]] += 1
    return filled_s - started_s, time.process_time() - filled_s


def _read_back(folds: list[JoinFold], logs: list[list[bytes]], waiting: int) -> None:
    states = [(fold.next_offset, fold.progress(), list(fold.live())) for fold in folds]
    folds.clear()
    gc.collect()
    started_s = time.process_time()
    again = []
    for (next_offset, progress, registers), log in zip(states, logs, strict=True):
        fold = _join()
        fold.restore(next_offset, progress, registers)
        fold.reread(_batch(log, 0))
        fold.end_reread()
        again.append(fold)
    took_s = time.process_time() - started_s
    assert sum(fold.ledger.waiting for fold in again) == waiting
    print(f"read-back: {took_s:.1f} s for {waiting:,} ({took_s / waiting * 1e6:.2f} us a row), checksums equal")


def _read_back_small(rows: int, records: int = 20_000) -> None:
    """Of sources of little traffic: eight partitions, each with a record every two seconds."""
    ids = np.random.default_rng(rows).integers(1, 1 << 63, records * max(rows, 1), dtype=np.uint64)
    log = [_small(i, ids[i * rows : (i + 1) * rows]) for i in range(records)]
    fold = _folded(log[: records // 10])
    state = fold.next_offset, fold.progress(), list(fold.live())
    again = _join()
    again.restore(*state)
    again.reread(_batch(log[: fold.next_offset], 0))
    again.end_reread()  # the first tenth: checksums are equal
    again = _join()
    again.restore(*state)
    started_s = time.process_time()
    again.reread(_batch(log, 0))
    took_us = (time.process_time() - started_s) / records * 1e6
    print(f"read-back: {took_us:.1f} us a record of {rows} rows")


def _small(number: int, ids: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> bytes:
    partition, step = number % 8, number // 8
    n, begin, time_s = len(ids), (number // 8) * max(len(ids), 1), START_S + 2 * step
    rows = OutcomeRows(
        hash=ids,
        offset=begin + np.arange(n),
        late=np.zeros(n, np.bool_),
        time_s=np.full(n, time_s),
        model=np.zeros(n, np.int64),
        payload=np.zeros(n, np.uint32),
        value=np.zeros(n, np.float32),
    )
    return encode_covering(
        Covering(f"predictions/{partition}", 0, Kind.PREDICTIONS, 8, begin, begin + max(n, 1), time_s * 1000, False, 0,
                 MODELS[:1] if n else [], n, pack_rows(rows, Kind.PREDICTIONS, begin))
    )  # fmt: skip


def _ids(partition: int, count: int) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Hashes whose first bits are the partition's, as in a real one."""
    low = np.random.default_rng(partition).integers(1, 1 << 60, count, dtype=np.uint64)
    return low | (np.uint64(partition) << np.uint64(60))


def _records(kind: Kind, ids: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> Iterator[bytes]:
    rng = np.random.default_rng(5)
    is_label = kind is Kind.LABELS
    for begin in range(0, len(ids), ROWS):
        mine = ids[begin : begin + ROWS]
        n = len(mine)
        span_s = 600 if is_label else DAY_S  # labels come at 800 a second, for predictions of a whole day
        time_s = START_S + is_label * 2 * DAY_S + (begin + np.arange(n)) * span_s // len(ids)
        rows = OutcomeRows(
            hash=mine,
            offset=begin + np.arange(n),
            late=np.zeros(n, np.bool_),
            time_s=time_s,
            model=np.full(n, NO_MODEL) if is_label else rng.integers(0, len(MODELS), n),
            payload=rng.integers(0, BINS, n).astype(np.uint32),
            value=rng.integers(0, 2, n).astype(np.float32),
        )
        covering = Covering(f"{kind.value}/0", 0, kind, 1, begin, begin + n, int(time_s[0]) * 1000, False, 300_000,
                            [] if is_label else MODELS, n, pack_rows(rows, kind, begin))  # fmt: skip
        yield encode_covering(covering)


def _join() -> JoinFold:
    outputs = JoinOutputs(partials="partials", partials_partitions=4, home=lambda key: 0)
    return JoinFold(source=Source("outcomes", 0), sources=8, outputs=outputs)


def _folded(records: list[bytes]) -> JoinFold:
    fold = _join()
    _fold(fold, records)
    return fold


def _fold(fold: JoinFold, records: list[bytes]) -> None:
    fold.fold(_batch(records, fold.next_offset))
    fold.outputs()


def _batch(records: list[bytes], begin: int) -> MessageBatch:
    return MessageBatch(
        source=Source("outcomes", 0),
        begin=begin,
        chained=True,
        offsets=np.arange(begin, begin + len(records)),
        timestamps_ms=np.zeros(len(records), np.int64),
        values=list(records),
    )


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
