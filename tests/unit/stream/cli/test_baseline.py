"""`driftline baseline create`: what it refuses before it asks any broker, and `--dry-run`."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from detectors import Smoothing
from stream.alerts.budget_plan import FEATURES, SCORE
from stream.baselines.baseline import Baseline, NumericSeries
from stream.baselines.definition import Definition
from stream.baselines.registry import read_registry
from stream.cli import main
from stream.cli.baseline import levels_of
from stream.config import Config
from stream.evaluate.settings import model_settings
from stream.evaluate.yardstick import yardstick_of
from stream.records.settings import CountingSettings, segment_settings
from stream.records.source import Source
from tests.small_model import baseline
from tests.unit.stream.baselines.memory_log import MemoryLog


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.csv"
    path.write_text(
        "x,c,score,day,ts\n1,a,0.5,2024-01-01,2024-01-01T00:00:00Z\n2,b,0.7,2024-01-02,2024-01-02T00:00:00Z\n"
    )
    return str(path)


def test_a_dry_run_needs_no_broker_and_shows_what_it_found(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file]) == 0
    captured = capsys.readouterr()
    assert "m@1 (not registered)" in captured.out
    assert "column 'day' holds date32[day] and is left out" in captured.err


def test_a_dry_run_prints_the_entry_as_json_and_writes_it(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = tmp_path / "entry.json"
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file, "--json"]
    assert main([*command, "--output", str(entry), "--features", "c,x"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(entry.read_text())
    assert [s["name"] for s in printed["series"]] == ["x", "c", "score"]
    assert printed["provenance"]["from_ms"] == 1_704_067_200_000


def test_a_model_of_several_classes_is_made_from_a_column_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "classes.csv"
    path.write_text("hour,score_cat,score_dog,label\n1,0.9,0.1,cat\n2,0.2,0.8,dog\n3,0.6,0.4,dog\n")
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", str(path)]
    assert main([*command, "--scores", "score_cat,score_dog"]) == 0
    printed = capsys.readouterr()
    assert "classes   cat, dog\nlabels    3, log-loss 0." in printed.out
    assert "accuracy 0.6667" in printed.out
    assert "scores.dog  numeric, 0.1 to 0.8" in printed.out
    assert printed.err.startswith("driftline: the rows have no times, so how much healthy windows differ is not known")
    assert printed.err.count("\n") == 1


def test_what_healthy_windows_look_like_is_learned_from_the_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, config = tmp_path / "hours.csv", tmp_path / "driftline.yaml"
    rows = [f"{i % 7},2024-01-{1 + i // 720:02}T{i // 30 % 24:02}:{2 * (i % 30):02}:00Z" for i in range(1_440)]
    path.write_text("\n".join(["x,at", *rows]))
    config.write_text("models: {m: {windows: {pane: 5m, length: 30m}}}")
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", "--json", str(path), "--time", "at"]

    assert main([*command, "--window", "1h"]) == 0
    [said] = json.loads(capsys.readouterr().out)["in_words"]
    assert (said["window_ms"], said["rows"], [one["name"] for one in said["series"]]) == (3_600_000, 30, ["x"])
    assert main([*(word for word in command if word != "--json")]) == 0
    shown = capsys.readouterr().out
    assert "windows of 1 h have 30 rows, 30 at least; known from 48 windows\n  x  " in shown
    assert "never missing, seen from" in shown.splitlines()[-1]

    def learned(*options: str) -> list[tuple[int, int, int]]:
        assert main([*command, *options]) == 0
        made = Baseline.from_bytes(capsys.readouterr().out.encode())
        return [(one.window_ms, one.pane_ms, one.blocks) for one in made.evidence]

    assert learned() == [(3_600_000, 300_000, 48)]
    assert learned("-c", str(config)) == [(1_800_000, 300_000, 96)]
    assert learned("--window", "1h", "--window", "4h", "--pane", "1h", "--window", "60m") == [
        (3_600_000, 3_600_000, 48),
        (14_400_000, 3_600_000, 12),
    ]


def test_the_season_is_the_commands_or_the_configurations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, config = tmp_path / "days.csv", tmp_path / "driftline.yaml"
    rows = [f"{i % 7},{1_704_067_200_000 + i * 360_000}" for i in range(240 * 8)]
    path.write_text("\n".join(["x,ts", *rows]))
    config.write_text("models: {m: {season: hour-of-day, timezone: Europe/Berlin}}")

    def made(*options: str) -> tuple[str, str] | None:
        command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", "--json", str(path)]
        assert main([*command, *options]) == 0
        season = Baseline.from_bytes(capsys.readouterr().out.encode()).season
        return None if season is None else (str(season.kind), season.timezone)

    assert made() is None
    assert made("--season", "hour-of-day") == ("hour-of-day", "UTC")
    assert made("--season", "hour-of-week") is None  # eight days are too few
    assert made("-c", str(config)) == ("hour-of-day", "Europe/Berlin")
    assert made("-c", str(config), "--season", "none") is None
    assert made("-c", str(config), "--timezone", "Asia/Tokyo") == ("hour-of-day", "Asia/Tokyo")


def test_rows_are_kept_apart_by_the_keys_asked_for_or_configured(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file]
    assert main([*command, "--segments", "c"]) == 0
    assert "segments  c: a 1 rows, b 1" in capsys.readouterr().out
    config = tmp_path / "driftline.yaml"
    config.write_text("models: {m: {segments: {c: {top: 1}, plan: {top: 1}}}}")
    assert main([*command, "-c", str(config)]) == 0
    captured = capsys.readouterr()
    assert "segments  c: a 1 rows, b 1" in captured.out
    assert "the rows have no column 'plan', so what is normal in the segments of plan is not known" in captured.err


@pytest.mark.parametrize(("options", "message"), [
    ([], "give one or more FILEs"),
    (["FILE", "--from-topic"], "not from both"),
    (["FILE", "--last", "5"], "--last goes with --from-topic"),
    (["--from-topic", "--score", "x"], "messages say what their fields are"),
    (["--from-topic", "--last", "0"], "--last"),
    (["none.csv"], "none.csv cannot be read: No such file"),
    (["FILE", "--segments", "y"], "there is no column 'y'; the columns are x, c, score, day, ts"),
    (["FILE", "--score", "y"], "there is no column 'y'; the columns are x, c, score, day, ts"),
    (["FILE", "--scores", "score"], "2 to 32 classes, --scores names 1 columns"),
    (["FILE", "--scores", "score,x"], "column 'x', row 1: a score must be in [0, 1], got 2"),
    (["FILE", "--scores", "score,c"], "column 'c' shall be the score of a class but holds string"),
    (["FILE", "--score", "ts"], "shall be the score but holds timestamp"),
    (["FILE", "--output", "/no/such/folder/entry.json"], "cannot be written"),
    (["FILE", "--model", ""], "--model must be printable text, got ''"),
    (["FILE", "--window", "90s"], "--window 90s must be a whole number of panes of 1m; give another --window or"),
    (["FILE", "--window", "1"], "'1' must be a number with its unit"),
    (["FILE", "--pane", "0s"], "'0s' must be longer than 0"),
    (["FILE", "--season", "weekly"], "'weekly' is not one of 'none', 'hour-of-day', 'hour-of-week'"),
    (["FILE", "--season", "hour-of-day", "--timezone", "Berlin"], "--timezone: 'Berlin' is no time zone"),
])  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_2(
    file: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [file if option == "FILE" else option for option in options]
    assert main(["baseline", "create", "--model", "m", "--version", "1", "--dry-run", *arguments]) == 2
    assert message in capsys.readouterr().err


REGRESSION_CSV = "ts,value,x,label\n2024-01-01T00:00:00Z,10.5,1,11\n2024-01-02T00:00:00Z,7.25,2,7\n"


def made_of(
    tmp_path: Path, text: str, model: str, *options: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit code, output and complaints of a dry run on a file of this text, with this model's configuration."""
    path, config = tmp_path / "rows.csv", tmp_path / "driftline.yaml"
    path.write_text(text)
    config.write_text(f"models: {{m: {model}}}")
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", "-c", str(config), *options]
    code = main([*command, str(path)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_regression_is_set_up_by_its_task_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = made_of(tmp_path, REGRESSION_CSV, "{task: regression}", "--json", capsys=capsys)
    made = Baseline.from_bytes(out.encode())
    assert (code, made.task, made.answer) == (0, "regression", "value")
    assert [s.name for s in made.series] == ["x", "value"]
    assert made.labelled_values is not None
    assert made.labelled_values.n == 2


@pytest.mark.parametrize(("task", "text", "options", "message"), [
    ("regression", "x,estimate\n1,2\n", [],
     "models.m.task = 'regression': the rows have no answer; name the answer with --value COL"),
    ("regression", "x,score\n1,0.5\n", [],
     "models.m.task = 'regression': the rows have `score`, the answer of a binary model; name the answer with --value"),
    ("binary", REGRESSION_CSV, ["--value", "value"],
     "models.m.task = 'binary': the rows have `value`, the answer of a regression model; name the answer with --score"),
    ("multiclass", "x,score\n1,0.5\n", [], "--scores A,B,C"),
    ("multiclass", "x,score\n1,0.5\n", ["--value", "x"], "name the answer with --scores A,B,C"),
])  # fmt: skip
def test_rows_of_another_task_than_the_configured_one_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, text: str, options: list[str], message: str
) -> None:
    code, _, err = made_of(tmp_path, text, f"{{task: {task}}}", *options, capsys=capsys)
    assert code == 2
    assert message in err


def test_configured_features_that_the_rows_have_not_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = "{checks: {psi: {features: {typo: {critical: 0.9}, x: off, score: off}}, quality: {features: {y: off}}}}"
    code, _, err = made_of(tmp_path, "x,score\n1,0.5\n", checks, capsys=capsys)
    assert code == 0
    assert "models.m.checks.psi.features names 'typo', which the baseline has no series of" in err
    assert "models.m.checks.quality.features names 'y', which the baseline has no series of" in err


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    """A registry in memory, in place of Kafka's."""
    log = MemoryLog()
    monkeypatch.setattr("stream.cli.baseline._with_log", lambda _config, act: asyncio.run(act(log)))
    return log


def create(tmp_path: Path, scores: list[float], *options: str, labels: list[int] | None = None) -> int:
    path = tmp_path / "scores.csv"
    said = ["" for _ in scores] if labels is None else [str(label) for label in labels]
    rows = zip(scores, said, strict=True)
    path.write_text("score,y\n" + "".join(f"{score},{label}\n" for score, label in rows))
    return main(["baseline", "create", "--model", "m", "--version", "1", "--label", "y", *options, str(path)])


def registered(log: MemoryLog, number: int) -> Baseline:
    found = asyncio.run(read_registry(log, Source("baselines", 0))).get(f"m@1#{number}")
    assert found is not None
    return found


def test_the_next_baseline_of_a_model_version_inherits_the_score_grid(
    registry: MemoryLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its labels are counted in it; so a window of performance may lie across the promotion."""
    assert create(tmp_path, [0.1, 0.2, 0.9], "--threshold", "0.4", labels=[0, 0, 1]) == 0
    assert create(tmp_path, [0.3, 0.5, 0.7, 0.8], labels=[0, 1, 0, 1]) == 0
    first, second = registered(registry, 1), registered(registry, 2)
    assert first.grid == second.grid
    assert second.grid is not None
    assert second.grid.threshold == 0.4
    assert second.labelled is not None
    assert sum(second.labelled.positives) == 2
    assert "performance is counted anew" not in capsys.readouterr().err


def test_another_threshold_cuts_another_grid_and_says_so(
    registry: MemoryLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(tmp_path, [0.1, 0.2, 0.9], labels=[0, 0, 1]) == 0
    assert create(tmp_path, [0.1, 0.2, 0.9], "--threshold", "0.7", labels=[0, 0, 1]) == 0
    assert registered(registry, 1).grid != registered(registry, 2).grid
    assert "the threshold was 0.5 and is 0.7 now: scores are cut anew" in capsys.readouterr().err


def test_labels_that_are_all_empty_are_said_to_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run asks no broker: there is no registry here."""
    assert create(tmp_path, [0.1, 0.2], "--dry-run") == 0
    assert "no row has a label and an answer" in capsys.readouterr().err


def test_what_is_no_label_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(tmp_path, [0.1, 0.2], "--dry-run", labels=[0, 7]) == 2
    assert "label column 'y', row 1: a label must be 0, 1, false or true" in capsys.readouterr().err


def test_a_budget_that_the_tests_of_the_baseline_cannot_meet_is_said(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "driftline.yaml"
    command = ["baseline", "create", "--model", "m", "--version", "1", "--dry-run", file, "-c", str(config)]
    for budget, said in (("0.0000001 per 30d", True), ("1 per 30d", False)):
        config.write_text(f"false_alarms: {budget}\n", encoding="utf-8")
        assert main(command) == 0
        told = f"driftline: false_alarms.budget: for features, {budget} is a chance of "
        assert (told in capsys.readouterr().err) is said


@pytest.mark.parametrize(
    "of_model",
    [{}, {"segments": {"plan": {"values": ["free", "pro"]}, "c": {"top": 1}}}, {"windows": {"pane": "2m"}}],
)
def test_a_baseline_is_shown_at_the_level_of_the_service(of_model: dict[str, Any]) -> None:
    """The budget is shared by the whole traffic and every segment."""
    model = Config.model_validate({"models": {"m": of_model}}).model("m")
    counting = CountingSettings(
        pane_ms=model.windows.pane, allowed_lateness_ms=0, max_clock_skew_ms=0, segments=segment_settings(model)
    )
    definition = Definition(baseline(), counting)
    settings = model_settings(model, Smoothing.parse("half"))
    service = yardstick_of(definition, settings, model.windows.length).levels

    shown = levels_of(definition.baseline, Config.model_validate({"models": {definition.key.model: of_model}}))
    assert (shown.feature, shown.answer) == (service[FEATURES], service[SCORE])


def test_segments_share_the_budget_where_the_rule_asks_for_none_of_it_too() -> None:
    plain: dict[str, Any] = {"rule": "threshold", "models": {"fraud": {}}}
    parted = {"rule": "threshold", "models": {baseline().model: {"segments": {"plan": {"values": ["free", "pro"]}}}}}
    whole, shared = (levels_of(baseline(), Config.model_validate(one)) for one in (plain, parted))
    assert shared.feature == pytest.approx(whole.feature / 4, rel=0.01)  # the whole, free, pro and other


PREDICTIONS = Source("predictions", 0)
NOW_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z


def from_topic(log: MemoryLog, *predictions: dict[str, Any], options: Sequence[str] = ()) -> int:
    for one in predictions:
        log.put(PREDICTIONS, json.dumps({"model": "m", "version": "1"} | one).encode(), timestamp_ms=NOW_MS)
    return main(["baseline", "create", "--model", "m", "--version", "1", "--from-topic", *options])


def test_messages_that_counting_refuses_are_left_out_of_a_topics_baseline_and_said(
    registry: MemoryLog, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [{"ts": NOW_MS - i, "score": i / 10, "features": {"x": i}} for i in range(10)]
    bad = [
        {"ts": NOW_MS, "score": "0.5", "features": {"x": 100}},
        {"ts": "2099-01-01T00:00:00Z", "score": 0.5, "features": {"x": 101}},
        {"ts": NOW_MS, "score": True, "features": {"x": 102}},
        {"ts": NOW_MS, "score": 0.5, "features": [1]},
        {"ts": NOW_MS},
    ]
    assert from_topic(registry, *bad, *good) == 0
    made = registered(registry, 1)
    assert (made.rows, made.provenance.to_ms, [s.maximum for s in numeric(made)]) == (10, NOW_MS, [9, 0.9])
    said = "5 messages are left out, since counting refuses them: 1 future, 1 missing_answer, 3 wrong_type; docs"
    assert said in capsys.readouterr().err


def numeric(baseline: Baseline) -> list[NumericSeries]:
    return [series for series in baseline.series if isinstance(series, NumericSeries)]


@pytest.mark.parametrize(("model", "answer", "refusal"), [
    ("{task: regression}", "value", ""),
    ("{task: regression}", "score", "the rows have `score`, the answer of a binary model; send `value`"),
    ("{task: binary}", "value", "the rows have `value`, the answer of a regression model; send `score`"),
    ("{task: multiclass}", "score", "`scores` are not read from a topic; make the baseline from a FILE with --scores"),
    ("{}", "score", ""),
])  # fmt: skip
def test_messages_of_another_task_are_refused(
    registry: MemoryLog, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, answer: str, refusal: str
) -> None:
    config = tmp_path / "driftline.yaml"
    config.write_text(f"models: {{m: {model}}}")
    code = from_topic(registry, {answer: 0.5, "features": {"x": 1}}, options=["-c", str(config)])
    assert code == (2 if refusal else 0)
    assert refusal in capsys.readouterr().err


def test_ids_are_read_only_where_labels_are_joined(registry: MemoryLog, tmp_path: Path) -> None:
    config = tmp_path / "driftline.yaml"
    config.write_text("models: {m: {labels: off}}")
    assert from_topic(registry, {"score": 0.5, "features": {"x": 1}}, {"score": 0.5, "prediction_id": 1.5}) == 0
    assert from_topic(registry, options=["-c", str(config)]) == 0
    assert [registered(registry, number).rows for number in (1, 2)] == [1, 2]
