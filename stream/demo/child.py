"""A program that ends with us, whatever ends us.

Promise: the child gets SIGTERM when `stop` is called, when this process ends, and also when it is
killed with SIGKILL: a supervisor holds a pipe to us and ends the child at the pipe's end; after
10 s it kills it. Ctrl-C in the terminal reaches us alone, who then end the child.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

GRACE_S: Final = 10.0  # between SIGTERM and SIGKILL

_SUPERVISOR: Final = f"""
import os, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def end_with_our_parent():
    while os.read(0, 1024):  # not sys.stdin: its lock, held here, would abort the interpreter at its end
        pass
    child.terminate()
    try:
        child.wait({GRACE_S})
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=end_with_our_parent, daemon=True).start()
sys.exit(child.wait())
"""


class Child:
    """A running program, as a context manager; what it prints goes to `log_file`."""

    def __init__(self, command: Sequence[str], log_file: Path) -> None:
        self.log_file = log_file
        self._command = command
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._supervisor.poll() if self._supervisor else None

    def last_line(self) -> str:
        """The last line that it printed, or nothing."""
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def stop(self) -> None:
        """End it and return when it has ended; harmless when it is not running."""
        if self._supervisor is None:
            return
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._supervisor.wait()

    def __enter__(self) -> Self:
        with self.log_file.open("wb") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-c", _SUPERVISOR, *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
