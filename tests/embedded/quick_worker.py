"""`driftline worker`, with less patience: python tests/embedded/quick_worker.py -c FILE ...

A group's session time-out is 6 s, the least that Kafka allows: half of it passes before the embedded
broker lets a group begin, and all of it before a killed worker is replaced. QUICK_SILENCE_S, if set,
is how long a broker may be silent. Nothing else differs from what users run.
"""

import os
import sys

from stream.cli import main
from stream.service import app, kafka_log

QUICK_SESSION_S = 6.0

if __name__ == "__main__":
    app.SESSION_TIMEOUT_S = QUICK_SESSION_S  # type: ignore[misc]
    if "QUICK_SILENCE_S" in os.environ:
        kafka_log.SILENCE_LIMIT_S = float(os.environ["QUICK_SILENCE_S"])  # type: ignore[misc]
    sys.exit(main(["worker", *sys.argv[1:]]))
