"""Predictions and labels, step by step through a join, to evaluate."""

from collections.abc import Mapping
from typing import Final

from tests.unit.stream.evaluate.labels import START_S, Labels
from tests.unit.stream.join.outcomes import L, P, batch, join, labels, predictions

STEP_S: Final = 5


def heard(rows: Mapping[int, list[P | L]], evaluate: Labels, *, until_s: int, crash_every: int = 0) -> Labels:
    """All of the rows, by step, through a join; evaluate may crash between any two records, and is the same then."""
    fold, of_predictions, of_labels = join(partials=1), predictions(), labels()
    for step in range(until_s // STEP_S):
        reached = START_S + (step + 1) * STEP_S
        of_step = rows[step]
        for record in (
            of_predictions.say(*(r for r in of_step if isinstance(r, P)), watermark_s=reached),
            of_labels.say(*(r for r in of_step if isinstance(r, L)), watermark_s=reached),
        ):
            fold.fold(batch([record], fold.next_offset))
            for outgoing in fold.outputs():
                evaluate.hears(outgoing.value or b"")
                if crash_every and evaluate.fold.next_offset % crash_every == 0:
                    before = evaluate.state()
                    evaluate.crash()
                    assert evaluate.state() == before
    return evaluate
