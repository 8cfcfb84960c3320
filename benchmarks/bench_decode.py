"""Bytes to columns against `orjson.loads` alone, in one run.

    python benchmarks/bench_decode.py [--rows 20000] [--repeat 7]

Prints microseconds a row (the best of the repetitions) and the ratio to `orjson.loads` of the same messages.
The messages have 10 features, a score, a time and what else a prediction carries: about 400 bytes.
"""

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import orjson

from stream.ingest.decode import Decoder
from stream.ingest.settings import IngestSettings
from stream.records.prediction import Answer, ModelKey, Schema
from stream.records.source import MessageBatch, Source

NUMERIC = ("distance", "dep_hour", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
CARRIERS = ("UA", "AA", "DL", "B6", "EV")
SCHEMA = Schema(numeric=NUMERIC, categorical=("carrier",), categories=(CARRIERS,), answer=Answer.SCORE)
RECORD_MS = 1_735_689_600_000
BATCH_MESSAGES = 500  # what one fetch of a partition brings, about


@dataclass(frozen=True)
class Measure:
    """One line of the report."""

    name: str
    micros: float


def prediction(rng: random.Random, i: int, model: str = "flight-delay") -> dict[str, object]:
    """One prediction; a tenth of the temperatures is null."""
    features: dict[str, object] = {name: round(rng.gauss(100, 30), 2) for name in NUMERIC}
    features |= {"distance": rng.randrange(3000), "dep_hour": rng.randrange(24), "carrier": rng.choice(CARRIERS)}
    if rng.random() < 0.1:
        features["temp"] = None
    return {
        "prediction_id": f"f-20130401-UA-{i}",
        "model": model,
        "version": "3",
        "ts": f"2013-04-01T05:{i // 60 % 60:02}:{i % 60:02}Z",
        "score": round(rng.random(), 6),
        "features": features,
        "latency_ms": 12.5,
        "segment": {"origin": "EWR"},
        "status": "ok",
        "role": "live",
        "request_id": f"r-{i}",
    }


def as_json(predictions: Sequence[object]) -> list[bytes]:
    """One message each."""
    return [json.dumps(one, separators=(",", ":")).encode() for one in predictions]


def batches(values: Sequence[bytes], size: int = BATCH_MESSAGES) -> list[MessageBatch]:
    """The messages as fetches."""
    parts = [list(values[i : i + size]) for i in range(0, len(values), size)]
    return [
        MessageBatch(
            source=Source("predictions", 0),
            begin=0,
            chained=True,
            offsets=np.arange(len(part), dtype=np.int64),
            timestamps_ms=np.full(len(part), RECORD_MS, np.int64),
            values=list(part),
        )
        for part in parts
    ]


def best_micros(work: Callable[[], object], rows: int, repeat: int) -> float:
    """The shortest time of one row."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds) / rows * 1e6


def decoding(name: str, values: Sequence[bytes], rows: int, repeat: int, **options: object) -> Measure:
    """One decoder over all messages; every prediction must become a row, unless it is ignored."""
    size = int(options.pop("batch_messages", BATCH_MESSAGES))  # type: ignore[call-overload]
    only_careful = bool(options.pop("only_careful", False))
    schema = replace(SCHEMA, ids=bool(options.pop("ids", False)))
    models = [ModelKey(model, "3") for model in ("flight-delay", "flight-price", "flight-load")]
    decoder = Decoder(dict.fromkeys(models, schema), IngestSettings(**options), only_careful=only_careful)  # type: ignore[arg-type]
    fetches = batches(values, size)
    results = [decoder.decode(fetch) for fetch in fetches]
    assert sum(len(result.offset) + result.ignored for result in results) == rows
    return Measure(name, best_micros(lambda: [decoder.decode(fetch) for fetch in fetches], rows, repeat))


def measures(rows: int, repeat: int) -> list[Measure]:
    """The baseline first."""
    rng = random.Random(7)
    predictions = [prediction(rng, i) for i in range(rows)]
    usual = as_json(predictions)
    numbers = as_json([one | {"ts": RECORD_MS - i} for i, one in enumerate(predictions)])
    mixed = as_json([prediction(rng, i, ("flight-delay", "flight-price", "flight-load")[i % 3]) for i in range(rows)])
    unknown = as_json([one | {"model": "unheard-of"} for one in predictions])
    arrays = as_json([predictions[i : i + 100] for i in range(0, rows, 100)])
    accents = [value.replace(b"EWR", "Orléans".encode()) for value in usual]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
          f"orjson {orjson.__version__}, msgspec {msgspec.__version__}, numpy {np.__version__}")  # fmt: skip
    print(f"{rows} predictions of {sum(map(len, usual)) / rows:.0f} bytes, {BATCH_MESSAGES} messages a fetch\n")
    return [
        Measure("orjson.loads alone", best_micros(lambda: [orjson.loads(value) for value in usual], rows, repeat)),
        decoding("bytes to columns", usual, rows, repeat),
        decoding("  with ids, for labels", usual, rows, repeat, ids=True),
        decoding("  ts in milliseconds", numbers, rows, repeat),
        decoding("  three models mixed", mixed, rows, repeat),
        decoding("  text beyond ASCII", accents, rows, repeat),
        decoding("  fetches of 20 messages", usual, rows, repeat, batch_messages=20),
        decoding("  arrays of 100", arrays, rows, repeat, batch_messages=5),
        decoding("  unknown model, ignored", unknown, rows, repeat, unknown_models="ignore"),
        decoding("  foreign shape", usual, rows, repeat, constants={"model": "flight-delay"}),
        decoding("  the careful route alone", usual, rows, repeat, only_careful=True),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    found = measures(arguments.rows, arguments.repeat)
    print(f"{'':28}{'us a row':>10}{'ratio':>8}")
    for measure in found:
        print(f"{measure.name:28}{measure.micros:10.2f}{measure.micros / found[0].micros:8.2f}")


if __name__ == "__main__":
    main()
