"""The labels: for every prediction with an id its label, or none, or more than one, each in its own way.

What is sent is written to the truth; what a label does to which pane is worked out in `join_truth`. So that
one truth holds for every order in which predictions and labels may meet:

* the labels of one id go into one partition, in order of time, but for those whose order cannot matter;
* nothing is sent after its prediction has expired, nor corrected after the last report that shows it;
* models that hurt, whose alerts must be the same in every run, get plain labels only;
* labels end five panes before the predictions, so that whatever they change is told.
"""

import random
from collections import defaultdict, deque
from typing import Final, NamedTuple

from tests.crash.join_truth import RETRACTED, JoinTruth, id_text
from tests.crash.models import (
    C_VALUES,
    LATENCY_VALUES,
    SCORE_VALUES,
    SCORES,
    STATUS_VALUES,
    X_VALUES,
    Model,
    chance,
)
from tests.crash.scenario import EARLY_S, FIRST_EVENT_MS, LABEL_PARTITIONS, SLICE_MS, SLICES_PER_PANE, TTL_S
from tests.crash.truth import BrokenOne

QUIET_PANES: Final = 5  # at the start labels are plain: which pane is a model's first must be the same in every run
QUIET_AT_THE_END: Final = 5 * SLICES_PER_PANE
SHARE_NO_ID: Final = 0.03
SHARE_TWICE: Final = 0.02  # of predictions, delivered again byte for byte
SHARE_REUSED: Final = 0.005  # ids that a later prediction has again
SHARE_ANNOUNCED: Final = 0.3  # of predictions while a label waits for one
SHARE_NEVER: Final = 0.25
ODD_FROM: Final = 0.78  # share of the labelled predictions whose label is said once, in time
SHARE_BROKEN: Final = 0.01  # of labels
TWICE_WITHIN: Final = 20  # slices
ANNOUNCED_FOR: Final = 80  # slices
NO_ID: Final = -1

# Reason, and the JSON text; %(n)d makes every one's bytes its own.
BROKEN_LABELS: Final = (
    ("missing_id", b'{"model":"model-00","label":1,"ts":%(ts)d,"n":%(n)d}'),
    ("missing_label", b'{"model":"model-00","prediction_id":"none-%(n)d","ts":%(ts)d}'),
    ("bad_label", b'{"model":"model-00","prediction_id":"none-%(n)d","label":"yes","ts":%(ts)d}'),
    ("bad_label", b'{"model":"model-00","prediction_id":"none-%(n)d","label":0.5,"ts":%(ts)d}'),
    ("wrong_type", b'{"model":"model-00","prediction_id":[%(n)d],"label":1,"ts":%(ts)d}'),
    ("missing_model", b'{"prediction_id":"none-%(n)d","label":1,"ts":%(ts)d}'),
    ("bad_time", b'{"model":"model-00","prediction_id":"none-%(n)d","label":1,"ts":"soon"}'),
    ("future", b'{"model":"model-00","prediction_id":"none-%(n)d","label":1,"ts":99999999999999}'),
    (
        "score_out_of_range",
        b'{"model":"model-00","prediction_id":"none-%(n)d","label":1,"ts":%(ts)d,"score":7,"version":"1"}',
    ),
    ("not_object", b'"label %(n)d"'),
)
BROKEN_MESSAGES: Final = (("not_json", b'{"model":"model-00","label":1,"n":%(n)d,'), ("empty", None))
UNKNOWN: Final = b'{"model":"nobody","prediction_id":"%(n)d","label":1,"ts":%(ts)d}'


class Row(NamedTuple):
    """What a prediction says, still without an id; from x on they are indexes of their values."""

    model: int
    time_ms: int
    x: int
    c: int
    score: int
    latency: int
    status: int


class Sent(NamedTuple):
    """A prediction as it was sent."""

    row: Row
    id: int
    value: bytes
    of_slice: int  # when


class Label(NamedTuple):
    """One label that is to be sent."""

    id: int
    name: int  # index of the model's name
    time_ms: int
    value: int  # 0, 1 or RETRACTED
    inline: tuple[int, int] | None = None  # model and index of the score that it brings
    anywhere: bool = False  # into any partition


class LabelTraffic:
    """Gives predictions their ids, and makes the labels of each slice."""

    def __init__(self, models: list[Model], truth: JoinTruth, *, slices: int, ignores: bool, seed: int) -> None:
        self.truth = truth
        self._models = models
        self._name_of = [truth.names.index(model.name) for model in models]
        self._ignores = ignores
        self._dice = random.Random(seed)
        self._last = slices - QUIET_AT_THE_END
        self._hurting = range(int(slices * 0.4), int(slices * 0.6))
        self._to_send: dict[int, list[Label]] = defaultdict(list)
        self._recent: deque[Sent] = deque()
        self._reused: set[int] = set()
        self._announced: list[deque[tuple[int, int]]] = [deque() for _ in truth.names]  # id, slice
        self._serial = 0

    # -- predictions

    def delivered_twice(self, index: int) -> Sent | None:
        """A prediction that comes a second time, now and then."""
        if index >= self._last or self._dice.random() >= SHARE_TWICE:
            return None
        while self._recent and self._recent[0].of_slice < index - TWICE_WITHIN:
            self._recent.popleft()
        return self._dice.choice(self._recent) if self._recent else None

    def named(self, row: Row, index: int) -> Sent:
        """The prediction with an id, or none; its labels are planned."""
        said_before = self._id_again(row, index) or self._announced_id(row, index)
        is_named = said_before is not None or self._dice.random() >= SHARE_NO_ID
        id_ = said_before or (self._next_serial() if is_named else NO_ID)
        sent = Sent(row, id_, self._text(row, id_), index)
        if is_named and index < self._last:
            self._recent.append(sent)
            if said_before is None:  # an id's labels are all within a window's length
                self._plan(sent)
        return sent

    def _announced_id(self, row: Row, index: int) -> int | None:
        """One for which a label waits already."""
        announced = self._announced[self._name_of[row.model]]
        while announced and announced[0][1] < index - ANNOUNCED_FOR:
            announced.popleft()
        if announced and self._dice.random() < SHARE_ANNOUNCED and self._is_wild(row, index):
            return announced.popleft()[0]
        return None

    def _id_again(self, row: Row, index: int) -> int | None:
        if not self._recent or self._dice.random() >= SHARE_REUSED or not self._is_wild(row, index):
            return None
        old = self._dice.choice(self._recent)
        same = self._name_of[old.row.model] == self._name_of[row.model] and not self._models[old.row.model].hurts
        # Of two with one time the first to come would stand, which is not the same one in every run.
        apart = old.row.time_ms // 1_000 != row.time_ms // 1_000
        if not (same and apart) or old.id in self._reused or index - old.of_slice > TWICE_WITHIN:
            return None
        self._reused.add(old.id)
        return old.id

    def _is_wild(self, row: Row, index: int) -> bool:
        quiet = index < QUIET_PANES * SLICES_PER_PANE or index >= self._last
        return not (quiet or self._models[row.model].hurts)

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _text(self, row: Row, id_: int) -> bytes:
        model = self._models[row.model]
        named = b"" if id_ == NO_ID else b',"prediction_id":%b' % self._id_json(id_)
        went = b',"latency_ms":%b,"status":%b' % (LATENCY_VALUES[row.latency][0], STATUS_VALUES[row.status][0])
        return b'{"model":"%b","version":"%b","ts":%d,"score":%b,"features":{"x":%b,"c":%b}%b%b}' % (
            model.name.encode(),
            model.version.encode(),
            row.time_ms,
            SCORE_VALUES[row.score][0],
            X_VALUES[row.x][0],
            C_VALUES[row.c][0],
            went,
            named,
        )

    def _id_json(self, id_: int) -> bytes:
        """Numbers and texts of the same digits are the same id."""
        text = id_text(id_)
        return b"%b" % text if text.isdigit() and self._dice.random() < 0.5 else b'"%b"' % text

    # -- what labels there will be

    def _plan(self, sent: Sent) -> None:
        dice, row, index = self._dice, sent.row, sent.of_slice
        kind = dice.random()
        if kind < SHARE_NEVER:
            return
        now_ms = FIRST_EVENT_MS + index * SLICE_MS
        at_ms = now_ms + min(int(dice.expovariate(1 / 3_000)), 12_000)
        right = self._class(row, index)
        kind = (kind - SHARE_NEVER) / (1 - SHARE_NEVER)
        plain = [(at_ms, right)]
        if row.score == len(SCORES) or kind < ODD_FROM:  # without a score nothing waits for it
            self._send_all(sent, plain)
        elif not self._is_wild(row, index):
            self._send_all(sent, plain * 2 if kind < ODD_FROM + 0.03 else plain)
        elif kind < 0.96:
            odd = self._odd(row, now_ms, at_ms, right)
            self._send_all(sent, next(planned for below, planned in odd.items() if kind < below))
        elif kind < 0.973:  # out of order: the newer one is sent first
            older_ms = at_ms - dice.randrange(1_000, 5_000)
            self._send_all(sent, [(at_ms, right), (older_ms, 1 - right)], anywhere=True)
        elif kind < 0.986:  # brings a score, which nobody needs while the prediction is there
            score = dice.randrange(len(SCORES))
            at_ms = min(at_ms, row.time_ms + (TTL_S - 1) * 1_000)
            self._to_send[self._slice_of(at_ms, index)].append(
                Label(sent.id, self._name_of[row.model], at_ms, right, (row.model, score))
            )
        else:  # for another model: its id is nobody's there
            other = dice.randrange(len(self.truth.names))
            if other != self._name_of[row.model]:
                self._to_send[self._slice_of(at_ms, index)].append(Label(sent.id, other, at_ms, right))

    def _odd(self, row: Row, now_ms: int, at_ms: int, right: int) -> dict[float, list[tuple[int, int]]]:
        """Labels that are not simply said once, by the draw below which they are chosen."""
        dice, wrong, s = self._dice, 1 - right, 1_000
        return {
            0.81: [(at_ms, right), (at_ms, right)],  # twice
            0.85: [(now_ms - dice.randrange(3 * s), right)],  # late, and perhaps before its prediction
            0.88: [(at_ms, wrong), (at_ms + dice.randrange(s, 5 * s), right)],  # revised
            0.89: [(at_ms, wrong), (at_ms + 2 * s, right), (at_ms + 4 * s, wrong)],
            0.90: [(at_ms, right), (at_ms + 8 * s, wrong)],  # revised after a longer while
            0.912: [(at_ms, right), (at_ms + dice.randrange(s, 5 * s), RETRACTED)],
            0.924: [(at_ms, wrong), (at_ms + 2 * s, RETRACTED), (at_ms + 4 * s, right)],
            0.932: [(at_ms, RETRACTED)],
            0.94: [(at_ms, 0), (at_ms, 1)],  # of one time: the larger stands
            0.95: [(row.time_ms + (TTL_S + dice.randrange(2, 5)) * s, right)],  # too late
            0.96: [(row.time_ms - (EARLY_S + dice.randrange(2, 5)) * s, right)],  # too early
        }

    def _class(self, row: Row, index: int) -> int:
        score = SCORES[row.score] if row.score < len(SCORES) else 0.5
        hurts = self._models[row.model].hurts and index in self._hurting
        return int(self._dice.random() < (1 - chance(score) if hurts else chance(score)))

    def _send_all(self, sent: Sent, planned: list[tuple[int, int]], *, anywhere: bool = False) -> None:
        """Plan labels, those of one id one after the other; what would come when the prediction is gone is left out."""
        slices: list[int] = []
        for time_ms, _ in planned:
            follows = slices[-1] + (10 if time_ms == planned[0][0] or anywhere else 0) if slices else sent.of_slice
            slices.append(self._slice_of(time_ms, follows))
        gone = (sent.row.time_ms - FIRST_EVENT_MS + (TTL_S - 1) * 1_000) // SLICE_MS
        for n, ((time_ms, value), index) in enumerate(zip(planned, slices, strict=True)):
            if n == 0 or index < gone:
                label = Label(sent.id, self._name_of[sent.row.model], time_ms, value, None, anywhere)
                self._to_send[index].append(label)

    def _slice_of(self, time_ms: int, follows: int) -> int:
        """When it is sent: not before its time, and before it would be late."""
        return max(follows, (time_ms - FIRST_EVENT_MS) // SLICE_MS + self._dice.randrange(3))

    # -- the labels of a slice

    def slice(self, index: int, predictions: int) -> list[list[bytes | None]]:
        """The messages of all partitions, in log order; what they say is written to the truth."""
        values: list[list[bytes | None]] = [[] for _ in range(LABEL_PARTITIONS)]
        labels = self._to_send.pop(index, [])
        if index >= self._last:
            return values
        if index >= QUIET_PANES * SLICES_PER_PANE:
            labels += self._of_nobody(index, predictions)
        dice = self._dice
        while labels:
            first = labels[0]
            place = dice.randrange(LABEL_PARTITIONS) if first.anywhere else first.id % LABEL_PARTITIONS
            draw = dice.random()
            if draw < SHARE_BROKEN:
                values[place].append(self._broken(index, place))
                continue
            size = 3 if draw < 2 * SHARE_BROKEN else 1
            taken, labels = labels[:size], labels[size:]
            if size > 1 and len({label.id % LABEL_PARTITIONS for label in taken}) > 1:
                taken, labels = taken[:1], taken[1:] + labels
            texts = [self._label(label, place) for label in taken]
            values[place].append(texts[0] if len(texts) == 1 else b"[" + b",".join(texts) + b"]")
            self.truth.partitions[place].next_offset += 1
        return values

    def _of_nobody(self, index: int, predictions: int) -> list[Label]:
        """Labels that come first, of ids that nobody has, and with a score in place of a prediction."""
        dice = self._dice
        found = []
        for _ in range(max(predictions // 50, 1)):
            id_, model = self._next_serial(), dice.randrange(len(self._models))
            time_ms = FIRST_EVENT_MS + index * SLICE_MS + dice.randrange(SLICE_MS)
            inline = None
            kind = dice.random()
            if kind < 0.5:
                self._announced[self._name_of[model]].append((id_, index))
            elif kind < 0.75 and not self._models[model].hurts:
                inline = model, dice.randrange(len(SCORES))
            found.append(Label(id_, self._name_of[model], time_ms, dice.randrange(2), inline))
        return found

    def _label(self, label: Label, partition: int) -> bytes:
        self.truth.add_label(partition, label.id, label.name, label.time_ms // 1_000, label.value, label.inline)
        words = ((b"0", b"false"), (b"1", b"true"), (b"null", b"null"))[label.value]
        more = b""
        if label.inline is not None:
            model, score = label.inline
            version = self._models[model].version.encode()
            more = b',"score":%r,"version":"%b"' % (SCORES[score], version)
        return b'{"prediction_id":%b,"model":"%b","label":%b,"ts":%d%b}' % (
            self._id_json(label.id),
            self.truth.names[label.name].encode(),
            words[self._dice.random() < 0.1],
            label.time_ms,
            more,
        )

    def _broken(self, index: int, partition: int) -> bytes | None:
        draw = self._dice.randrange(len(BROKEN_LABELS) + len(BROKEN_MESSAGES) + 2)
        shapes: tuple[tuple[str, bytes | None], ...] = (*BROKEN_LABELS, *BROKEN_MESSAGES)
        reason, shape = shapes[draw] if draw < len(shapes) else ("unknown_model", UNKNOWN)
        filled = {b"n": self._next_serial(), b"ts": FIRST_EVENT_MS + index * SLICE_MS}
        value = None if shape is None else shape % filled
        truth = self.truth.partitions[partition]
        if shape is UNKNOWN and self._ignores:
            truth.ignored.append(truth.next_offset)
        else:
            truth.broken.append(BrokenOne(truth.next_offset, None, reason, value))
        truth.next_offset += 1
        return value
