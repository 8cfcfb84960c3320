"""`make crash`: python -m tests.crash [--kills 30 --stops 5 --events 1000000 --seed 1].

Kills workers at random on a real Apache Kafka (the one of KAFKA_BOOTSTRAP_SERVERS, else one that
`tools/real_kafka.py` starts) and compares every count, joined pair, report and alert with what was sent. The
exit code is 1 if anything differs. Takes about 6 minutes; 2 with `--kills 8 --stops 1 --events 200000`.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.crash.harness import Result, crash_run
from tests.crash.models import SLOWEST, X_BINS
from tests.crash.scenario import Scenario
from tests.crash.traffic import Traffic
from tests.crash.worker import FAULTS
from tools.real_kafka import running_cluster


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description="Kill workers; every sum must stay exact."
    )
    normal = Scenario()
    parser.add_argument("--events", type=int, default=normal.events, help="predictions to send")
    parser.add_argument("--kills", type=int, default=normal.kills, help="kill -9, at least")
    parser.add_argument("--stops", type=int, default=normal.stops, help="SIGSTOP of twice the session timeout")
    parser.add_argument("--models", type=int, default=normal.models)
    parser.add_argument("--seed", type=int, default=normal.seed, help="of traffic and deaths")
    parser.add_argument("--gap-ms", type=int, default=normal.gap_ms, help="workers wait up to so long before a send")
    parser.add_argument("--unknown-models", choices=["learn", "dead-letter", "ignore"], default=normal.unknown_models)
    parser.add_argument("--fault", choices=FAULTS, default="none", help="break the worker: the run must notice")
    parser.add_argument(
        "--spoil-truth",
        action="store_true",
        help="expect one row in another bin and one label turned round: the run must notice",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs even if all is well")
    arguments = vars(parser.parse_args())
    keep, spoil = arguments.pop("keep"), spoil_truth if arguments.pop("spoil_truth") else None
    scenario = Scenario(**arguments)
    print(f"{scenario}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="driftline-crash-"))
    began_s = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that nothing is left running
    try:
        with kafka(folder) as bootstrap_servers:
            result = asyncio.run(crash_run(scenario, bootstrap_servers, folder, spoil=spoil))
    except BaseException:
        print(f"FAILED: the run did not end; its logs are in {folder}", flush=True)
        raise
    print_result(result, time.monotonic() - began_s)
    if result.findings.are_good and not keep:
        shutil.rmtree(folder)
    return 0 if result.findings.are_good else 1


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """The addresses of the Kafka of this run."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    with running_cluster(folder=folder / "kafka") as cluster:
        yield cluster.bootstrap_servers


def spoil_truth(traffic: Traffic) -> None:
    """Change one counted row of the middle of the run, and turn one label round.

    Its x lies in another bin, it failed if it did not, and it took longer than the hard limit, or no longer.
    """
    partition = traffic.truth.partitions[0]
    of_labelled = partition.column("model") < len(traffic.labelled)
    counted = np.flatnonzero(partition.is_row)[~partition.is_late & of_labelled]
    row = int(counted[len(counted) // 2])
    partition.rows["x"][row] = (partition.rows["x"][row] + 2) % X_BINS  # two fine bins are one of PSI's
    partition.rows["status"][row] = not partition.rows["status"][row]
    partition.rows["latency"][row] = 0 if partition.rows["latency"][row] == SLOWEST else SLOWEST
    partition.__dict__.pop("panes", None)
    traffic.joins.flip()


def print_result(result: Result, seconds: float) -> None:
    """What happened, what was ignored as it should be, what was compared, and the verdict."""
    numbers = result.findings.numbers
    print(*result.lines, sep="\n")
    for name, count in sorted(numbers.items()):
        if not name.startswith(("compared: ", "uncrashed run: ")):
            print(f"            {count:>9,} {name}")
    compared = sum(count for name, count in numbers.items() if "compared: " in name)
    print(f"            {compared:>9,} comparisons, in {seconds:.0f} s")
    for line in result.findings.lines():
        print(line)
    if result.findings.are_good:
        print("EXACT: counts, joined pairs, reports, alerts, dead letters, metrics equal what was sent, as uncrashed")
    else:
        print(f"NOT EXACT: {len(result.findings.problems)} kinds of differences; logs in {result.folder}")


if __name__ == "__main__":
    sys.exit(main())
