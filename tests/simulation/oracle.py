"""The judge of one finished world: everything in its logs against brute force and an uncrashed run.

Each function is one promise of the fold; what it raises says which.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson

from stream.baselines.definition import Definition
from stream.count.counter import CountProgress
from stream.durable.changelog import Progress, decode_entry
from stream.records.partial import PanePart, Partial, decode_partial, unpack_counts
from stream.records.source import Source
from tests.simulation.answers import answers_of, slow_answers_are_those_of_the_input, told_of_answers
from tests.simulation.peace import Uncrashed, equal, evaluate_equals_an_uncrashed_one, is_of_count, uncrashed_evaluate
from tests.simulation.recorded import RecordedCount, RecordedEvaluate
from tests.simulation.testimony import CountState, counted_names
from tests.simulation.traffic import (
    LATENESS_MS,
    PANE_MS,
    WINDOW_MS,
    Prediction,
    compared,
    flat_bins,
    segments_of,
    width_of,
    width_of_series,
)
from tests.simulation.truth import NEVER, Truth, Truths
from tests.simulation.world import World


def check(world: World) -> None:
    """Every promise, once."""
    assert not world.testimony.refused, f"refused: {world.testimony.refused}"
    for source in world.sources:
        fold = world.holder_of[source].fold
        assert isinstance(fold, RecordedCount)
        world.testimony.count_restored(fold)
    for source in world.partials:
        fold = world.holder_of[source].fold
        assert isinstance(fold, RecordedEvaluate)
        world.testimony.restored(source, fold)
    truths = Truths(world)
    every_ledger_in_the_changelog_balances(world)
    for state in world.testimony.count_states:
        a_count_equals_brute_force(state, truths)
    every_part_that_was_sent_is_right(world, truths)
    every_closed_pane_was_sent(world, truths)
    dead_letters_are_those_of_the_input(world, truths)
    slow_answers_are_those_of_the_input(world, truths)
    activations_survive(world)
    with world.limits():
        uncrashed = {source: uncrashed_evaluate(world, source) for source in world.partials}
    evaluate_equals_an_uncrashed_one(world, uncrashed)
    for source in world.partials:
        reports_equal_brute_force(world, source, uncrashed[source], truths)


def every_ledger_in_the_changelog_balances(world: World) -> None:
    """`received = counted + late + ignored + learning + dead` in each `@`."""
    for source in world.sources:
        for message in world.cluster.records(Source("count-changelog", source.partition)):
            entry = decode_entry(message.value or b"")
            if isinstance(entry, Progress):
                ledger = msgspec.msgpack.decode(entry.state, type=CountProgress).ledger
                equal(f"balance of {source} at {entry.next_offset}, {ledger}", ledger.balance(), 0)


def a_count_equals_brute_force(state: CountState, truths: Truths) -> None:
    """What was recovered, and what is held in the end, is the fold of the prefix and nothing else."""
    expected = truths.of(state.source, state.history, state.next_offset)
    where = f"{state.source} at {state.next_offset}"
    ledger = state.progress.ledger
    found = {name: getattr(ledger, name) for name in ("received", "counted", "late", "ignored", "learning", "lost")}
    equal(f"ledger of {where}", found, {name: getattr(expected, name) for name in found})
    equal(f"dead letters in the ledger of {where}", ledger.dead, dict(expected.dead))
    for name in ("over_sla", "over_hard_limit", "failed"):
        answers = sum(sum(versions.values()) for versions in getattr(ledger, name).values())
        equal(f"{name} of {where}", answers, getattr(expected, name))
    other = {(m, key): n for m, of in ledger.segment_other.items() for keys in of.values() for key, n in keys.items()}
    equal(f"rows without a segment of their own of {where}", other, dict(expected.other))
    equal(f"newest event of {where}", state.progress.newest_event_ms, expected.newest_ms)
    models = sorted((m.baseline_id, m.from_ms, m.until_ms) for m in state.progress.models)
    in_force = sorted((c.baseline.id, c.from_ms, c.until_ms) for of_model in expected.active.values() for c in of_model)
    equal(f"definitions of {where}", models, in_force)
    equal(f"open panes of {where}", state.panes, expected.open_panes())


def every_part_that_was_sent_is_right(world: World, truths: Truths) -> None:
    """Each copy of a closed pane equals every other, and brute force; so does what idle sources said of open ones."""
    copies: dict[tuple[str, str, str, int], PanePart] = {}
    for source, value, partial in _said(world):
        if partial.provisional:
            held = truths.of(source, world.testimony.said[value], partial.next_offset)
        else:
            held = truths.of(source, world.testimony.said[value])
        for part in partial.panes:
            pane = part.definition, part.segment, part.start_ms
            what = f"pane {pane} from {source} at {partial.next_offset}"
            found = tuple(unpack_counts(part.counts).tolist()), part.first_offset, part.next_offset, part.newest_ms
            counts, first, after, newest_ms = held.panes.get(pane, ([], -1, -1, -1))
            equal(what, found, (tuple(counts), first, after, newest_ms))
            equal(f"names in {what}", counted_names(part.names), held.names[pane])
            if partial.provisional or world.shape.retention:  # retention may cut between one owner and the next
                continue
            equal(f"copies of {what}", copies.setdefault((str(source), *pane), part), part)
            definition = truths.definitions.by_id[part.definition]
            rows = _rows_of(held, definition, part.segment, part.start_ms)
            of_first_series = found[0][: width_of_series(definition.baseline.series[0])]
            equal(f"rows of {what}, counted whole or not at all", int(sum(of_first_series)), len(rows))


def _rows_of(held: Truth, definition: Definition, segment: str, start_ms: int) -> list[Prediction]:
    rows = held.rows[definition.key.model, start_ms]
    return [row for row in rows if not segment or segment in segments_of(definition, row)]


def every_closed_pane_was_sent(world: World, truths: Truths) -> None:
    """Of the lineage that survived, each closed pane is in the partials of its model."""
    final_words = [(str(source), partial) for source, _, partial in _said(world) if not partial.provisional]
    sent = {(s, part.definition, part.segment, part.start_ms) for s, word in final_words for part in word.panes}
    for source in world.sources:
        final = truths.final(source)
        closed = {(str(source), *pane) for pane in final.panes if final.closed(pane[2])}
        missing = {pane for pane in closed - sent if not _was_forgotten(truths.definitions.by_id[pane[1]], final)}
        assert not missing, f"closed panes were never sent: {sorted(missing)}"


def _was_forgotten(definition: Definition, final: Truth) -> bool:
    """Whether it is of the first of three baselines within one window."""
    numbers = [counted.baseline.number for counted in final.active[definition.key.model]]
    return definition.baseline.number not in numbers[-2:]


def dead_letters_are_those_of_the_input(world: World, truths: Truths) -> None:
    """None is missing, none is invented; what was unknown to one owner may have been known to another."""
    letters: dict[Source, set[tuple[int, str, str]]] = defaultdict(set)
    for message in world.cluster.records(Source("dead-letters", 0)):
        headers = {name: value.decode() for name, value in message.headers}
        source = Source(headers["topic"], int(headers["partition"]))
        letters[source].add((int(headers["offset"]), headers["index"], headers["reason"]))
        assert message.key == f"{source}/{headers['offset']}{'/' * bool(headers['index'])}{headers['index']}".encode()
    for source in world.sources:
        expected = sorted(truths.final(source).letters)
        found = sorted((offset, reason) for offset, _, reason in letters[source])
        missing = _minus(expected, found)
        assert not missing, f"dead letters of {source} are missing: {missing}"
        of_input = {
            (offset, reason)
            for offset, record in enumerate(world.inputs[source])
            for prediction in record.predictions
            for reason in (prediction.reason, "unknown_model" if prediction.model else None)
        }
        assert set(found) <= of_input, f"dead letters of {source} that are none: {sorted(set(found) - of_input)}"


def activations_survive(world: World) -> None:
    """What was sent under an activation was sent under one that every later owner makes at the same offset.

    Only where nobody writes without having read what was written: no zombies, nothing that lands late.
    """
    if not world.nobody_is_behind:
        return
    for source, value, partial in _said(world):
        fold = world.holder_of[source].fold
        assert isinstance(fold, RecordedCount)
        told = set(world.testimony.said[value])
        assert told <= set(fold.history), f"{source} at {partial.next_offset}: {told - set(fold.history)} is forgotten"


class Window(NamedTuple):
    """Which window of which model."""

    model: str
    definition: str
    segment: str
    end_ms: int


def reports_equal_brute_force(world: World, partials: Source, uncrashed: Uncrashed, truths: Truths) -> None:
    """The last revision of each complete window counts every row of it; the first one too, if nobody was idle early."""
    if world.shape.retention:
        return
    finals = [truths.final(s) for s in world.sources]
    missed_ends = {end for start_ms in uncrashed.missed_ms for end in _ends(start_ms)}
    for window, report in _last_reports(world, partials).items():
        if world.shape.idle and not _counted_to_its_end(window, uncrashed.words.values()):
            continue
        if report["complete"] and window.end_ms not in missed_ends:
            definition = truths.definitions.by_id[window.definition]
            found = np.concatenate([np.array(check["evidence"]["current"]) for check in report["checks"]])
            expected = _window_counts(finals, window, definition)
            equal(f"last report of {window}", found.tolist(), compared(definition.baseline, expected))
            of_series = sum(map(width_of_series, definition.baseline.series))
            equal(f"latency and errors in it, {window}", told_of_answers(report), answers_of(expected[of_series:]))
            if not window.segment:
                equal(f"rows looked at in it, {window}", report["feature_names"]["looked"], _looked(finals, window))
    _everything_was_evaluated(world, partials, max((f.newest_ms for f in finals), default=NEVER))


def _last_reports(world: World, partials: Source) -> dict[Window, dict[str, Any]]:
    last: dict[Window, dict[str, Any]] = {}
    never_revised = not world.shape.idle and world.always_one_baseline and _activated_once(world)
    for message in world.cluster.records(Source("reports", 0)):
        if _home(message.value, world) != partials.partition:
            continue
        report = orjson.loads(message.value or b"")
        end_ms = milliseconds(report["window"]["end"])
        window = Window(report["model"], report["definition"], report["segment"], end_ms)
        if never_revised:
            equal(f"revision of {window}, without an early idle source or a second baseline", report["revision"], 0)
        if window not in last or report["revision"] >= last[window]["revision"]:
            last[window] = report
    return _in_force(last)


def _in_force(last: dict[Window, dict[str, Any]]) -> dict[Window, dict[str, Any]]:
    """Without those of a definition that another one has taken the window over from, by a later revision."""
    newest: dict[tuple[str, int], Window] = {}
    for window, report in last.items():
        held = newest.setdefault((window.model, window.end_ms), window)
        if report["revision"] > last[held]["revision"]:
            newest[window.model, window.end_ms] = window
    return {w: report for w, report in last.items() if newest[w.model, w.end_ms].definition == w.definition}


def _activated_once(world: World) -> bool:
    """Whether no zombie has spoken that had heard of the baseline at another offset."""
    offsets: dict[Source, set[int]] = defaultdict(set)
    for source, value, _ in _said(world):
        offsets[source].update(at for what, at, _ in world.testimony.said[value] if what == "activate")
    return all(len(of_source) == 1 for of_source in offsets.values())


def _everything_was_evaluated(world: World, partials: Source, reached: int) -> None:
    fold = world.holder_of[partials].fold
    assert isinstance(fold, RecordedEvaluate)
    for course in fold.courses.values():
        if course.progress.evaluated_to_ms is not None:
            after = reached - LATENESS_MS
            assert course.progress.evaluated_to_ms >= after - after % PANE_MS, (
                f"{course.progress.model} was evaluated to {course.progress.evaluated_to_ms} only, not to {after}"
            )


def _counted_to_its_end(window: Window, words: Iterable[Partial]) -> bool:
    """Whether each source counts the window's definition; one that was idle may not, when it speaks again."""
    spans = [word.definitions.get(window.definition) for word in words]
    return all(span is not None and (span.until_ms is None or window.end_ms <= span.until_ms) for span in spans)


def _window_counts(finals: list[Truth], window: Window, definition: Definition) -> list[int]:
    counts = [0] * width_of(definition)
    for final in finals:
        for model, start_ms in list(final.rows):
            if model == window.model and window.end_ms in _ends(start_ms):
                for row in _rows_of(final, definition, window.segment, start_ms):
                    for at in flat_bins(definition, row):
                        counts[at] += 1
    return counts


def _looked(finals: list[Truth], window: Window) -> int:
    starts = range(window.end_ms - WINDOW_MS, window.end_ms, PANE_MS)
    return sum(final.looked[window.model, start] for final in finals for start in starts)


def _ends(start_ms: int) -> range:
    """Of the windows that hold a pane."""
    return range(start_ms + PANE_MS, start_ms + WINDOW_MS + 1, PANE_MS)


def milliseconds(text: str) -> int:
    """Event time of a report."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def _said(world: World) -> list[tuple[Source, bytes, Partial]]:
    """Every partial in the log, with its source."""
    said = []
    for partials in world.partials:
        for message in world.cluster.records(partials):
            if not is_of_count(message.value or b""):
                continue
            partial = decode_partial(message.value or b"")
            topic, _, partition = partial.source.partition("/")
            said.append((Source(topic, int(partition)), message.value or b"", partial))
    return said


def _home(value: bytes | None, world: World) -> int:
    """The partials partition that a report comes from."""
    model = orjson.loads(value or b"")["model"]
    return zlib.crc32(f"{model}@0".encode()) % world.shape.partials


def _minus(some: list[tuple[int, str]], others: list[tuple[int, str]]) -> list[tuple[int, str]]:
    left = list(some)
    for other in others:
        if other in left:
            left.remove(other)
    return left
