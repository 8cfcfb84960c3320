"""How much was folded again after deaths, and how long the fleet took to be whole, from the workers' logs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.crash.fleet import Death, log_lines
from tests.crash.truth import Truth


@dataclass(frozen=True)
class Recovery:
    """One `recovered` line: where each partition of predictions was taken up again."""

    at_s: float  # Unix time
    offsets: dict[int, int]  # by partition


@dataclass(frozen=True)
class ReadBack:
    """One `read back` line: a join that rebuilt the rows that wait from its log."""

    rows: int
    seconds: float


def read_backs(folder: Path) -> list[ReadBack]:
    """All of them."""
    return [
        ReadBack(line["rows"], line["seconds"])
        for file in folder.glob("*.log")
        for line in log_lines(file)
        if line.get("event") == "read back"
    ]


def recoveries(folder: Path, topic: str) -> list[Recovery]:
    """All of them, oldest first."""
    found = [
        Recovery(_unix_s(line["time"]), _of_topic(line["offsets"], topic))
        for file in folder.glob("*.log")
        for line in log_lines(file)
        if line.get("event") == "recovered"
    ]
    return sorted(found, key=lambda r: r.at_s)


def replayed(deaths: list[Death], found: list[Recovery], truth: Truth) -> int:
    """Predictions that had been folded before a death and were folded again after it, at least.

    Of each death, what the worker said it had just before, less what `@` held at the next recovery.
    """
    total = 0
    for death in deaths:
        for partition, received in death.received.items():
            next_ones = (r for r in found if r.at_s > death.at_s and partition in r.offsets)
            taken_up = next(next_ones, None)
            if taken_up is not None:
                durable = truth.partitions[partition].ledger(taken_up.offsets[partition])["received"]
                total += max(received - durable, 0)
    return total


def _of_topic(offsets: dict[str, Any], topic: str) -> dict[int, int]:
    split = {source: source.rpartition("/") for source in offsets}
    return {int(number): offsets[source] for source, (name, _, number) in split.items() if name == topic}


def _unix_s(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
