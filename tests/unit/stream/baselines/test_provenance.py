"""Where a baseline comes from."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from stream.baselines.provenance import git_hash, provenance, sha256_of_files


def test_the_checksum_is_that_of_all_bytes_in_order(tmp_path: Path) -> None:
    parts = [tmp_path / "a", tmp_path / "b"]
    for path, content in zip(parts, (b"x" * 3_000_000, b"y"), strict=True):
        path.write_bytes(content)
    assert sha256_of_files(parts) == hashlib.sha256(b"x" * 3_000_000 + b"y").hexdigest()
    assert sha256_of_files(parts[::-1]) != sha256_of_files(parts)


def test_the_commit_of_a_repository_and_none_elsewhere(tmp_path: Path) -> None:
    assert git_hash(tmp_path) is None

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init")
    assert git_hash(tmp_path) is None, "a repository without a commit"
    git("commit", "--allow-empty", "-m", "first")
    assert git_hash(tmp_path) == git("rev-parse", "HEAD")


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_hash() is None


def test_it_names_what_decides_the_numbers() -> None:
    made = provenance(rows=3, files=["a.csv"], data_sha256="0" * 64, seed=7, span_ms=(5, 9))
    assert set(made.libraries) == {"python", "driftline", "numpy", "pyarrow"}
    assert (made.rows, made.files, made.seed, made.from_ms, made.to_ms) == (3, ("a.csv",), 7, 5, 9)
    assert made.created_at.endswith("Z")
