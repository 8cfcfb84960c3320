"""The yardstick: a bare aiokafka consumer that parses each message with orjson and does nothing with it."""

import asyncio
import sys
import time

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition


async def main(bootstrap_servers: str, topic: str, partitions: int, rows: int) -> None:
    """Print the seconds from the first fetch to the last row."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    assigned = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(assigned)
    await consumer.seek_to_beginning(*assigned)
    seen, started_s = 0, time.perf_counter()
    while seen < rows:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                orjson.loads(record.value)
            seen += len(records)
    print(time.perf_counter() - started_s, time.process_time())
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
