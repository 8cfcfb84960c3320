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
EVALUATE     waits for the unheard; out-of-date words; provisional, final, copies, revisions;
             complete means whole.

Not in the list, because taking it out harms nothing here: waiting for a definition that evaluate
has not read (it would end the process, and the next one has read it).
"""

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.world import World

SEEDS = 1_500  # in which a mutation must show; most do within 50


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.rule)
def test_without_this_rule_some_schedule_fails(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        mutation.apply(patch)
        seed = first_failure(mutation)
    assert seed is not None, f"{SEEDS} schedules do not notice: {mutation.rule}"
    with_the_rule = World(seed, **mutation.shape)
    mutation.trial(with_the_rule)
    with_the_rule.close()


def first_failure(mutation: Mutation) -> int | None:
    """The first seed that notices; None: none does."""
    for seed in range(SEEDS):
        world = World(seed, **mutation.shape)
        try:
            mutation.trial(world)
        except (AttributeError, NameError, TypeError):
            raise  # the mutation itself is wrong
        except Exception:
            return seed
        finally:
            world.close()
    return None
