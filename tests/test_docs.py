"""The documents keep their word: links lead somewhere, examples load, tables are whole."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from stream.cli import COMMANDS
from stream.config import Config, TopicKeys, load_config
from stream.config.check_keys import PsiKeys
from stream.config.keys import ModelKeys
from stream.evaluate.performance_report import performance_key
from stream.evaluate.report import report_key
from stream.records.prediction import ModelKey
from stream.service.metrics import METRICS, markdown_table

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def section(heading: str) -> str:
    """The README's text below a heading."""
    return README.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    targets = [t for t in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in t]
    assert [t for t in targets if not (document.parent / t.split("#")[0]).exists()] == []


def yaml_blocks() -> list[str]:
    """The README's configurations, without the indent of the list that they stand in."""
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```", README, re.M | re.S)
    return [re.sub(f"^{indent}", "", text, flags=re.M) for indent, text in found]


@pytest.mark.parametrize("text", yaml_blocks())
def test_every_configuration_in_the_readme_is_good(text: str, tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(text, encoding="utf-8")
    load_config(path, environment={})


def test_the_example_means_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(yaml_blocks()[0], encoding="utf-8")
    psi = load_config(path, environment={}).model("flight-delay").checks.psi
    assert psi.limits_of("note") is None


def test_every_command_in_the_readme_exists() -> None:
    assert set(re.findall(r"driftline ([a-z][a-z-]+)", README)) <= set(COMMANDS)


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for document in DOCUMENTS:
        named = re.findall(r"(?:`|\$ )make ((?:[a-z]+ ?)+)", document.read_text(encoding="utf-8"))
        assert {target for line in named for target in line.split()} <= targets, document.name


def test_every_topic_is_in_the_table() -> None:
    table = section("Topics")
    topics = list(TopicKeys().model_dump().values())
    assert [t for t in topics if f"`{t}`" not in table] == []


@pytest.mark.parametrize("segment", ["", "SEGMENT"])
def test_every_key_of_a_report_is_in_the_table(segment: str) -> None:
    key = ModelKey("model", "version")
    for one in (report_key(key, segment), performance_key(key, "", segment)):
        assert f"`{one.decode()}`" in section("Topics")


def test_commands_that_are_said_to_be_missing_are() -> None:
    missing = re.findall(r"`([a-z -]+)`", section("Not here yet"))
    assert [name for name in missing if name in COMMANDS] == []
    assert {"replay", "compare", "sample-size", "reports export"} <= set(missing)


def keys_of(section: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections of the configuration that are lists of plain keys, by their path in the file."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation
    yield "models.NAME", ModelKeys
    yield "models.NAME.checks.psi", PsiKeys


@pytest.mark.parametrize(
    ("path", "keys"), list(keys_of(Config)), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_setting_is_in_the_table(path: str, keys: type[BaseModel]) -> None:
    if path == "topics":
        return  # they have a table of their own
    rows = [line for line in section("Settings").splitlines() if f"`{path}." in line]
    missing = [key for key in keys.model_fields if not any(re.search(rf"[`.]{key}[`.]", row) for row in rows)]
    assert missing == []


def test_every_default_in_the_table_is_the_one_in_effect() -> None:
    defaults = Config().model_dump(mode="json")
    for keys, shown in re.findall(r"^\| (`[a-z_.`, ]+) \| (`.*?`) \|", section("Settings"), re.M):
        names, values = re.findall(r"`([^`]+)`", keys), re.findall(r"`([^`]+)`", shown)
        assert len(names) == len(values), keys
        for name, value in zip(names, values, strict=True):
            at: Any = defaults
            for step in name.split("."):
                at = at[step]
            assert (str(at).lower() if isinstance(at, bool) else str(at)) == value, name


def test_the_metrics_table_is_what_the_code_declares() -> None:
    assert markdown_table() in section("Metrics")


def prometheus_rules() -> list[dict[str, Any]]:
    """The alerts on the service itself."""
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", prometheus_rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_of_prometheus_asks_for_metrics_that_there_are_and_is_explained(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"driftline_(\w+)", rule["expr"]))
    assert named
    assert named <= {spec.name for spec in METRICS}
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / document).read_text(encoding="utf-8"), re.M)
    assert anchor in {heading.lower() for heading in headings}
    assert anchor == rule["alert"].lower()


def test_refused_labels_are_told_of_while_they_are_refused() -> None:
    """The fates are gauges that hold totals: of one that never falls an alert would never end."""
    (expr,) = [rule["expr"] for rule in prometheus_rules() if rule["alert"] == "DriftlineLabelsRefused"]
    assert 'delta(driftline_join_predictions{fate="refused"}[15m])' in expr
