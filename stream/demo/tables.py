"""The demo's flights as tables, for `driftline backtest`: what the producer sent, and what became true."""

from typing import Final

import numpy as np
import pyarrow as pa

from stream.demo.flights import NUMERIC, Flights, Floats
from stream.demo.messages import landings

WINTER_FILE: Final = "january-to-march.parquet"
REPLAYED_FILE: Final = "april-to-december.parquet"

_TIME: Final = pa.timestamp("ms", tz="UTC")


def table_of(flights: Flights, scores: Floats) -> pa.Table:
    """A row for each flight: features, `score`, `ts` (departure), `late` and `landed`, null where no label comes.

    Cost: 0.1 s for 250,000 flights.
    """
    when_ms, row = landings(flights)
    has_none = np.ones(len(flights), np.bool_)
    has_none[row] = False
    landed_ms = np.zeros(len(flights), np.int64)
    landed_ms[row] = when_ms
    return pa.table(
        {name: pa.array(flights.numeric[name], from_pandas=True) for name in NUMERIC}
        | {
            "carrier": pa.array(flights.carrier.tolist()),
            "score": pa.array(scores),
            "ts": pa.array(flights.event_time_ms, _TIME),
            "late": pa.array(flights.arrived_late == 1, mask=has_none),
            "landed": pa.array(landed_ms, _TIME, mask=has_none),
        }
    )
