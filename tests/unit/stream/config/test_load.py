"""What a configuration may say, where it may say it, and what it means."""

from pathlib import Path

import pytest

from stream.config import Config, load_config, sasl_password
from stream.config.check_keys import PsiLimits
from stream.errors import ConfigError, InputError

CONTRACT = """
kafka: {bootstrap_servers: localhost:9092}
app: driftline
topics: {predictions: predictions, labels: labels, baselines: baselines, alerts: alerts, reports: reports,
         dead_letters: dead-letters}
web: {host: 127.0.0.1, port: 6066}
windows: {pane: 1m, length: 1h, allowed_lateness: 30s, idle: 30s, max_clock_skew: 5m}
unknown_models: ignore
models:
  flight-delay:
    task: binary
    windows: {pane: 1h, length: 24h}
    rule: threshold
    checks:
      psi: {warning: 0.1, critical: 0.25, min_count: 200, features: {wind_speed: {critical: 0.5}, note: off}}
"""


def load(tmp_path: Path, text: str = "", **environment: str) -> Config:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment=environment)


def test_without_a_file_everything_has_a_default() -> None:
    config = load_config(None, environment={})
    assert config.kafka.bootstrap_servers == "localhost:9092"
    assert config.windows.length == 3_600_000
    assert config.checkpoint.interval == 500
    assert config.unknown_models == "learn"


def test_the_contract_example_is_read_to_the_letter(tmp_path: Path) -> None:
    model = load(tmp_path, CONTRACT).model("flight-delay")
    assert (model.windows.pane, model.windows.length) == (3_600_000, 86_400_000)
    assert model.windows.allowed_lateness == 30_000, "what a model does not say it takes from `windows`"
    assert model.checks.psi.limits_of("wind_speed") == PsiLimits(notice=0.02, warning=0.1, critical=0.5, min_count=200)
    assert model.checks.psi.limits_of("note") is None, "YAML's `off` switches the check off"
    assert model.checks.psi.limits_of("distance") == PsiLimits(notice=0.02, warning=0.1, critical=0.25, min_count=200)


def test_a_model_that_is_not_listed_has_the_defaults(tmp_path: Path) -> None:
    model = load(tmp_path, "windows: {pane: 5m, length: 2h}").model("unheard-of")
    assert (model.name, model.windows.pane, model.windows.length) == ("unheard-of", 300_000, 7_200_000)
    assert model.task is None, "its baseline knows"


def test_one_limit_of_a_feature_can_be_switched_off(tmp_path: Path) -> None:
    text = "models: {m: {checks: {psi: {features: {wind: {warning: off}, rain: {warning: false}}}}}}"
    psi = load(tmp_path, text).model("m").checks.psi
    assert psi.limits_of("wind") == psi.limits_of("rain")
    assert psi.limits_of("wind") == PsiLimits(notice=0.02, warning=None, critical=0.25, min_count=200)


def test_names_are_what_the_file_says_even_where_yaml_would_read_something_else(tmp_path: Path) -> None:
    text = "models: {1: {}, no: {checks: {psi: {features: {on: off, 2024-01-01: off}}}}}"
    config = load(tmp_path, text)
    assert list(config.models) == ["1", "no"]
    assert list(config.models["no"].checks.psi.features) == ["on", "2024-01-01"]


def test_empty_sections_mean_their_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, "web:\nmodels:\n  fraud:\n")
    assert config.web.port == 6066
    assert list(config.models) == ["fraud"]


def test_the_environment_overrides_the_file_and_the_command_line_both(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("kafka: {bootstrap_servers: 'a:1'}\nwindows: {pane: 5m}\n", encoding="utf-8")
    environment = {"DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": "b:2", "DRIFTLINE_WINDOWS__LENGTH": "2h", "DRIFTLINE_APP": "x"}
    config = load_config(path, {"kafka.bootstrap_servers": "c:3"}, environment)
    assert (config.kafka.bootstrap_servers, config.app) == ("c:3", "x")
    assert (config.windows.pane, config.windows.length) == (300_000, 7_200_000)


def test_other_variables_of_that_prefix_are_not_ours(tmp_path: Path) -> None:
    assert load(tmp_path, DRIFTLINE_HOME="/opt", DRIFTLINEX__APP="y").app == "driftline"


def test_servers_may_be_a_list(tmp_path: Path) -> None:
    config = load(tmp_path, "kafka: {bootstrap_servers: ['a:1', ' b:2', '[::1]:3']}")
    assert config.kafka.bootstrap_servers == "a:1,b:2,[::1]:3"


def test_the_password_is_never_shown_and_still_there(tmp_path: Path) -> None:
    text = "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me}"
    config = load(tmp_path, text, DRIFTLINE_KAFKA__SASL_PASSWORD="hunter2")
    assert sasl_password(config.kafka) == "hunter2"
    assert "hunter2" not in repr(config) + str(config) + config.model_dump_json()


def test_the_password_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    text = "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me}"
    config = load(tmp_path, text, DRIFTLINE_KAFKA__SASL_PASSWORD_FILE=str(secret))
    assert sasl_password(config.kafka) == "hunter2"
    secret.unlink()
    with pytest.raises(InputError, match="sasl_password_file"):
        sasl_password(config.kafka)


def test_no_password_is_no_password() -> None:
    assert sasl_password(Config().kafka) is None


def test_the_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().app = "other"


def test_internal_topics_carry_the_name_of_the_app(tmp_path: Path) -> None:
    assert load(tmp_path, "app: fraud-watch").internal_topic("partials") == "fraud-watch.partials"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [", "is not YAML"),
        (b"- a\n- b\n", "holds no settings"),
        (b"just text", "holds no settings"),
        (b"app: \xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as refused:
        load_config(path, environment={})
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml.*-c FILE"):
        load_config(tmp_path / "nowhere.yaml", environment={})


def test_a_key_given_twice_is_refused_because_one_of_them_would_be_lost(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"app: is given twice \(again in line 3\)"):
        load(tmp_path, "app: a\nweb: {port: 1}\napp: b\n")
