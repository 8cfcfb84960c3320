"""Speed of the whole service as ratios, each against something measured in the same run.

    driftline / bare loop      the worker, checkpoints on, against aiokafka + orjson.loads over the same topic
    driftline / Faust agent    the same against an agent that counts event by event into a table
    24 h / 1 min               the worker's time per event with windows of 1,440 panes against one pane

The worker's time runs from 5 % to 100 % of the rows counted, as its own /metrics says, so that
joining the group is not in it. Usage: bench_service.py [--rows N] [--rounds N]
"""

import argparse
import asyncio
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

import traffic

from stream.baselines.registry import register
from stream.config import KafkaKeys
from stream.records.source import Source
from stream.service.embedded import EmbeddedBroker
from stream.service.kafka_log import KafkaLog

HERE: Final = Path(__file__).parent
HOUR_MS: Final = 3_600_000
LIMIT_S: Final = 600.0
FAUST_ROWS: Final = {"table": 5_000, "dict": 50_000}


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = traffic.messages(options.rows, span_ms=25 * HOUR_MS)
    size = statistics.mean(map(len, rows[0][:1000]))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores shared with the broker, ", end="")
    print(f"Python {platform.python_version()}; {options.rows} rows of {size:.0f} B, {traffic.PARTITIONS} partitions")
    with EmbeddedBroker() as broker:
        servers = broker.bootstrap_servers
        asyncio.run(_prepare(servers, rows))
        measured: dict[str, list[float]] = {"bare": [], "short": [], "day": []}
        for _ in range(options.rounds):  # in turn, so that a slow minute of the machine hits all alike
            measured["bare"].append(options.rows / _bare(servers, options.rows))
            measured["short"].append(_worker(servers, options.rows, length="1m"))
            measured["day"].append(_worker(servers, options.rows, length="24h"))
        faust = {kept_in: rows / _faust(servers, kept_in) for kept_in, rows in FAUST_ROWS.items()}
    _print(measured, faust)


def _print(measured: dict[str, list[float]], faust: dict[str, float]) -> None:
    bare, short, day = (statistics.median(measured[name]) for name in ("bare", "short", "day"))
    for name, rates in measured.items():
        print(f"  {name:6} {statistics.median(rates):9,.0f} rows/s  of {', '.join(f'{r:,.0f}' for r in rates)}")
    for kept_in, rate in faust.items():
        print(f"  faust  {rate:9,.0f} rows/s  into a {kept_in}")
    print(f"driftline / bare loop    {short / bare:.2f}   (1 min windows; 24 h: {day / bare:.2f}; wanted >= 0.5)")
    into_dict = short / faust["dict"]
    print(f"driftline / Faust agent  {short / faust['table']:.0f}  (into a plain dict: {into_dict:.0f}; wanted >= 10)")
    print(f"24 h / 1 min             {short / day:.2f}   time per event (wanted <= 1.1)")


async def _prepare(servers: str, rows: tuple[list[bytes], list[int]]) -> None:
    ours = ("labels", "baselines", "alerts", "reports", "dead-letters", "silences")
    await traffic.create_topics(servers, {"predictions": traffic.PARTITIONS} | dict.fromkeys(ours, 1))
    async with KafkaLog.connect(KafkaKeys(bootstrap_servers=servers)) as log:
        await register(log, Source("baselines", 0), traffic.baseline())
    await traffic.publish(servers, "predictions", rows)


def _bare(servers: str, rows: int) -> float:
    command = [sys.executable, HERE / "bare_loop.py", servers, "predictions", str(traffic.PARTITIONS), str(rows)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
    return float(printed.split()[0])


def _faust(servers: str, kept_in: str) -> float:
    command = [sys.executable, HERE / "faust_agent.py", servers, "predictions", str(FAUST_ROWS[kept_in]), kept_in]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder)
    return float(done.stdout.split()[-1])


def _worker(servers: str, rows: int, *, length: str) -> float:
    """Rows per second of a new worker with an app name, and so a state, of its own."""
    app = f"bench-{length}-{time.monotonic_ns()}"
    internal = {f"{app}.{role}": n for role, n in _INTERNAL.items()}
    asyncio.run(traffic.create_topics(servers, internal))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "driftline.yaml"
        config.write_text(
            f"app: {app}\nkafka: {{bootstrap_servers: '{servers}'}}\nweb: {{port: {_PORT}}}\n"
            f"limits: {{max_panes: 1440}}\nwindows: {{pane: 1m, length: {length}, allowed_lateness: 1m}}\n"
            # A 1 min window of these rows is noise, and alerts on noise would be measured with it.
            "models: {bench: {checks: {psi: {warning: off, critical: off}}}}\n"
        )
        command = [sys.executable, "-m", "stream", "worker", "-c", str(config), "--log-level", "warning"]
        worker = subprocess.Popen(command)
        try:
            first_s, first = _counted_at_least(rows // 20, worker)
            last_s, last = _counted_at_least(rows, worker)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    return (last - first) / (last_s - first_s)


_INTERNAL: Final = {
    "outcomes": 1,
    "partials": 2,
    "count-changelog": traffic.PARTITIONS,
    "labels-changelog": 1,
    "join-changelog": 1,
    "evaluate-changelog": 2,
    "partition-counts": 1,
}
_PORT: Final = 6077
_COUNTED: Final = re.compile(r"^driftline_predictions_counted_total\{.*\} (\S+)$", re.MULTILINE)


def _counted_at_least(rows: int, worker: "subprocess.Popen[bytes]") -> tuple[float, float]:
    deadline_s = time.perf_counter() + LIMIT_S
    while time.perf_counter() < deadline_s and worker.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/metrics", timeout=30) as answer:
                counted = sum(map(float, _COUNTED.findall(answer.read().decode())))
        except OSError:
            counted = 0.0
        if counted >= rows:
            return time.perf_counter(), counted
        time.sleep(0.1)
    raise SystemExit(f"the worker has not counted {rows} rows")


if __name__ == "__main__":
    main()
