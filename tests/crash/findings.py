"""What a comparison found: problems, and numbers worth printing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

SHOWN_PROBLEMS: Final = 12  # of one kind; a lost pane tends to come in hundreds


@dataclass
class Findings:
    """Problems by kind, and counts of what was compared."""

    problems: dict[str, list[str]] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)

    def expect(self, kind: str, found: object, expected: object, where: object = "") -> None:
        """One comparison; a difference is a problem of this kind."""
        self.numbers[f"compared: {kind}"] += 1
        if found != expected:
            self.problem(kind, f"{where}: {found} instead of {expected}" if where else f"{found} instead of {expected}")

    def problem(self, kind: str, text: str) -> None:
        """Something is not as it must be."""
        self.problems.setdefault(kind, []).append(text)

    def merge(self, other: "Findings", prefix: str) -> None:
        """What another comparison found."""
        self.numbers.update({f"{prefix}{name}": count for name, count in other.numbers.items()})
        for kind, texts in other.problems.items():
            self.problems.setdefault(f"{prefix}{kind}", []).extend(texts)

    @property
    def are_good(self) -> bool:
        """Whether nothing differs."""
        return not self.problems

    def lines(self) -> list[str]:
        """The problems, shortened."""
        shown = []
        for kind, texts in self.problems.items():
            shown.append(f"WRONG  {kind}: {len(texts)}")
            shown += [f"         {text[:400]}" for text in texts[:SHOWN_PROBLEMS]]
        return shown
