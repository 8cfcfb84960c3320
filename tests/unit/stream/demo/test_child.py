"""What the demo starts ends with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stream.demo.child import Child

LIMIT_S = 20.0
SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
OWNER = f"""
import sys, time
from pathlib import Path
from stream.demo.child import Child
with Child([sys.executable, "-c", {SLEEPER!r}], Path(sys.argv[1])):
    time.sleep(600)
"""


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_in(log: Path) -> int:
    assert wait_for(lambda: log.exists() and log.read_text().endswith("\n"))
    return int(log.read_text())


def test_the_child_ends_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with Child([sys.executable, "-c", SLEEPER], log):
        pid = pid_in(log)
        assert lives(pid)
    assert wait_for(lambda: not lives(pid))


def test_the_child_ends_when_we_are_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with subprocess.Popen([sys.executable, "-c", OWNER, str(log)]) as owner:
        pid = pid_in(log)
        owner.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not lives(pid))


def test_its_exit_code_and_last_words_are_known(tmp_path: Path) -> None:
    with Child([sys.executable, "-c", "import sys; print('first'); sys.exit('last')"], tmp_path / "log") as child:
        assert wait_for(lambda: child.exit_code is not None)
        assert child.exit_code == 1
        assert child.last_line() == "last"
