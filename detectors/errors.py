"""Errors that arithmetic can refuse with; the tree of all errors of Driftline hangs below `DriftlineError`."""


class DriftlineError(Exception):
    """Every error that Driftline raises on purpose.

    DriftlineError
      ShapeMismatch      two arrays that cannot be compared: a bug in the caller
      SnapshotError      bytes of a state that this version cannot read
      CallerError        the caller's mistake, exit code 2 (stream/errors.py)
        ConfigError        start is refused: one key, what it is, what it may be
    """


class ShapeMismatch(DriftlineError, ValueError):
    """Two arrays were handed over that do not describe the same bins."""

    def __init__(self, baseline: tuple[int, ...], current: tuple[int, ...]) -> None:
        super().__init__(f"baseline has shape {baseline}, current {current}; both must use the same bins")


class SnapshotError(DriftlineError):
    """Bytes carry a version byte that this build does not read."""

    def __init__(self, what: str, found: int, reads: int) -> None:
        super().__init__(f"{what} has format version {found}, this build reads {reads}; upgrade or replay")
