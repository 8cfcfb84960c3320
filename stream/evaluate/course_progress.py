"""What of a course lies in `@`: everything but its panes."""

import msgspec

from stream.alerts.episode import Episode
from stream.evaluate.tally import Tally
from stream.records.partial import NO_TIME
from stream.records.prediction import ModelKey
from stream.records.settings import CountingSettings


class CandidateProgress(msgspec.Struct, array_like=True):
    """A definition that a course is counted with, without its panes."""

    baseline_id: str
    settings: CountingSettings
    from_ms: dict[str, int]  # by source
    until_ms: dict[str, int]
    since: int  # offset of the partial that it came with
    entered_ms: int = NO_TIME  # to where windows had been evaluated then
    usual_names: tuple[str, ...] | None = None  # of features that are not the baseline's, and no news; None: not known


class SegmentProgress(msgspec.Struct, array_like=True):
    """What a course knows of one segment besides its panes."""

    episodes: dict[str, Episode] = {}  # by check|subject
    empty: bool = True  # whether the newest window had no rows of it


class CourseProgress(msgspec.Struct, array_like=True):
    """Everything of a course besides its panes, as it lies in `@`."""

    model: str
    version: str
    definitions: list[CandidateProgress]
    first_ms: int | None  # start of the first pane evaluated
    evaluated_to_ms: int | None  # end of the newest window evaluated
    empty: bool  # whether that window had no rows
    episodes: dict[str, Episode]  # by `name_of`
    revisions: dict[int, int]  # end of window: how often it was published again
    missed: int  # parts that came when their pane had been forgotten
    segments: dict[str, SegmentProgress] = {}  # by name, those that have had rows
    tally: Tally = Tally()  # of the whole traffic and every segment

    @classmethod
    def at_start(cls, key: ModelKey) -> "CourseProgress":
        """Of a model version that nothing is known of yet."""
        return cls(
            model=key.model,
            version=key.version,
            definitions=[],
            first_ms=None,
            evaluated_to_ms=None,
            empty=True,
            episodes={},
            revisions={},
            missed=0,
        )
