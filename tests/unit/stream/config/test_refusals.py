"""A configuration that is refused: key, value, rule and fix, in the user's words."""

import re
from pathlib import Path

import pytest

from stream.config import load_config
from stream.errors import ConfigError

JARGON = re.compile(r"pydantic|validat|input should|type=|extra|NoneType|\bdict|literal|schema|\bstr\b|\bint\b", re.I)


def refuse(tmp_path: Path, text: str, **environment: str) -> ConfigError:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(path, environment=environment)
    return refused.value


# text; key; what the sentence says after the key
CASES = [
    # names
    ("kafka: {bootstrap_server: x}", "kafka.bootstrap_server", "there is no such key; try bootstrap_servers"),
    ("modls: {}", "modls", "there is no such key; try models"),
    ("web: {qqq: 1}", "web.qqq", "there is no such key; try one of host, port"),
    ("models: {m: {check: {}}}", "models.m.check", "there is no such key; try checks"),
    ("models: {m: {checks: {psi: {features: {f: {critcal: 1}}}}}}", "models.m.checks.psi.features.f.critcal",
     "there is no such key; try critical"),
    ("fields: {scor: a.b}", "fields", ": scor is no field of a prediction; try one of prediction_id"),
    ("fields: {score: ''}", "fields",
     ": the path of score ('') must be keys and list positions with dots between; try outputs.0.data.0"),
    ("fields: {score: out., features.a: in.0}", "fields", ": the path of score ('out.') must be keys"),
    # durations
    ("windows: {pane: 30}", "windows.pane", "= 30: needs a unit: ms, s, m, h or d; try 30s"),
    ("windows: {pane: '30'}", "windows.pane", "= '30': must be a number with its unit"),
    ("windows: {idle: 5 minutes}", "windows.idle", "such as 250ms, 30s, 5m, 24h or 30d"),
    ("windows: {idle: 0.5ms}", "windows.idle", "must be a whole number of milliseconds"),
    ("windows: {idle: -5s}", "windows.idle", "must be a number with its unit"),
    ("windows: {pane: [1m]}", "windows.pane", "needs a unit"),
    ("windows: {pane: null}", "windows.pane", "= None: needs a unit"),
    ("windows: {pane: 500ms}", "windows.pane", "= '500ms': must be at least 1s; try 1s"),
    ("windows: {idle: 0s}", "windows.idle", "must be longer than nothing; try 30s"),
    ("windows: {allowed_lateness: 0s}", "windows.allowed_lateness", "must be longer than nothing"),
    ("windows: {max_clock_skew: 0s}", "windows.max_clock_skew", "must be longer than nothing"),
    ("checkpoint: {interval: 0s}", "checkpoint.interval", "must be longer than nothing; try 500ms"),
    # data quality
    ("models: {m: {quality: off}}", "models.m.quality", "there is no such key; try checks: {quality:"),
    ("models: {m: {checks: {quality: {missing: {warning: 0}}}}}", "models.m.checks.quality.missing.warning",
     "must be greater than 0"),
    ("models: {m: {checks: {quality: {missing: {warning: 1.5}}}}}", "models.m.checks.quality.missing.warning",
     "must be at most 1"),
    ("models: {m: {checks: {quality: {missing: {warning: 0.5}}}}}", "models.m.checks.quality.missing",
     "must have a warning limit (0.5) of at most the critical one (0.1); try {warning: 0.1, critical: 0.5}"),
    ("models: {m: {checks: {quality: {features: {f: {missing: off}}}}}}", "models.m.checks.quality.features.f",
     "a feature can be switched off, and nothing else; try off"),
    ("models: {m: {checks: {quality: {mising: off}}}}", "models.m.checks.quality.mising",
     "there is no such key; try missing"),
    ("models: {m: {checks: {quality: {feature_names: off}}}}", "models.m.checks.quality.feature_names",
     "there is no such key; try features"),
    ("models: {m: {checks: {quality: {schema: {warn: 0.2}}}}}", "models.m.checks.quality.schema.warn",
     "there is no such key; try warning"),
    # errors
    ("models: {m: {errors: {}}}", "models.m.errors", "there is no such key; try checks: {errors: {warning: 0.01}}"),
    ("models: {m: {checks: {errors: {warning: 0.2}}}}", "models.m.checks.errors",
     "must have a warning limit (0.2) of at most the critical one (0.05); try {warning: 0.05, critical: 0.2}"),
    ("models: {m: {checks: {errors: {critical: 5}}}}", "models.m.checks.errors.critical", "must be at most 1"),
    ("models: {m: {checks: {errors: {min_count: 0}}}}", "models.m.checks.errors.min_count", "must be at least 1"),
    ("models: {m: {checks: {errors: {ok: [OK]}}}}", "models.m.checks.errors.ok", "there is no such key"),
    # latency
    ("models: {m: {latency: 250ms}}", "models.m.latency", "there is no such key; try checks: {latency: {sla: 250ms}}"),
    ("models: {m: {checks: {latency: {quantile: 0.9}}}}", "models.m.checks.latency", "needs `sla`"),
    ("models: {m: {checks: {latency: }}}", "models.m.checks.latency", "needs `sla`"),
    ("models: {m: {checks: {latency: {sla: 250}}}}", "models.m.checks.latency.sla",
     "= 250: needs a unit: ms, s, m, h or d; try 250ms"),
    ("models: {m: {checks: {latency: {sla: '250'}}}}", "models.m.checks.latency.sla", "24h or 30d; try 250ms"),
    ("models: {m: {checks: {latency: {sla: 1s, hard_limit: 2000}}}}", "models.m.checks.latency.hard_limit",
     "try 2000ms"),
    ("models: {m: {checks: {latency: {sla: yes}}}}", "models.m.checks.latency.sla", "24h or 30d; try 250ms"),
    ("models: {m: {checks: {latency: {sla: true}}}}", "models.m.checks.latency.sla", "h or d; try 250ms"),
    ("models: {m: {checks: {latency: {sla: 0ms}}}}", "models.m.checks.latency.sla", "at least 1ms and shorter than 1h"),
    ("models: {m: {checks: {latency: {sla: 1h}}}}", "models.m.checks.latency.sla", "at least 1ms and shorter than 1h"),
    ("models: {m: {checks: {latency: {sla: 1s, quantile: 1}}}}", "models.m.checks.latency.quantile", "less than 1"),
    ("models: {m: {checks: {latency: {sla: 1s, rule: plain}}}}", "models.m.checks.latency.rule",
     "must be one of budget, threshold"),
    ("models: {m: {checks: {latency: {sla: 2s, hard_limit: 2s}}}}", "models.m.checks.latency",
     "must have a hard_limit (2s) above its sla (2s)"),
    ("models: {m: {checks: {latency: {sla: 1s, hard_limit: 1h}}}}", "models.m.checks.latency.hard_limit",
     "at least 1ms and shorter than 1h"),
    ("models: {m: {checks: {latency: {sla: 1s, max_per_pane: 5}}}}", "models.m.checks.latency",
     "has max_per_pane, which needs `hard_limit`; try {sla: 1s, hard_limit: 2s}"),
    ("models: {m: {checks: {latency: {sla: 1s, hard_limit: 2s, max_per_pane: 0}}}}",
     "models.m.checks.latency.max_per_pane", "must be at least 1"),
    ("models: {m: {hard_limit: 2s}}", "models.m.hard_limit", "try checks: {latency: {sla: 250ms, hard_limit: 2s}}"),
    # alerts
    ("alerts: {pending: 90s}", "alerts.pending", "= '90s': must be a whole number of panes, which are 1m long; try 2m"),
    ("models: {m: {alerts: {resolve: 90s}}}", "models.m.alerts.resolve",
     "whole number of panes, which are 1m long for model m; try 2m"),
    ("alerts: {cooldown: 1h}\nmodels: {m: {windows: {pane: 2h, length: 24h}}}", "alerts.cooldown",
     "whole number of panes, which are 2h long for model m; try 2h"),
    ("alerts: {group_above: 0}", "alerts.group_above", "must be at least 1"),
    ("alerts: {group_above: }", "alerts.group_above", "is empty; try off"),
    ("alerts: {hold: 1m}", "alerts.hold", "there is no such key"),
    # windows
    ("windows: {pane: 7m, length: 1h}", "windows.length", "= '1h': must be a whole number of panes (7m); try 63m"),
    ("windows: {pane: 2h, length: 1h}", "windows.length", "must be a whole number of panes (2h); try 2h"),
    ("windows: {pane: 1m, length: 24h}", "windows.length",
     "is 1440 panes of 1m, more than limits.max_panes (300); try a pane of 5m"),
    ("models: {m: {windows: {pane: 2h}}}", "models.m.windows.length", "must be a whole number of panes (2h)"),
    # numbers
    ("web: {port: 70000}", "web.port", "= 70000: must be at most 65535; try 65535"),
    ("web: {port: http}", "web.port", "= 'http': must be a whole number; try digits only"),
    ("web: {port: 1.5}", "web.port", "must be a whole number; try 2"),
    ("web: {port: true}", "web.port", "must be a number"),
    ("limits: {max_panes: 0}", "limits.max_panes", "must be at least 1; try 1"),
    ("models: {m: {checks: {psi: {warning: .nan}}}}", "models.m.checks.psi.warning", "must be a finite number"),
    ("models: {m: {checks: {psi: {warning: -1}}}}", "models.m.checks.psi.warning", "must be greater than 0"),
    ("models: {m: {checks: {psi: {warning: high}}}}", "models.m.checks.psi.warning", "must be a number"),
    ("models: {m: {checks: {psi: {warning: }}}}", "models.m.checks.psi.warning", "is empty; try off, or a limit"),
    ("models: {m: {checks: {psi: {warning: 0.3}}}}", "models.m.checks.psi.critical",
     "= 0.25: must be at least the warning limit (0.3)"),
    ("models: {m: {checks: {psi: {features: {f: {critical: 0.05}}}}}}", "models.m.checks.psi.features.f.critical",
     "= 0.05: must be at least the warning limit (0.1)"),
    # words
    ("unknown_models: dead_letter", "unknown_models", "must be one of dead-letter, ignore, learn; try dead-letter"),
    ("kafka: {security_protocol: TLS}", "kafka.security_protocol", "must be one of PLAINTEXT, SSL"),
    ("models: {m: {task: ranking}}", "models.m.task", "must be one of binary, regression, multiclass"),
    ("smoothing: epsilon:2", "smoothing", "must be half, or epsilon: with a number between 0 and 1"),
    ("smoothing: epsilon:1.2.3", "smoothing", "must be half, or epsilon:"),
    ("app: 12", "app", "= 12: must be text; try the same in quotes"),
    (f"app: {'x' * 201}", "app", "must be at most 200 characters long"),
    ("kafka: {bootstrap_servers: 9092}", "kafka.bootstrap_servers", "= 9092: must be text; try the same in quotes"),
    ("app: a b", "app", "must be a name that Kafka allows"),
    ("topics: {alerts: 'my alerts!'}", "topics.alerts", "'.', '_' or '-'; try my-alerts"),
    ("topics: {alerts: predictions}", "topics.alerts", "= 'predictions': is already topics.predictions"),
    ("topics: {reports: driftline.partials}", "topics.reports", "is already an internal topic of app driftline"),
    ("kafka: here", "kafka", "= 'here': must be a section with keys of its own"),
    ("models: [a]", "models", ": must be a section with keys of its own"),
    ("constants: {model: 3}", "constants.model", "must be text; try the same in quotes"),
    ("fields: {model: a}\nconstants: {model: b}", "constants.model", "is also in `fields`; try one of the two"),
    # kafka
    ("kafka: {bootstrap_servers: localhost}", "kafka.bootstrap_servers", "must be host:port"),
    ("kafka: {bootstrap_servers: 'localhost:99999'}", "kafka.bootstrap_servers", "must be host:port"),
    ("kafka: {bootstrap_servers: 'http://a:9092'}", "kafka.bootstrap_servers", "must be host:port"),
    ("kafka: {security_protocol: SASL_SSL}", "kafka.sasl_mechanism", "is needed with security_protocol SASL_SSL"),
    ("kafka: {sasl_mechanism: PLAIN}", "kafka.sasl_mechanism", "has no effect with security_protocol PLAINTEXT"),
    ("kafka: {ssl_keyfile: k}", "kafka.ssl_certfile", "is needed beside the other one"),
    # learning
    ("learning: {rows: 199}", "learning.rows", "must be at least 200"),
    ("learning: {span: 90s}", "learning.span", "must be a whole number of panes (1m); try 2m"),
    ("learning: {span: 30s}", "learning.span", "must be a whole number of panes (1m); try 1m"),
    # segments
    ("models: {m: {segments: [a]}}", "models.m.segments", "must be a section with keys of its own"),
    ("models: {m: {segments: {origin: }}}", "models.m.segments.origin", "`values` and `top`; try {values:"),
    ("models: {m: {segments: {origin: {}}}}", "models.m.segments.origin", "needs one of `values` and `top`"),
    ("models: {m: {segments: {origin: {values: [a], top: 3}}}}", "models.m.segments.origin", "needs one of `values`"),
    ("models: {m: {segments: {origin: {values: []}}}}", "models.m.segments.origin.values", "at least one value"),
    ("models: {m: {segments: {origin: {values: EWR}}}}", "models.m.segments.origin.values", "must be a list"),
    ("models: {m: {segments: {origin: {values: [a, 1, a]}}}}", "models.m.segments.origin.values", "holds 'a' twice"),
    ("models: {m: {segments: {origin: {values: [1, '1']}}}}", "models.m.segments.origin.values", "holds '1' twice"),
    ("models: {m: {segments: {origin: {values: [other]}}}}", "models.m.segments.origin.values", "not hold 'other'"),
    ("models: {m: {segments: {origin: {values: ['']}}}}", "models.m.segments.origin.values", "1 to 200 printable"),
    ("models: {m: {segments: {origin: {values: [[a]]}}}}", "models.m.segments.origin.values", "texts or numbers"),
    ("models: {m: {segments: {origin: {top: 0}}}}", "models.m.segments.origin.top", "= 0: must be at least 1"),
    ("models: {m: {segments: {origin: {top: 101}}}}", "models.m.segments.origin.top", "= 101: must be at most 100"),
    ("models: {m: {segments: {'a=b': {top: 1}}}}", "models.m.segments", "the key 'a=b' must have 1 to 200 printable"),
    ("models: {m: {segments: {a: {top: 60}, b: {top: 60}}}}", "models.m.segments",
     "make 122 segments, those of `other` included, more than limits.max_segments (100)"),
    # labels
    ("models: {m: {label_ttl: 7d}}", "models.m.label_ttl", "there is no such key; try labels: {ttl: 30d}"),
    ("label_sample: 0.1", "label_sample", "there is no such key; try labels: {sample: 0.1}"),
    ("revision_window: 7d", "revision_window", "there is no such key; try labels: {revision: 7d}"),
    ("models: {m: {labels: {early: 1m}}}", "models.m.labels.early", "there is no such key; try one of cohort, dedupe"),
    ("labels: {ttl: 0s}", "labels.ttl", "= '0s': must be longer than nothing; try 30d"),
    ("labels: {ttl: 1500ms, early: 1s}", "labels.ttl", "= '1500ms': must be whole seconds; try 2s"),
    ("labels: {early: 100ms}", "labels.early", "= '100ms': must be whole seconds; try 1s"),
    ("models: {m: {labels: {revision: 1.5s}}}", "models.m.labels.revision", "must be whole seconds; try 2s"),
    ("labels: {ttl: 1m}", "labels.early", "earlier (5m) before its prediction than late after it (1m)"),
    ("models: {m: {labels: {ttl: 1m}}}", "models.m.labels.ttl", "try labels.early of at most 1m"),
    ("labels: {sample: 0}", "labels.sample", "= 0: must be greater than 0"),
    ("models: {m: {labels: {sample: 1.5}}}", "models.m.labels.sample", "= 1.5: must be at most 1"),
    ("labels: {max_waiting: 0}", "labels.max_waiting", "must be at least 1"),
    ("labels: {dedupe: perhaps}", "labels.dedupe", "must be true or false"),
    ("labels: {cohort: 90s}", "labels.cohort", "a cohort (90s) must be whole panes (1m); try labels.cohort of 2m"),
    ("labels: {cohort: 0s}", "labels.cohort", "a cohort (0s) must be whole panes (1m); try labels.cohort of 1m"),
    ("labels: {cohort: 1h}", "labels.cohort",
     "= '1h': labels.ttl (30d) is 720 cohorts of 1h, more than 400; try labels.cohort of at least 108m"),
    ("labels: {cohort: 1h, ttl: 10d}\nmodels: {m: {labels: {ttl: 30d}}}", "models.m.labels.ttl",
     "is 720 cohorts of 1h"),
    ("labels: {cohort: 1h, ttl: 10d}\nmodels: {m: {windows: {pane: 7m, length: 21m}}}", "models.m.windows.pane",
     "= '7m': a cohort (1h) must be whole panes (7m); try labels.cohort of 63m"),
    ("windows: {pane: 1500ms, length: 3s}", "windows.pane", "= '1500ms': must be whole seconds, since labels"),
    ("models: {m: {windows: {pane: 2500ms, length: 5s}}}", "models.m.windows.pane", "try 2s, or `labels: off`"),
    ("models: {m: {checks: {auc: {tolerance: 0}}}}", "models.m.checks.auc.tolerance", "must be greater than 0"),
    ("models: {m: {checks: {auc: {tolerance: 1}}}}", "models.m.checks.auc.tolerance", "must be less than 1"),
    ("models: {m: {checks: {brier: {level: 0.5}}}}", "models.m.checks.brier.level", "must be less than 0.5"),
    ("models: {m: {checks: {mae: {min_samples: 0}}}}", "models.m.checks.mae.min_samples", "must be at least 1"),
    ("models: {m: {checks: {mae: {limit: 3}}}}", "models.m.checks.mae.limit", "try one of level, min_samples"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "says"), CASES, ids=[text[:60] for text, _, _ in CASES])
def test_a_refusal_names_key_value_rule_and_fix_in_one_line(tmp_path: Path, text: str, key: str, says: str) -> None:
    error = refuse(tmp_path, text)
    sentence = str(error).removeprefix(f"{tmp_path / 'driftline.yaml'}: ")
    assert error.key == key
    assert sentence.startswith(key)
    assert says in sentence
    assert "; try " in sentence
    assert "\n" not in sentence
    assert not JARGON.search(sentence.removeprefix(key)), sentence


def test_all_refused_keys_are_told_at_once(tmp_path: Path) -> None:
    error = refuse(tmp_path, "web: {port: x}\nwindows: {pane: 1, length: 2}\n")
    assert {error.key, *(other.key for other in error.others)} == {"web.port", "windows.pane", "windows.length"}


def test_all_broken_rules_are_told_at_once(tmp_path: Path) -> None:
    error = refuse(tmp_path, "kafka: {security_protocol: SASL_PLAINTEXT}")
    assert [error.key, *(o.key for o in error.others)] == [
        "kafka.sasl_mechanism",
        "kafka.sasl_username",
        "kafka.sasl_password",
    ]


def test_a_model_is_not_blamed_for_what_all_models_are_told(tmp_path: Path) -> None:
    """Only what it says itself is its mistake."""
    error = refuse(tmp_path, "labels: {cohort: 1h}\nmodels: {m: {labels: {sample: 0.5}}, n: {}}")
    assert [error.key, *(o.key for o in error.others)] == ["labels.cohort"]


def test_a_value_from_the_environment_is_refused_under_the_variable_s_name(tmp_path: Path) -> None:
    error = refuse(tmp_path, "web: {port: 1}", DRIFTLINE_WEB__PORT="x")
    assert str(error).startswith("DRIFTLINE_WEB__PORT: web.port = 'x'")


def test_a_misspelt_variable_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    error = refuse(tmp_path, "", DRIFTLINE_KAKFA__BOOTSTRAP_SERVERS="a:1")
    assert error.key == "kakfa"
    assert error.fix == "kafka"


@pytest.mark.parametrize(
    "text",
    [
        "kafka: {sasl_password: 12345678}",
        "kafka: {sasl_pasword: '12345678'}",
        "kafka: {sasl_password: {nested: 12345678}}",
        "kafka: {sasl_password: '12345678', sasl_password_file: f}",
    ],
)
def test_a_refusal_never_shows_a_secret(tmp_path: Path, text: str) -> None:
    error = refuse(tmp_path, text)
    assert "12345678" not in " ".join([str(error), *map(str, error.others)])


def test_a_long_value_does_not_bury_the_sentence(tmp_path: Path) -> None:
    assert len(str(refuse(tmp_path, f"unknown_models: {'x' * 10_000}"))) < 400


def test_what_is_wrong_for_all_models_is_told_once(tmp_path: Path) -> None:
    refused = refuse(tmp_path, "alerts: {pending: 90s}\nmodels: {a: {}, b: {}, c: {windows: {pane: 2m, length: 1h}}}")
    assert [one.key for one in (refused, *refused.others)] == ["alerts.pending", "alerts.pending"]
    assert "2m long for model c" in str(refused.others[0])
