"""Labels and what became of them: the ledgers of every labels and every outcomes partition."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec

from stream.join.ledger import Ledger
from tests.crash.deployment import Deployment
from tests.crash.evidence import changelog, join_progress, label_progress
from tests.crash.findings import Findings
from tests.crash.fleet import Samples
from tests.crash.join_truth import JoinTruth, Settled
from tests.crash.tail import Tail
from tests.crash.verify_counts import ledger_words

MUST_BE_ZERO: Final = ("below", "missed", "unreadable", "lost", "refused", "refused_labels")
LABELS_BESIDE_THEIR_PREDICTION: Final = ("revised", "duplicate_labels")
IN_METRICS: Final = {"join_predictions": "duplicates", "join_labels": "duplicate_labels"}


@dataclass
class LabelCheck:
    """Compares what one app made of the labels with the truth."""

    truth: JoinTruth
    settled: Settled
    deployment: Deployment
    tail: Tail
    findings: Findings

    def run(self) -> list[Ledger]:
        """All comparisons; the last ledger of each outcomes partition."""
        for p, records in self.tail.of(self.deployment.labels_changelog).items():
            for _, progress in changelog(records).progress:
                said = label_progress(progress).ledger
                self.findings.expect("ledger balance at every @ of labels", said.balance(), 0, p)
                expected = self.truth.partitions[p].ledger(progress.next_offset)
                self.findings.expect("ledger at every @ of labels", ledger_words(said), expected, p)
        ends = [self._check_join(p) for p in self.tail.of(self.deployment.join_changelog)]
        total = Ledger()
        for ledger in ends:
            total = total.plus(ledger)
        numbers = msgspec.structs.asdict(total)
        for name in ("joined", "revised", "retracted", "waiting", "expired", "orphans", "inline", "duplicates"):
            self.findings.numbers[f"join: {name}"] = numbers[name]
        self.findings.numbers["ignored duplicates: rows of outcomes"] = total.repeats
        self.findings.numbers["ignored duplicates: outcomes with a gap before them"] = total.gaps
        return ends

    def _check_join(self, p: int) -> Ledger:
        """Both identities at every `@`; at the last one every fate is what it must be."""
        log = changelog(self.tail.of(self.deployment.join_changelog)[p])
        for _, progress in log.progress:
            ledger = join_progress(progress).ledger
            self.findings.expect("ledger balances at every @ of joins", ledger.balances(), (0, 0), p)
            self.findings.expect("rows below a declared watermark", ledger.below, 0, p)
        newest = max((progress for _, progress in log.progress), key=lambda progress: progress.next_offset)
        self.findings.expect(
            "@ of joins at the end", newest.next_offset, len(self.tail.of(self.deployment.outcomes)[p]), p
        )
        ledger = join_progress(newest).ledger
        self.findings.expect("fates in the last ledger of joins", fates(ledger), self._fates(p), p)
        for name in MUST_BE_ZERO:
            self.findings.expect("what no join may have", getattr(ledger, name), 0, (p, name))
        return ledger

    def _fates(self, p: int) -> Counter[str]:
        return _together(self.settled.ledgers[p])


def fates(ledger: Ledger) -> Counter[str]:
    """A join's ledger in the words of the truth.

    Of two labels that come in another order than their times the older is a duplicate, or was revised:
    which of them is a matter of who came first, and only their sum is not.
    """
    names = ("predictions", "labels", "joined", "waiting", "expired", "duplicates", "inline", "waiting_labels",
             "retracted", "orphans", *LABELS_BESIDE_THEIR_PREDICTION)  # fmt: skip
    return _together(Counter({name: getattr(ledger, name) for name in names}))


def check_join_metrics(samples: Samples, ledgers: list[Ledger], findings: Findings) -> None:
    """`/metrics` shows of each outcomes partition what its last `@` holds."""
    for metric, duplicates in IN_METRICS.items():
        names = {"duplicates": duplicates}
        if metric == "join_labels":
            names["waiting"] = "waiting_labels"
        for (fate, partition), value in samples.get(f"driftline_{metric}", {}).items():
            expected = getattr(ledgers[int(partition)], names.get(fate, fate))
            findings.expect("metrics of joins", int(value), expected, (metric, fate, partition))
    waiting = sum(samples.get("driftline_join_waiting", {}).values())
    findings.expect("metrics of joins", int(waiting), sum(ledger.waiting for ledger in ledgers), "join_waiting")
    below = sum(samples.get("driftline_join_below_watermark_total", {"": 1.0}).values())
    findings.expect("metrics of joins", int(below), 0, "join_below_watermark_total")


def _together(words: Counter[str]) -> Counter[str]:
    found = Counter({name: count for name, count in words.items() if name not in LABELS_BESIDE_THEIR_PREDICTION})
    found["revised or duplicate labels"] = sum(words[name] for name in LABELS_BESIDE_THEIR_PREDICTION)
    return +found
