"""Faust agents that count event by event: the idiomatic one into a table, another into a plain dict."""

import os
import sys
import time
from collections import defaultdict

import faust

servers, topic_name, rows, kept_in = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]


class Prediction(faust.Record, serializer="json", validation=False):  # type: ignore[misc,call-arg]
    """One prediction."""

    model: str
    score: float
    features: dict[str, float]


app = faust.App(
    f"bench-faust-{os.getpid()}",
    broker=f"kafka://{servers}",
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=4,
    topic_replication_factor=1,
    table_standby_replicas=0,
    broker_session_timeout=10,
    broker_rebalance_timeout=10,
    broker_heartbeat_interval=2,
    consumer_auto_offset_reset="earliest",
)
counts = app.Table("counts", default=int, partitions=4) if kept_in == "table" else defaultdict(int)
seen = 0
started_s = 0.0


@app.agent(app.topic(topic_name, value_type=Prediction), name="count")
async def count(predictions: faust.Stream) -> None:
    """Count each feature's bin."""
    global seen, started_s
    async for prediction in predictions:
        started_s = started_s or time.perf_counter()
        for feature, value in prediction.features.items():
            counts[f"{feature}|{int(value * 4)}"] += 1
        seen += 1
        if seen == rows:
            print(time.perf_counter() - started_s, flush=True, file=sys.__stdout__)
            os._exit(0)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "error", "--without-web"]
    app.main()
