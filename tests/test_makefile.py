"""`make` explains itself, and `make install` says in one sentence what a machine lacks."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = [
    "help", "install", "demo", "test", "lint", "types", "kafka", "crash", "bench", "bench-alarms", "golden", "docs",
    "clean",
]  # fmt: skip


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "PIP_", "PYTHON"))}
    return subprocess.run(
        command, cwd=cwd, env=own | environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def path_with(tmp_path: Path) -> str:
    """A PATH with the shell's own tools and no Python; tests add theirs."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "env", "grep", "tail", "rm", "cat"):
        (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    return str(tools)


def fake_python(folder: str, name: str, *, version: str, has_venv: bool, pip: str = "exit 0") -> None:
    """An interpreter that answers the three questions of tools/install, and makes a copy of itself."""
    path = Path(folder) / name
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"  *sys.exit*) exit {0 if version in ('3.11', '3.12', '3.13') else 1};;\n"
        f"  *ensurepip*) exit {0 if has_venv else 1};;\n"
        f"  *print*) echo python{version};;\n"
        f"  *--version) echo Python {version}.0;;\n"
        '  "-m venv"*) /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python";;\n'
        f'  "-m pip"*) {pip};;\n'
        "esac\n",
        encoding="utf-8",
    )
    path.chmod(0o755)


def test_make_alone_lists_every_target_with_a_line_about_it() -> None:
    shown = run("make").stdout
    assert re.findall(r"^make ([\w-]+) +\S", shown, re.M) == TARGETS


def test_every_target_but_help_and_clean_installs_first() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    free = [name for name, needs in re.findall(r"^([a-z-]+):(.*)## ", text, re.M) if "$(INSTALLED)" not in needs]
    assert free == ["help", "clean"]


def test_a_machine_without_python_is_told_so(tmp_path: Path, path_with: str) -> None:
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert ran.returncode == 2
    assert ran.stderr == (
        "driftline: no Python 3.11, 3.12 or 3.13 was found; install one, or name it: make PYTHON=/path/to/python\n"
    )


def test_an_older_python_is_as_good_as_none(tmp_path: Path, path_with: str) -> None:
    fake_python(path_with, "python3", version="3.9", has_venv=True)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert "no Python 3.11, 3.12 or 3.13 was found" in ran.stderr


def test_a_wrong_choice_of_python_is_named(tmp_path: Path, path_with: str) -> None:
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with, PYTHON="/no/python")
    assert ran.stderr == "driftline: PYTHON=/no/python is no Python 3.11, 3.12 or 3.13; name one that is\n"


def test_a_missing_venv_module_is_named_with_its_package(tmp_path: Path, path_with: str) -> None:
    fake_python(path_with, "python3", version="3.11", has_venv=False)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert ran.returncode == 2
    assert "python3 cannot make virtual environments" in ran.stderr
    assert "apt install python3.11-venv" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_python_that_can_make_environments_wins_over_a_newer_one_that_cannot(tmp_path: Path, path_with: str) -> None:
    fake_python(path_with, "python3.13", version="3.13", has_venv=False)
    fake_python(path_with, "python3.11", version="3.11", has_venv=True)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert ran.returncode == 0, ran.stderr
    assert "making .venv with Python 3.11.0" in ran.stdout


def test_an_offline_registry_is_one_sentence(tmp_path: Path, path_with: str) -> None:
    pip = 'case "$*" in *--version) exit 0;; *) echo "Temporary failure in name resolution"; exit 1;; esac'
    fake_python(path_with, "python3", version="3.12", has_venv=True, pip=pip)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert ran.returncode == 2
    assert ran.stderr.startswith("driftline: the package registry cannot be reached")
    assert ran.stderr.count("\n") == 1


def test_another_failure_of_pip_shows_its_own_reason(tmp_path: Path, path_with: str) -> None:
    pip = 'case "$*" in *--version) exit 0;; *) echo "ERROR: No space left on device"; exit 1;; esac'
    fake_python(path_with, "python3", version="3.12", has_venv=True, pip=pip)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=tmp_path, PATH=path_with)
    assert "driftline: pip failed: ERROR: No space left on device (details: .venv/install.log)" in ran.stderr


def test_it_works_in_a_folder_whose_name_has_spaces(tmp_path: Path, path_with: str) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    fake_python(path_with, "python3", version="3.12", has_venv=True)
    ran = run("sh", str(ROOT / "tools" / "install"), ".venv", cwd=folder, PATH=path_with)
    assert ran.returncode == 0, ran.stderr
    assert (folder / ".venv" / "bin" / "python").exists()
