"""The judge of a finished world with labels: joins against an uncrashed run and against brute force.

Each function is one promise; what it raises says which.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from stream.durable.changelog import Progress, decode_entry
from stream.join.fold import JoinFold, JoinProgress
from stream.records.outcome import decode_covering
from stream.records.performance import PerformancePart, decode_performance, is_performance, unpack_sparse
from stream.records.source import Source
from tests.simulation.label_traffic import BINS, LABELS_LATENESS_MS
from tests.simulation.label_truth import DELAYS, JoinTruth, PaneOf, Settings, join_truth
from tests.simulation.label_world import COHORT_MS, EARLY_S, PANE_MS, LabelWorld
from tests.simulation.oracle import milliseconds
from tests.simulation.peace import equal, evaluate_equals_an_uncrashed_one, single, uncrashed_evaluate
from tests.simulation.recorded import RecordedEvaluate, changelog_of
from tests.simulation.testimony import packed_state

WIDTHS = {"m": 3 * BINS + len(DELAYS) + 1, "r": 8 + len(DELAYS) + 1}


def check_labels(world: LabelWorld) -> None:
    """Every promise, once."""
    assert not world.testimony.refused, f"refused: {world.testimony.refused}"
    with world.limits():
        for source in world.outcomes + world.partials:
            world.testimony.restored(source, world.holder_of[source].fold)
        every_ledger_of_a_join_balances(world)
        peace = [uncrashed_join(world, source) for source in world.outcomes]
        what_joins_said_is_what_an_uncrashed_one_says(world, peace)
        every_source_was_heard_to_its_end(world, peace)
        silence_holds_nobody_back(world, peace)
        evaluate_equals_an_uncrashed_one(world, {p: uncrashed_evaluate(world, p) for p in world.partials})
        evaluate_holds_what_was_said_last(world, peace)
    if world.order_decides_nothing:
        truth = truth_of(world)
        joined_pairs_equal_brute_force(world, truth, peace)
        ledgers_equal_brute_force(truth, peace)
        reports_count_the_pairs(world, truth, peace)


def truth_of(world: LabelWorld) -> JoinTruth:
    """Brute force over the world's inputs."""
    inputs = {
        topic: [world.inputs_of_labelled[source] for source in sources]
        for topic, sources in (("predictions", world.sources), ("labels", world.labels))
    }
    return join_truth(inputs, settings_of(world))


def settings_of(world: LabelWorld) -> Settings:
    """What of the world's shape decides who meets whom."""
    shape = world.shape
    return Settings(
        ttl_s=shape.ttl_s,
        early_s=EARLY_S,
        revision_s=shape.revision_s,
        pane_s=PANE_MS // 1_000,
        cohort_s=COHORT_MS // 1_000,
        sample=shape.sample,
        dedupe=shape.dedupe,
    )


@dataclass
class UncrashedJoin:
    """What a join is and says that reads the outcomes one by one, in peace."""

    source: Source
    fold: JoinFold
    said: list[tuple[Source, bytes | None]] = field(default_factory=list)
    parts: dict[tuple[str, bool, int], PerformancePart] = field(default_factory=dict)  # the last of each pane
    models: dict[str, str] = field(default_factory=dict)  # by id of the definition, also of those that are over


def every_ledger_of_a_join_balances(world: LabelWorld) -> None:
    """Both identities in each `@`, and no row below a watermark that had been declared."""
    for source in world.outcomes:
        for message in world.cluster.records(changelog_of(source)):
            entry = decode_entry(message.value or b"")
            if isinstance(entry, Progress):
                ledger = msgspec.msgpack.decode(entry.state, type=JoinProgress).ledger
                equal(f"balances of {source} at {entry.next_offset}, {ledger}", ledger.balances(), (0, 0))
                equal(f"rows below a watermark, of {source} at {entry.next_offset}", ledger.below, 0)


def uncrashed_join(world: LabelWorld, source: Source) -> UncrashedJoin:
    """Fold all outcomes, also those that were trimmed; every state that somebody recovered is compared."""
    states: dict[int, list[Any]] = defaultdict(list)
    for state in world.testimony.states:
        if state.source == source:
            states[state.next_offset].append(state.packed)
    peace = UncrashedJoin(source, JoinFold(**world.join_arguments(source)))
    for offset, message in enumerate(world.cluster.partition(source).entries):
        assert message is not None
        peace.fold.fold(single(source, offset, message.value))
        equal(f"balances of {source} at {offset + 1}", peace.fold.ledger.balances(), (0, 0))
        for output in peace.fold.outputs():
            peace.said.append((output.to, output.value))
            word = decode_performance(output.value or b"")
            peace.models |= {definition: known.model for definition, known in word.definitions.items()}
            for part in word.panes:
                peace.parts[part.definition, part.cohort, part.start_ms] = part
        for packed in states.get(offset + 1, ()):
            equal(f"state of {source} at {offset + 1}", packed, packed_state(peace.fold))
    return peace


def what_joins_said_is_what_an_uncrashed_one_says(world: LabelWorld, peace: list[UncrashedJoin]) -> None:
    """Every part of every pane, as of its offset: repeated, but no other, and none is missing."""
    said = {
        (partials, message.value)
        for partials in world.partials
        for message in world.cluster.records(partials)
        if is_performance(message.value or b"")
    }
    equal("set of what joins said", said, {word for of_join in peace for word in of_join.said})


def every_source_was_heard_to_its_end(world: LabelWorld, peace: list[UncrashedJoin]) -> None:
    """The chain of each source reaches each outcomes partition without a hole, from its first offset to its last."""
    for of_join in peace:
        ends: dict[str, int] = {}
        for message in world.cluster.partition(of_join.source).entries:
            covering = decode_covering((message and message.value) or b"")
            if not world.shape.retention:
                equal(f"begin of {covering.source} in {of_join.source}", ends.setdefault(covering.source, 0), 0)
        seen = {name: state.seen for name, state in of_join.fold.heard.sources.items()}
        expected = {str(s): world.holder_of[s].fold.next_offset for s in world.stages[0]}
        equal(f"what {of_join.source} has seen of its sources", seen, expected)


def silence_holds_nobody_back(world: LabelWorld, peace: list[UncrashedJoin]) -> None:
    """In the end all sources are silent: the join has come as far as the newest prediction says, and labels follow."""
    if world.shape.retention:
        return
    times = [row.time_ms for s in world.sources for record in world.input_of(s) for row in record.rows]
    newest_ms = max((t for t in times if t is not None), default=None)
    for of_join in peace:
        if newest_ms is not None:
            reached = of_join.fold.heard.watermark_ms
            equal(f"watermark of {of_join.source}", reached, newest_ms - LABELS_LATENESS_MS)


def evaluate_holds_what_was_said_last(world: LabelWorld, peace: list[UncrashedJoin]) -> None:
    """Of each pane that is kept and of each join: the part with the largest offset, and all of them."""
    held: dict[tuple[Source, str, bool, int], tuple[int, bytes]] = {}
    forgotten_to: dict[tuple[str, bool], int] = {}
    for partials in world.partials:
        fold = world.holder_of[partials].fold
        assert isinstance(fold, RecordedEvaluate)
        for course in fold.performance.courses.values():
            for definition, track in course.tracks.items():
                known = track.progress
                forgotten_to[definition, False] = known.arrivals_from_ms
                forgotten_to[definition, True] = known.cohorts_from_ms
                for cohort, panes in ((False, track.arrivals), (True, track.cohorts)):
                    for start_ms, parts in panes.by_start.items():
                        for source, part in parts.items():
                            of = Source(*source.split("/")[:1], int(source.split("/")[1]))
                            held[of, definition, cohort, start_ms] = part.part_offset, part.counts
    said = {
        (of_join.source, *pane): (part.next_offset, part.counts)
        for of_join in peace
        for pane, part in of_join.parts.items()
        if pane[2] >= forgotten_to[pane[0], pane[1]]
    }
    equal("parts that evaluate holds", held, said)


def final_panes(peace: list[UncrashedJoin]) -> dict[PaneOf, Counter[int]]:
    """Over all outcomes partitions: the registers at the end, and what was last said of those dropped before."""
    panes: dict[PaneOf, Counter[int]] = defaultdict(Counter)
    for of_join in peace:
        fold = of_join.fold
        held = {(key.definition, key.cohort, key.start_ms): pane.pack() for key, pane in fold.registers.panes.items()}
        models = of_join.models | {definition: d.model for definition, d in fold.definitions.newest.items()}
        dropped = {key: part.counts for key, part in of_join.parts.items() if key not in held}
        for (definition, cohort, start_ms), packed in (held | dropped).items():
            model = models[definition]
            pane = PaneOf(model, cohort, start_ms // 1_000)
            for column, count in enumerate(unpack_sparse(packed, WIDTHS[model]).tolist()):
                if count:
                    panes[pane][column] += count
    return panes


def joined_pairs_equal_brute_force(world: LabelWorld, truth: JoinTruth, peace: list[UncrashedJoin]) -> None:
    """Which prediction met which label, pane by pane and counter by counter; a bin tells whose pair it is."""
    found, expected = final_panes(peace), truth.registers(settings_of(world))
    for pane in sorted(found.keys() | expected.keys()):
        if any(of_join.fold.ledger.missed and _is_dropped(world, pane, of_join) for of_join in peace):
            continue  # a pair was revised when its pane was no longer kept
        was, should_be = found.get(pane, Counter()), expected.get(pane, Counter())
        columns = [c for c in sorted(was.keys() | should_be.keys()) if truth.may_be_compared(pane.model, c)]
        equal(f"counters of {pane}", {c: was[c] for c in columns}, {c: should_be[c] for c in columns})


def _is_dropped(world: LabelWorld, pane: PaneOf, of_join: UncrashedJoin) -> bool:
    by = settings_of(world)
    kept_s = by.cohort_s + by.ttl_s + by.revision_s if pane.cohort else by.pane_s + 2 * world.shape.window_ms // 1_000
    return (pane.start_s + kept_s) * 1_000 < of_join.fold.heard.watermark_ms


def ledgers_equal_brute_force(truth: JoinTruth, peace: list[UncrashedJoin]) -> None:
    """How many rows came, and, where all ids are settled, what became of them."""
    total = peace[0].fold.ledger
    for of_join in peace[1:]:
        total = total.plus(of_join.fold.ledger)
    equal("rows of predictions", total.predictions, truth.predictions)
    equal("rows of labels", total.labels, truth.labels)
    if truth.everything_is_settled:
        equal("joined", total.joined, len(truth.pairs) - truth.inline)
        equal("inline", total.inline, truth.inline)
        equal("copies of predictions", total.duplicates, truth.copies)


def reports_count_the_pairs(world: LabelWorld, truth: JoinTruth, peace: list[UncrashedJoin]) -> None:
    """The last report of each window of panes that no pair has left again counts the pairs that arrived in it."""
    if not truth.everything_is_settled:
        return
    last: dict[tuple[str, int, int], dict[str, Any]] = {}
    for message in world.cluster.records(Source("reports", 0)):
        if (message.key or b"").endswith(b"/performance"):
            report = orjson.loads(message.value or b"")
            window = report["model"], milliseconds(report["window"]["start"]), milliseconds(report["window"]["end"])
            if window not in last or report["revision"] >= last[window]["revision"]:
                last[window] = report
    for (model, start_ms, end_ms), report in last.items():
        if any(m == model and start_ms <= 1_000 * (t - t % (PANE_MS // 1_000)) < end_ms for m, t in truth.corrected):
            continue
        arrived = [p for p in truth.pairs if p.model == model]
        arrived = [p for p in arrived if start_ms <= 1_000 * max(p.asked.time_s, p.known.time_s) < end_ms]
        equal(f"n of {model} in [{start_ms}, {end_ms})", report["n"], len(arrived))
        if model == "m" and arrived:
            equal(
                f"positives in [{start_ms}, {end_ms})",
                report["metrics"]["positives"],
                sum(p.known.value for p in arrived),
            )
