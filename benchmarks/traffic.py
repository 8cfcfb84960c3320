"""What the benchmarks count: one model with ten features, JSON of about 400 bytes, four partitions."""

import asyncio
from typing import Final

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.baselines.baseline import Baseline
from stream.baselines.create import create_baseline

PARTITIONS: Final = 4
FEATURES: Final = tuple(f"feature_number_{i:02}" for i in range(10))
FIRST_EVENT_MS: Final = 1_767_225_600_000  # 2026-01-01
_BATCH_ROWS: Final = 1_000


def baseline(seed: int = 1) -> Baseline:
    """The baseline of model `bench`: 20,000 rows of ten normal features and a score."""
    rng = np.random.default_rng(seed)
    table = {name: rng.normal(size=20_000) for name in FEATURES} | {"score": rng.random(20_000)}
    return create_baseline(table, model="bench", version="1")


def messages(rows: int, *, span_ms: int, seed: int = 2) -> tuple[list[bytes], list[int]]:
    """Predictions in event order over `span_ms`, and their event times."""
    rng = np.random.default_rng(seed)
    values, scores = np.round(rng.normal(size=(rows, len(FEATURES))), 6), np.round(rng.random(rows), 6)
    times = (FIRST_EVENT_MS + np.arange(rows) * (span_ms / rows)).astype(np.int64).tolist()
    made = [
        orjson.dumps(
            {
                "prediction_id": f"p-{i:012}",
                "model": "bench",
                "version": "1",
                "ts": times[i],
                "score": scores[i],
                "features": dict(zip(FEATURES, values[i].tolist(), strict=True)),
            },
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        for i in range(rows)
    ]
    return made, times


async def create_topics(bootstrap_servers: str, topics: dict[str, int]) -> None:
    """Topics with their numbers of partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1) for name, partitions in topics.items()])
    await admin.close()


async def publish(bootstrap_servers: str, topic: str, rows: tuple[list[bytes], list[int]]) -> None:
    """All rows, a batch to each partition in turn, stamped with their event times."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, max_batch_size=1_048_576)
    await producer.start()
    values, times = rows
    under_way = []
    for n, start in enumerate(range(0, len(values), _BATCH_ROWS)):
        batch = producer.create_batch()
        for value, time_ms in zip(values[start : start + _BATCH_ROWS], times[start : start + _BATCH_ROWS], strict=True):
            assert batch.append(key=None, value=value, timestamp=time_ms) is not None, "the batch is full"
        under_way.append(await producer.send_batch(batch, topic, partition=n % PARTITIONS))
    await asyncio.gather(*under_way)
    await producer.stop()
