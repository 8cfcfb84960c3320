"""Evaluates that read the partials one by one, in peace: what those of a world must have said, and have been.

What people say of alerts takes effect by activations. Where an owner is behind (a zombie, or one whose sends land
after its death), activations that others made may not have lasted; then what was said under them is compared with an
evaluate that goes through them.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import numpy as np

from stream.durable.log import Outgoing
from stream.evaluate.fold import EvaluateFold
from stream.records.learning import is_sample
from stream.records.partial import Partial, decode_partial
from stream.records.performance import is_performance
from stream.records.source import Message, MessageBatch, Source
from tests.simulation.answers import is_of_one_answer
from tests.simulation.recorded import History, RecordedEvaluate
from tests.simulation.testimony import packed_state
from tests.simulation.truth import NEVER
from tests.simulation.world import World


@dataclass
class Uncrashed:
    """What an evaluate does that reads the partials one by one, in peace."""

    outputs: list[Outgoing] = field(default_factory=list)
    others: list[Outgoing] = field(default_factory=list)  # of those under activations that did not last
    missed_ms: set[int] = field(default_factory=set)  # starts of panes that came when it was too late
    words: dict[str, Partial] = field(default_factory=dict)  # the furthest of each source
    joins: dict[str, int] = field(default_factory=dict)  # how far each has said everything

    def hear(self, partial: Partial) -> None:
        """Note what a source says; nothing that is cut in chunks has ended before its last one."""
        held = self.words.get(partial.source)
        if held is None or (partial.next_offset, partial.idle) >= (held.next_offset, held.idle):
            chunk = partial.newest_event_ms == NEVER and len(partial.panes) > 0
            spans = held.definitions if chunk and held is not None else {} if chunk else partial.definitions
            self.words[partial.source] = msgspec.structs.replace(partial, definitions=spans)


def evaluate_equals_an_uncrashed_one(world: World, uncrashed: dict[Source, Uncrashed]) -> None:
    """What evaluates sent is what those send that read the same partials in peace: repeated, but no other."""
    lasting = [output for of_partition in uncrashed.values() for output in of_partition.outputs]
    others = [output for of_partition in uncrashed.values() for output in of_partition.others]
    for topic in ("reports", "alerts", "baselines"):
        found = {(m.key, m.value) for m in world.cluster.records(Source(topic, 0)) if not is_of_one_answer(m)}
        expected = {(o.key, o.value) for o in lasting if o.to.topic == topic}
        also = set() if world.activations_last else {(o.key, o.value) for o in others if o.to.topic == topic}
        equal(f"set of {topic}", found, expected | (found & also))


def uncrashed_evaluate(world: World, partials: Source) -> Uncrashed:
    """Fold the partials in peace, under the activations that lasted, and under all others that somebody made.

    On the way every state that somebody recovered is compared.
    """
    fold = world.holder_of[partials].fold
    assert isinstance(fold, RecordedEvaluate)
    peace = Peace(world, partials, fold.history).run()
    histories = [fold.history]
    for history, reached in sorted(world.testimony.judged[partials].items(), key=lambda item: -len(item[0])):
        if not any(_goes_on_as(longer, history, reached) for longer in histories):
            peace.others += Peace(world, partials, history).run(reached).outputs
            histories.append(history)
    return peace


def _goes_on_as(longer: History, history: History, reached: int) -> bool:
    """Whether whoever has come from `longer` has done the same as from `history` up to an offset."""
    more = longer[len(history) :]
    return longer[: len(history)] == history and (not more or more[0][1] >= reached)


class Peace:
    """One evaluate, under one history of activations."""

    def __init__(self, world: World, partials: Source, history: History) -> None:
        self.found = Uncrashed()
        self._world = world
        self._partials = partials
        self._ahead = list(history)
        self._behind: History = ()
        find = {b.id: b for b in world.baselines}.get
        self._fold = EvaluateFold(outputs=world.evaluate_outputs, settings_of=world.settings_of, find_baseline=find)
        self._states: dict[tuple[int, History], list[Any]] = defaultdict(list)
        for state in world.testimony.states:
            if state.source == partials:
                self._states[state.next_offset, state.history].append(state.packed)

    def run(self, upto: int | None = None) -> Uncrashed:
        """Fold the records below an offset; None: all."""
        for message in self._world.cluster.records(self._partials):
            if upto is None or message.offset < upto:
                self._activate(message.offset)
                self._fold_one(message)
        self._activate(self._fold.next_offset)
        return self.found

    def _activate(self, offset: int) -> None:
        self._compare()
        while self._ahead and self._ahead[0][1] <= offset:
            happening = self._ahead.pop(0)
            self._behind += (happening,)
            self._fold.activate(cast(bytes, happening[2]))
            self._compare()

    def _compare(self) -> None:
        offset = self._fold.next_offset
        for packed in self._states.get((offset, self._behind), ()):
            equal(f"state of {self._partials} at {offset}", packed, packed_state(self._fold))

    def _fold_one(self, message: Message) -> None:
        missed = _missed(self._fold)
        self._fold.fold(single(self._partials, message.offset, message.value))
        said = self._fold.outputs()
        self._world.look_at(said, self._fold.take_published(), self._behind)
        self.found.outputs += said
        if is_of_count(message.value or b""):
            partial = decode_partial(message.value or b"")
            if _missed(self._fold) > missed:
                self.found.missed_ms |= {part.start_ms for part in partial.panes}
            self.found.hear(partial)
        self._furthest_words_count()

    def _furthest_words_count(self) -> None:
        """What evaluate holds of each source is what the one that had read most of it has said."""
        fold, found, where = self._fold, self.found, f"at {self._fold.next_offset} of {self._partials}"
        joins = {source: state.next_offset for source, state in fold.performance.sources.heard.items()}
        back = {source: offset for source, offset in found.joins.items() if joins[source] < offset}
        assert not back, f"words of joins {where}: back from {back} to {joins}"
        found.joins = joins
        heard = {source: (state.next_offset, state.idle) for source, state in fold.sources.heard.items()}
        equal(f"words {where}", heard, {source: (w.next_offset, w.idle) for source, w in found.words.items()})
        for course in fold.courses.values():
            for definition, candidate in course.candidates.items():
                for source, from_ms in candidate.from_ms.items():
                    said = found.words[source].definitions.get(definition)
                    equal(f"begin of {definition} in {source} {where}", from_ms, said and said.from_ms)


def _missed(fold: EvaluateFold) -> int:
    return sum(course.progress.missed for course in fold.courses.values())


def is_of_count(value: bytes) -> bool:
    """Whether a record of the partials is a partial: not a join's word, nor a sample."""
    return not is_performance(value) and not is_sample(value)


def single(source: Source, offset: int, value: bytes | None) -> MessageBatch:
    """A batch of one record."""
    return MessageBatch(
        source=source,
        begin=offset,
        chained=False,
        offsets=np.array([offset]),
        timestamps_ms=np.array([0]),
        values=[value],
    )


def equal(what: str, found: object, expected: object) -> None:
    """Or fail, and say what is not as it should be."""
    assert found == expected, f"{what}: {found} is not {expected}"
