"""Every rule of the fold can be seen to matter: taken out, some schedule fails.

The rules are those in `mutations.MUTATIONS`, by their names here:

CHECKPOINT   `@` waits for outputs and registers, comes after both; a failed send ends the process;
             registers, `@` and outputs are encoded at once; a snapshot is whole, with what is still
             to be activated; trimming comes after `@`.
RECOVERY     the largest `@` whose base is still there; registers as of it, newest superseding;
             reading again under a trim, to the true end; activations where they were; fingerprint.
CHAIN        unbroken; nothing twice; a gap counted, and not taken for silence.
ACTIVATION   durable first; for panes after the newest event; at its offset; predecessor kept on.
TIME         watermark per row, of every row that has a time; closed is closed; no clock.
ROWS         in log order; a slow answer told once, by rank, not late; errors of what is counted.
EVALUATE     waits for the unheard; out-of-date words; provisional, final, copies, revisions;
             complete means whole.
NAMES        drawn by offset; in the registers of count and evaluate, with their pane; what is usual, and how alike slow
             answers are, is durable.

and those of the join in `label_mutations.LABEL_MUTATIONS`:

MATCH        event time decides; the newest label is in force; a copy does not count.
WATERMARKS   one for each kind, of all sources that are not silent.
CHAIN        no gaps, nothing twice, in `@`, one snapshot, the watermark with the last piece, the first first.
READING BACK far enough, all of it, counting nothing; the source trimmed behind it, after `@`; not lost, but superseded.
TOLD         as of its offset, once, in order, whole; the largest offset supersedes.

and those of segments, silences and learned models in `full_mutations.FULL_MUTATIONS`:

SILENCES     what is silenced is not told; nothing already folded is told otherwise; in `@`.
SEGMENTS     panes are of their segments after a crash, and in their sums when they change.
LEARNED      samples before the watermark, in the changelog; every source has passed the span.

Not in the list, because taking it out harms nothing here: waiting for a definition that evaluate
has not read (it would end the process, and the next one has read it); comparing the checksum of what was
read back (it finds nothing while the other rules hold). Nor what takes thousands of seeds and has unit
tests: what an owner that has slept finds trimmed is not lost, what is read back must be all there, and
evaluate takes what joins say in its order only.
"""

import pytest

from tests.simulation.full_mutations import FULL_MUTATIONS
from tests.simulation.label_mutations import LABEL_MUTATIONS
from tests.simulation.mutations import MUTATIONS, Mutation

SEEDS = 1_500  # in which a mutation must show; most do within 50


@pytest.mark.parametrize("mutation", [*MUTATIONS, *LABEL_MUTATIONS, *FULL_MUTATIONS], ids=lambda m: m.rule)
def test_without_this_rule_some_schedule_fails(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        mutation.apply(patch)
        seed = first_failure(mutation)
    assert seed is not None, f"{SEEDS} schedules do not notice: {mutation.rule}"
    with_the_rule = mutation.world(seed, **mutation.shape)
    mutation.trial(with_the_rule)
    with_the_rule.close()


def first_failure(mutation: Mutation) -> int | None:
    """The first seed that notices; None: none does."""
    for seed in range(mutation.first_seed, mutation.first_seed + SEEDS):
        world = mutation.world(seed, **mutation.shape)
        try:
            mutation.trial(world)
        except (AttributeError, NameError, TypeError):
            raise  # the mutation itself is wrong
        except Exception:
            return seed
        finally:
            world.close()
    return None
