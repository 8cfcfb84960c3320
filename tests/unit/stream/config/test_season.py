"""`season` and `timezone` of a model: read as they are written, refused in words."""

from pathlib import Path

import pytest

from stream.config import load_config
from tests.unit.stream.config.test_refusals import refuse


def test_season_and_timezone_are_a_models_own(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: {m: {season: hour-of-week, timezone: Europe/Berlin}, n: {season: none}}", encoding="utf-8")
    config = load_config(path, environment={})
    assert [(config.model(name).season, config.model(name).timezone) for name in "mno"] == [
        ("hour-of-week", "Europe/Berlin"),
        ("none", "UTC"),
        (None, "UTC"),
    ]


@pytest.mark.parametrize(("text", "key", "said"), [
    ("season: weekly", "season", "= 'weekly': must be one of none, hour-of-day, hour-of-week; try hour-of-week"),
    ("season: daily", "season", "try hour-of-day"),
    ("season: off", "season", "must be one of none, hour-of-day, hour-of-week; try none"),
    ("season: month", "season", "= 'month'"),
    ("timezone: Berlin", "timezone", "= 'Berlin': is no time zone that this machine knows; try Europe/Berlin, or UTC"),
    ("season: hour-of-day, windows: {pane: 90m, length: 3h}", "season",
     "= 'hour-of-day': needs panes that divide an hour, not 90m; try models.m.windows.pane of 1m, or none"),
    ("season: hour-of-day, windows: {pane: 7m, length: 7m}", "season", "needs panes that divide an hour, not 7m"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, key: str, said: str) -> None:
    refused = refuse(tmp_path, f"models: {{m: {{{text}}}}}")
    assert f"models.m.{key}" in str(refused)
    assert said in str(refused)


def test_without_a_season_any_pane_will_do(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("models: {m: {season: none, windows: {pane: 7m, length: 7m}}}", encoding="utf-8")
    assert load_config(path, environment={}).model("m").windows.pane == 7 * 60_000
