"""Real Apache Kafka without Docker: the jars from Maven Central, brokers in KRaft combined mode.

    python tools/real_kafka.py run -- python -m pytest tests      # a broker for one command
    python tools/real_kafka.py run --brokers 3 -- COMMAND         # three, replication 3
    python tools/real_kafka.py start --folder build/kafka/here    # prints KAFKA_BOOTSTRAP_SERVERS=...
    python tools/real_kafka.py stop --folder build/kafka/here

Needs Java 17 or newer and Maven (Debian: `apt-get install openjdk-17-jre-headless maven`), and
no Python package. Every jar is compared with `kafka_jars.sha256`. Brokers listen on free ports
of 127.0.0.1 and keep everything in the folder. Cost: 45 MB of jars once; a broker starts in
about 5 s and takes 400 MB.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOOLS: Final = Path(__file__).parent
POM: Final = TOOLS / "kafka_pom.xml"
CHECKSUMS: Final = TOOLS / "kafka_jars.sha256"
JARS: Final = TOOLS.parent / "build" / "kafka" / "jars"
HOST: Final = "127.0.0.1"
HEAP: Final = "384m"
START_LIMIT_S: Final = 120.0
STOP_LIMIT_S: Final = 30.0
_ARE_YOU_THERE: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # ApiVersions v0


class Refused(Exception):
    """One sentence for the caller."""


@dataclass(frozen=True)
class Broker:
    """One node of the cluster; `number` counts from 1."""

    number: int
    port: int
    controller_port: int
    folder: Path

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"{HOST}:{self.port}"

    @property
    def properties(self) -> Path:
        """Its server.properties."""
        return self.folder / "server.properties"

    @property
    def pid_file(self) -> Path:
        """Holds the process's id while it runs."""
        return self.folder / "pid"


class Cluster:
    """The brokers of one folder.

    Crash tests use it from Python: `cluster.kill(2)`, `cluster.start_broker(2)`.
    """

    def __init__(self, folder: Path, brokers: Sequence[Broker]) -> None:
        self.folder = folder
        self.brokers = tuple(brokers)

    @classmethod
    def create(cls, folder: Path, *, brokers: int = 1) -> "Cluster":
        """Formatted storage for new brokers on free ports; nothing runs yet."""
        folder = folder.resolve()
        ports = _free_ports(2 * brokers)
        cluster = cls(
            folder,
            [Broker(n + 1, ports[2 * n], ports[2 * n + 1], folder / f"broker-{n + 1}") for n in range(brokers)],
        )
        cluster_id = "k" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]  # no "-" at its begin, as an option has
        for broker in cluster.brokers:
            broker.folder.mkdir(parents=True)
            broker.properties.write_text(_properties(broker, cluster.brokers), encoding="utf-8")
            _java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(broker.properties))
        nodes = [[b.number, b.port, b.controller_port] for b in cluster.brokers]
        (folder / "cluster.json").write_text(json.dumps(nodes), encoding="utf-8")
        return cluster

    @classmethod
    def of_folder(cls, folder: Path) -> "Cluster":
        """The cluster that `create` made there."""
        folder = folder.resolve()
        try:
            nodes = json.loads((folder / "cluster.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise Refused(f"there is no cluster in {folder}; make one with `start --folder {folder}`") from error
        return cls(folder, [Broker(n, port, controller, folder / f"broker-{n}") for n, port, controller in nodes])

    @property
    def bootstrap_servers(self) -> str:
        """All brokers' addresses."""
        return ",".join(b.address for b in self.brokers)

    def start(self) -> None:
        """Start all brokers and return when each answers."""
        for broker in self.brokers:
            self._spawn(broker)
        for broker in self.brokers:
            _wait_until_it_answers(broker)

    def stop(self) -> None:
        """Stop all brokers in order; harmless for those that do not run."""
        running = [b for b in self.brokers if _signal(b, signal.SIGTERM)]
        for broker in running:
            _wait_until_it_ends(broker)

    def start_broker(self, number: int) -> None:
        """Start one broker again and return when it answers."""
        broker = self.brokers[number - 1]
        self._spawn(broker)
        _wait_until_it_answers(broker)

    def kill(self, number: int) -> None:
        """SIGKILL to one broker."""
        broker = self.brokers[number - 1]
        _signal(broker, signal.SIGKILL)
        _wait_until_it_ends(broker)

    def _spawn(self, broker: Broker) -> None:
        with (broker.folder / "broker.log").open("ab") as log:
            process = subprocess.Popen(
                _java_command("kafka.Kafka", str(broker.properties), heap=HEAP),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        broker.pid_file.write_text(str(process.pid), encoding="utf-8")
        while process.poll() is None and not _is_running(broker):
            time.sleep(0.01)  # a process has no command line in the moment of its birth


@contextlib.contextmanager
def running_cluster(brokers: int = 1, folder: Path | None = None) -> Iterator[Cluster]:
    """A cluster for the length of a `with`; without a folder, in a temporary one that is removed."""
    bring_jars()
    home = folder or Path(tempfile.mkdtemp(prefix="driftline-kafka-"))
    cluster = Cluster.create(home, brokers=brokers)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)


def bring_jars() -> None:
    """Kafka's jars as the checksums name them, from Maven Central unless they are here."""
    _require("java", "Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)")
    if _jars_as_pinned():
        return
    _fetch_jars()
    if not _jars_as_pinned():
        raise Refused(f"the jars in {JARS} are not those of {CHECKSUMS.name}: {_first_difference()}")


def _fetch_jars() -> None:
    _require("mvn", "Maven (Debian: apt-get install maven)")
    shutil.rmtree(JARS, ignore_errors=True)
    JARS.mkdir(parents=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    maven = subprocess.run(["mvn", "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True, check=False)
    if maven.returncode != 0:
        raise Refused(f"Maven could not bring Kafka's jars: {_first_line(maven.stdout + maven.stderr)}")


def pin() -> None:
    """Fetch the jars of the pom and write their checksums: for whoever changes the version."""
    _fetch_jars()
    lines = [f"{digest}  {name}" for name, digest in sorted(_digests().items())]
    CHECKSUMS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pinned() -> dict[str, str]:
    lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _digests() -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in JARS.glob("*.jar")}


def _jars_as_pinned() -> bool:
    return _digests() == _pinned()


def _first_difference() -> str:
    found, pinned = _digests(), _pinned()
    return next(name for name in sorted(found | pinned) if found.get(name) != pinned.get(name))


def _properties(broker: Broker, brokers: Sequence[Broker]) -> str:
    replicas = min(3, len(brokers))
    settings = {
        "node.id": broker.number,
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://{broker.address},CONTROLLER://{HOST}:{broker.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{broker.address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(f"{b.number}@{HOST}:{b.controller_port}" for b in brokers),
        "log.dirs": broker.folder / "data",
        "default.replication.factor": replicas,
        "min.insync.replicas": min(2, replicas),
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": min(2, replicas),
        "transaction.state.log.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _java_command(main: str, *arguments: str, heap: str) -> list[str]:
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    return ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", *logging, "-cp", f"{JARS}/*", main, *arguments]


def _java(main: str, *arguments: str) -> None:
    ran = subprocess.run(_java_command(main, *arguments, heap="256m"), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise Refused(f"{main} failed: {_first_line(ran.stderr + ran.stdout)}")


def _require(program: str, what: str) -> None:
    if not shutil.which(program):
        raise Refused(f"`{program}` is not on the PATH; install {what}")


def _wait_until_it_answers(broker: Broker) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline_s and _is_running(broker):
        if _answers(broker.port):
            return
        time.sleep(0.1)
    broker_log = broker.folder / "broker.log"
    raise Refused(f"broker {broker.number} did not start: {_last_line(broker_log)} ({broker_log})")


def _wait_until_it_ends(broker: Broker) -> None:
    deadline_s = time.monotonic() + STOP_LIMIT_S
    while _is_running(broker):
        if time.monotonic() > deadline_s:
            _signal(broker, signal.SIGKILL)
        time.sleep(0.05)
    broker.pid_file.unlink(missing_ok=True)


def _signal(broker: Broker, number: int) -> bool:
    """Whether the broker was running, and so was signalled."""
    if not _is_running(broker):
        return False
    os.kill(int(broker.pid_file.read_text(encoding="utf-8")), number)
    return True


def _is_running(broker: Broker) -> bool:
    """Whether the process of the pid file is this broker: a number may belong to somebody else by now."""
    if not broker.pid_file.exists():
        return False
    pid = int(broker.pid_file.read_text(encoding="utf-8"))
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # our own child that has ended would stay a zombie
    return str(broker.properties) in _command_line(pid)


def _command_line(pid: int) -> str:
    """Of a process; empty if there is none."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    ps = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return ps.stdout


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2) as broker:
            broker.sendall(_ARE_YOU_THERE)
            return len(broker.recv(4)) > 0
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "it said nothing")


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Real Apache Kafka from Maven Central, without Docker.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start brokers and print KAFKA_BOOTSTRAP_SERVERS=...")
    stop = commands.add_parser("stop", help="stop the brokers of a folder")
    run = commands.add_parser("run", help="run one command with KAFKA_BOOTSTRAP_SERVERS set, then stop")
    commands.add_parser("jars", help="only bring the jars")
    commands.add_parser("pin", help="write the checksums of the pom's jars")
    for command in (start, stop):
        command.add_argument("--folder", type=Path, required=True)
    for command in (start, run):
        command.add_argument("--brokers", type=int, default=1)
    run.add_argument("--folder", type=Path, help="keep everything there")
    run.add_argument("argv", nargs="+", metavar="COMMAND")
    try:
        return _obey(parser.parse_args())
    except Refused as refusal:
        print(f"real_kafka: {refusal}", file=sys.stderr)
        return 2


def _obey(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "start":
            bring_jars()
            exists = (arguments.folder / "cluster.json").exists()
            cluster = (
                Cluster.of_folder(arguments.folder)
                if exists
                else Cluster.create(arguments.folder, brokers=arguments.brokers)
            )
            cluster.start()
            print(f"KAFKA_BOOTSTRAP_SERVERS={cluster.bootstrap_servers}")
        case "stop":
            Cluster.of_folder(arguments.folder).stop()
        case "run":
            signal.signal(signal.SIGTERM, _exit)  # so that the brokers are stopped, too
            with running_cluster(arguments.brokers, arguments.folder) as cluster:
                environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers}
                return subprocess.run(arguments.argv, env=environment, check=False).returncode
        case "jars":
            bring_jars()
        case "pin":
            pin()
    return 0


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
