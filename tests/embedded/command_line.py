"""The real command line, run as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "stream"]
COMMAND_LIMIT_S = 120.0


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that it complained with."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


def driftline(*arguments: str, environment: Mapping[str, str] | None = None) -> Finished:
    """Run one command of the real command line to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
