"""Where a baseline comes from: checksums, versions, commit, time of creation.

The only file of `baselines/` that looks at the clock and at the working directory.
"""

import hashlib
import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from stream.baselines.baseline import Provenance
from stream.records.times import rfc3339

LIBRARIES: Final = ("driftline", "numpy", "pyarrow")


def provenance(
    *,
    rows: int,
    files: Sequence[str],
    data_sha256: str,
    seed: int = 0,
    span_ms: tuple[int, int] | None = None,
) -> Provenance:
    """The provenance of data with this checksum, made here and now.

    Args:
        rows: rows used.
        files: names as given, or `topic/partition[begin, end)`.
        data_sha256: 64 hex digits.
        seed: of whatever chance was used.
        span_ms: event time of the first and the last row.
    """
    return Provenance(
        created_at=rfc3339(int(time.time()) * 1_000),
        rows=rows,
        files=tuple(files),
        data_sha256=data_sha256,
        git_hash=git_hash(),
        libraries=library_versions(),
        seed=seed,
        from_ms=span_ms[0] if span_ms else None,
        to_ms=span_ms[1] if span_ms else None,
    )


def sha256_of_files(paths: Sequence[Path]) -> str:
    """SHA-256 over the bytes of all files in order, in hex: what `cat FILE... | sha256sum` prints."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def sha256_of_table(table: pa.Table) -> str:
    """SHA-256 over a table's values and names, for data that come from no file; chunks do not matter."""
    digest = hashlib.sha256()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()


def git_hash(folder: Path | None = None) -> str | None:
    """The commit that the folder's repository is at; None where there is no repository, commit or git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def library_versions() -> dict[str, str]:
    """Name and version of what decides the numbers."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"  # run from sources that are not installed
    return versions
