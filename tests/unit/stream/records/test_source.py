"""Where bytes come from."""

import numpy as np

from stream.records.source import MessageBatch, Source


def test_a_source_is_named_as_in_alerts_and_dead_letters() -> None:
    assert str(Source("predictions", 3)) == "predictions/3"


def test_a_batch_ends_behind_its_last_record_whatever_lies_between() -> None:
    batch = MessageBatch(
        source=Source("predictions", 3),
        begin=5,
        chained=True,
        offsets=np.array([6, 9]),
        timestamps_ms=np.array([0, 0]),
        values=[b"", b""],
    )
    assert batch.end == 10
