"""How long alerts wait, per model: what a model inherits and what it says itself."""

from pathlib import Path

from stream.alerts.episode import Holds
from stream.alerts.rules import alert_rules_of
from stream.config import Config, load_config

MINUTE_MS = 60_000


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment={})


def holds(config: Config, model: str) -> Holds:
    of_model = config.model(model)
    return alert_rules_of(of_model.alerts, of_model.windows.length).holds


def test_unless_told_an_alert_fires_at_once_and_ends_after_a_window_without_a_breach() -> None:
    assert holds(Config(), "m") == Holds(0, 60 * MINUTE_MS, 0)


def test_the_hold_of_a_model_is_its_own_windows_length(tmp_path: Path) -> None:
    config = loaded(tmp_path, "models: {m: {windows: {pane: 1h, length: 24h}}}")
    assert holds(config, "m").resolve_ms == 24 * 60 * MINUTE_MS


def test_a_model_has_what_all_have_but_for_what_it_says_itself(tmp_path: Path) -> None:
    text = """
        alerts: {pending: 2m, cooldown: 30m, group_above: 9}
        models: {a: {alerts: {pending: 0s, resolve: 5m}}, b: {alerts: {group_above: off}}, c: {}}
    """
    config = loaded(tmp_path, text)
    assert holds(config, "a") == Holds(0, 5 * MINUTE_MS, 30 * MINUTE_MS)
    assert holds(config, "b") == Holds(2 * MINUTE_MS, 60 * MINUTE_MS, 30 * MINUTE_MS)
    assert [config.model(name).alerts.group_above for name in ("a", "b", "c")] == [9, None, 9]
