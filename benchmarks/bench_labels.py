"""Bytes to labels against `orjson.loads` alone, in one run.

    python benchmarks/bench_labels.py [--rows 20000] [--repeat 7]

Prints microseconds a label (the best of the repetitions) and the ratio to `orjson.loads` of the same messages.
"""

import argparse
import json
import platform

import msgspec
import numpy as np
import orjson
from bench_decode import RECORD_MS, Measure, as_json, batches, best_micros

from stream.ingest.labels import LabelDecoder, LabelRule
from stream.ingest.settings import IngestSettings

RULES = {"flight-delay": LabelRule("binary"), "flight-price": LabelRule("regression")}


def label(i: int) -> dict[str, object]:
    """One label, as a producer sends it."""
    return {
        "prediction_id": f"f-20130401-UA-{i}",
        "model": "flight-delay",
        "label": i % 7 == 0,
        "ts": f"2013-04-01T05:{i // 60 % 60:02}:{i % 60:02}Z",
    }


def decoding(name: str, values: list[bytes], rows: int, repeat: int, *, size: int, only_careful: bool) -> Measure:
    """One decoder over all messages; every label must be taken."""
    decoder = LabelDecoder(RULES, IngestSettings(), only_careful=only_careful)
    fetches = batches(values, size)
    assert sum(len(decoder.decode(fetch).place) for fetch in fetches) == rows
    return Measure(name, best_micros(lambda: [decoder.decode(fetch) for fetch in fetches], rows, repeat))


def measures(rows: int, repeat: int) -> list[Measure]:
    """The baseline first."""
    labels = [label(i) for i in range(rows)]
    usual = as_json(labels)
    numbers = as_json([one | {"ts": RECORD_MS - i, "prediction_id": i} for i, one in enumerate(labels)])
    scored = as_json([one | {"score": 0.25, "version": "3"} for one in labels])
    truths = as_json([one | {"model": "flight-price", "label": i / 7} for i, one in enumerate(labels)])
    arrays = [json.dumps(labels[i : i + 100]).encode() for i in range(0, rows, 100)]
    print(f"{platform.machine()}, Python {platform.python_version()}, "
          f"orjson {orjson.__version__}, msgspec {msgspec.__version__}, numpy {np.__version__}")  # fmt: skip
    print(f"{rows} labels of {sum(map(len, usual)) / rows:.0f} bytes\n")
    cases = [
        ("bytes to labels", usual, 2_000, False),
        ("  ids and ts as numbers", numbers, 2_000, False),
        ("  with score and version", scored, 2_000, False),
        ("  of a regression", truths, 2_000, False),
        ("  arrays of 100", arrays, 20, False),
        ("  fetches of 20 messages", usual, 20, False),
        ("  the careful route alone", usual, 2_000, True),
    ]
    return [
        Measure("orjson.loads alone", best_micros(lambda: [orjson.loads(value) for value in usual], rows, repeat)),
        *(decoding(name, values, rows, repeat, size=size, only_careful=only) for name, values, size, only in cases),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    found = measures(arguments.rows, arguments.repeat)
    print(f"{'':28}{'us a label':>10}{'ratio':>8}")
    for measure in found:
        print(f"{measure.name:28}{measure.micros:10.2f}{measure.micros / found[0].micros:8.2f}")


if __name__ == "__main__":
    main()
