"""How far the partitions of a replay may be apart."""

from pathlib import Path

import pytest

from stream.config import load_config
from stream.service.topology import longest_lead_ms

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        pytest.param("windows: {pane: 1m, length: 1m}", 5, id="300 panes of the default, however short the window"),
        pytest.param("windows: {pane: 1m, length: 24h}\nlimits: {max_panes: 1440}", 24, id="panes of the limit"),
        pytest.param(
            "windows: {pane: 1m, length: 1h}\nmodels: {slow: {windows: {pane: 1h, length: 24h}}}",
            300,
            id="the model with the longest panes",
        ),
    ],
)
def test_a_partition_may_be_ahead_by_as_many_panes_as_a_window_may_have(tmp_path: Path, text: str, hours: int) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    assert longest_lead_ms(load_config(path, environment={})) == hours * HOUR_MS
