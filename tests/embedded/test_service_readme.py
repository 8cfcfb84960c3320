"""The README's way to a running service, word for word."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.brokers import Broker
from tests.embedded.command_line import REPOSITORY
from tests.embedded.rows import baseline_columns
from tests.embedded.service import Service, eventually

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
RUN_IT = README.split("## Run it\n")[1].split("\n## ")[0]
COMMANDS = re.findall(r"^ *\$ (driftline .*)$", RUN_IT, re.M)


def block(language: str) -> str:
    """The first code block of a language, without its indent."""
    found = re.search(rf"^( *)```{language}\n(.*?)^ *```", RUN_IT, re.M | re.S)
    assert found
    return re.sub(rf"^{found[1]}", "", found[2], flags=re.M)


def test_the_commands_of_the_readme_lead_to_a_running_service(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [c.split()[1:3] for c in COMMANDS] == [
        ["check", "-c"], ["topics", "create"], ["baseline", "create"], ["worker", "-c"],
    ]  # fmt: skip
    service = Service(broker, tmp_path, {})  # for its names: a given Kafka may have topics of the README's names
    (tmp_path / "driftline.yaml").write_text(block("yaml"), encoding="utf-8")
    columns = baseline_columns()
    pq.write_table(
        pa.table({"distance": columns["x"], "carrier": columns["carrier"], "score": columns["score"]}),
        tmp_path / "january.parquet",
    )
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "DRIFTLINE_APP": service.name,
        "DRIFTLINE_WEB__PORT": "0",
        **{f"DRIFTLINE_TOPICS__{role.upper()}": name for role, name in service.settings["topics"].items()},
    }
    for command in COMMANDS[:-1]:
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    log_file = tmp_path / "worker.log"
    with log_file.open("wb") as log:
        worker = subprocess.Popen(shlex.split(COMMANDS[-1]), cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        eventually("recovery", lambda: " recovered " in log_file.read_text(encoding="utf-8") or worker.poll())
        assert worker.poll() is None, log_file.read_text(encoding="utf-8")
        prediction = json.loads(block("json"))
        service.send(prediction, [prediction, b"no json".decode()])
        letters = eventually("the dead letter", service.dead_letters)
        assert [dict(letter.headers)["reason"] for letter in letters] == [b"not_object"]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
        service.close()
