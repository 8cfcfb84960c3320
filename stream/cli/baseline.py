"""`driftline baseline create | list | show`: the registry of what counts as normal."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from detectors import Smoothing
from stream.alerts.budget_plan import FEATURES, SCORE
from stream.baselines.baseline import Baseline
from stream.baselines.configured import check_task, unknown_feature_notes
from stream.baselines.create import Binning, PredictionColumns, baseline_of, check_answer, read_columns, span_ms
from stream.baselines.description import describe
from stream.baselines.files import read_tables
from stream.baselines.learning import Windows, learn
from stream.baselines.live import Selection, read_live
from stream.baselines.provenance import provenance, sha256_of_files
from stream.baselines.registry import Registry, read_registry, register
from stream.baselines.roles import Roles, assign_roles, has_segment_column
from stream.baselines.season import Season, SeasonKind, timezone_complaint
from stream.baselines.segment_evidence import with_segment_evidence
from stream.baselines.segment_learning import with_segments
from stream.baselines.segmentation import Segmentation
from stream.baselines.sight import LEAST_EFFECT, Levels, sights
from stream.cli import config_option, json_option
from stream.cli.options import duration, durations
from stream.config import Config, ModelConfig
from stream.config.durations import format_duration
from stream.config.keys import WindowKeys
from stream.config.season_keys import SEASONS
from stream.durable.log import Log
from stream.errors import InputError
from stream.evaluate.settings import ModelSettings, model_settings
from stream.ingest.countable import Countable
from stream.records.prediction import Answer, ModelKey
from stream.records.settings import outcome_settings, segment_settings
from stream.records.source import Source
from stream.service.topology import ingest_settings

DEFAULT_LAST: Final = 100_000
NO_SEGMENT: Final = "what is normal in the segments of {key} is not known and their drift gets no verdict"
_Found = TypeVar("_Found")


@click.group(name="baseline")
def command() -> None:
    """Create, list and show baselines: the distributions that count as normal.

    `--version` is the model's version, as its messages say it.
    """


def names(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """`a,b,c` as ("a", "b", "c")."""
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())


FEATURES_HELP: Final = "The features. Default: all the other columns, but not model, version, latency and status."
SCORES_HELP: Final = "Of a multiclass model: the columns of P(class), named score_CLASS, scores.CLASS or CLASS."

ROLE_OPTIONS: Final = (
    click.option("--score", metavar="COL", help="The model's score in [0, 1]. By name: score."),
    click.option("--value", metavar="COL", help="A regression's estimate, instead of a score."),
    click.option("--scores", metavar="A,B,C", callback=names, help=SCORES_HELP),
    click.option("--features", metavar="A,B,C", callback=names, help=FEATURES_HELP),
    click.option("--time", metavar="COL", help="Event time. By name: ts, timestamp, time. UTC without a zone."),
    click.option("--label", metavar="COL", help="The truth of each answer; it is no feature. By name: label."),
    click.option("--id", "id_", metavar="COL", help="The prediction's id; no feature. By name: prediction_id."),
    click.option("--ignore", metavar="A,B", callback=names, help="Columns to leave out."),
    click.option("--categorical", metavar="A,B", callback=names, help="Features to count by their text."),
)


def role_options(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a file's columns are."""
    for option in reversed(ROLE_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def roles_of(options: dict[str, Any]) -> Roles:
    """The roles in a command's arguments."""
    return Roles(
        score=options["score"],
        value=options["value"],
        scores=options["scores"],
        features=options["features"],
        time=options["time"],
        label=options["label"],
        id=options["id_"],
        ignore=options["ignore"] or (),
        categorical=options["categorical"] or (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What `create` was asked for."""

    key: ModelKey
    files: tuple[Path, ...]
    last: int
    roles: Roles
    windows: Windows
    season: Season | None
    segments: tuple[str, ...] | None  # keys; None: those of the configuration that the rows have


@command.command(name="create")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Its name, as in the messages' `model`.")
@click.option("--version", required=True, help="The model's version, as in the messages' `version`.")
@click.option("--from-topic", is_flag=True, help="Use the newest predictions in the topic instead of files.")
@click.option("--last", metavar="N", type=click.IntRange(min=1), help=f"With --from-topic. Default: {DEFAULT_LAST}.")
@role_options
@click.option(
    "--threshold",
    metavar="SCORE",
    type=click.FloatRange(0, 1, min_open=True),
    help='From which score on the model says "positive". Default: as the baseline in force has it, or 0.5.',
)
@click.option(
    "--window",
    "lengths_ms",
    metavar="1h",
    multiple=True,
    callback=durations,
    help="Learn from the times how much windows of this length differ; may be repeated. Default: the configuration's.",
)
@click.option("--pane", "pane_ms", metavar="1m", callback=duration, help="How far windows move on. Likewise.")
@click.option(
    "--season",
    type=click.Choice(SEASONS),
    help="Compare windows with the same hours. Default: the configuration's, or none.",
)
@click.option("--timezone", metavar="ZONE", help="By whose clock, Europe/Berlin. Default: the configuration's, or UTC.")
@click.option(
    "--segments",
    metavar="A,B",
    callback=names,
    help="Keep the rows apart by these keys, too: columns KEY or segment.KEY. Default: the configuration's.",
)
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write the entry to a file as well.")
@click.option("--dry-run", is_flag=True, help="Make it and show it, but register nothing.")
@config_option
@json_option
def create(**options: Any) -> None:
    """Cut a baseline from CSV or Parquet FILEs, or from live predictions, and register it.

    Running workers pick it up by themselves.
    """
    config: Config = options["config"]
    wanted = _wanted(options, config)
    before = None if options["dry_run"] else _read(config).in_force(wanted.key)
    # So that performance goes on across the two; a learned one was cut from too few rows to decide for good.
    inherited = Binning() if before is None or before.is_learned else Binning(grid=before.grid, classes=before.by_class)
    binning = replace(inherited, threshold=options["threshold"])
    baseline, notes = _make(config, wanted, binning, live=options["from_topic"])
    for note in notes:
        click.echo(f"driftline: {note}", err=True)
    if not options["dry_run"]:
        baseline = _with_log(config, lambda log: register(log, _registry_source(config), baseline))
    if options["output"] is not None:
        _write(options["output"], baseline)
    _show(baseline, config, as_json=options["as_json"])


@command.command(name="list")
@config_option
@json_option
def list_(config: Config, as_json: bool) -> None:
    """List all baselines; `*` marks the ones in force."""
    registry = _read(config)
    if as_json:
        click.echo(json.dumps({"baselines": [_summary(registry, b) for b in registry.baselines()]}, indent=2))
        return
    rows = [("", "baseline", "rows", "series", "created")]
    for b in registry.baselines():
        mark = "*" if registry.in_force(b.key) is b else ""
        rows.append((mark, b.id, str(b.rows), str(len(b.series)), b.provenance.created_at))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for broken in registry.broken:
        click.echo(f"driftline: offset {broken.offset} of the registry is passed over: {broken.reason}", err=True)


@command.command(name="show")
@click.argument("baseline_id", metavar="MODEL@VERSION[#NUMBER]")
@config_option
@json_option
def show(baseline_id: str, config: Config, as_json: bool) -> None:
    """Show one baseline; without a number the one in force."""
    baseline = find(_read(config), baseline_id)
    _show(baseline, config, as_json=as_json)


def _show(baseline: Baseline, config: Config, *, as_json: bool) -> None:
    seen = sights(baseline, levels_of(baseline, config))
    if not as_json:
        click.echo(describe(baseline, seen))
        return
    entry = json.loads(baseline.to_bytes())
    if seen:
        entry["in_words"] = [msgspec.to_builtins(one) for one in seen]
    click.echo(json.dumps(entry, indent=2, ensure_ascii=False))


def levels_of(baseline: Baseline, config: Config) -> Levels:
    """What the model's budget gives each of its tests, segments included; as if the rule were `budget` where not."""
    of_model = config.model(baseline.model)
    settings, parts = _shared_by(of_model, config, baseline)
    features = len(baseline.series) - baseline.answers
    tests = {**settings.tests(baseline, parts)}
    tests |= {
        FEATURES: tests[FEATURES] or parts * features or 1,
        SCORE: tests[SCORE] or parts * baseline.answers or 1,
    }
    found = settings.budget.levels(tests, of_model.windows.pane)
    told = settings.psi.default.least
    return Levels(feature=found[FEATURES], answer=found[SCORE], effect=LEAST_EFFECT if told is None else told)


def find(registry: Registry, baseline_id: str) -> Baseline:
    """The baseline with this id, or the one in force of a model version.

    Raises:
        InputError: there is none.
    """
    in_force = (b for key in registry.keys() if (b := registry.in_force(key)))  # noqa: SIM118  # not a dict
    found = registry.get(baseline_id) or next((b for b in in_force if str(b.key) == baseline_id), None)
    if found is None:
        known = ", ".join(b.id for b in registry.baselines()[:20]) or "none"
        raise InputError(f"there is no baseline {baseline_id!r}; registered are: {known}")
    return found


def _wanted(options: dict[str, Any], config: Config) -> Wanted:
    if options["from_topic"] and options["files"]:
        raise InputError("a baseline comes from FILEs or --from-topic, not from both; leave one out")
    if not options["from_topic"] and not options["files"]:
        raise InputError("give one or more FILEs (CSV, CSV.gz, Parquet), or --from-topic")
    if options["last"] is not None and not options["from_topic"]:
        raise InputError("--last goes with --from-topic; leave it out to use all rows of the files")
    key = ModelKey(options["model"], options["version"])
    for name, value in zip(("--model", "--version"), key, strict=True):
        if not value or not value.isprintable():
            raise InputError(f"{name} must be printable text, got {value!r}")
    return Wanted(
        key=key,
        files=options["files"],
        last=options["last"] or DEFAULT_LAST,
        roles=replace(roles_of(options), task=config.model(key.model).task),
        segments=options["segments"],
        windows=_windows(config.model(key.model).windows, options["lengths_ms"], options["pane_ms"]),
        season=_season(config.model(key.model), options["season"], options["timezone"]),
    )


def _season(configured: ModelConfig, kind: str | None, timezone: str | None) -> Season | None:
    kind = kind or configured.season or "none"
    timezone = timezone or configured.timezone
    if wrong := timezone_complaint(timezone):
        raise InputError(f"--timezone: {wrong}")
    return None if kind == "none" else Season(SeasonKind(kind), timezone)


def _windows(configured: WindowKeys, lengths_ms: tuple[int, ...], pane_ms: int | None) -> Windows:
    windows = Windows(lengths_ms or (configured.length,), pane_ms or configured.pane)
    for length_ms in windows.lengths_ms:
        if length_ms % windows.pane_ms:
            raise InputError(
                f"--window {format_duration(length_ms)} must be a whole number of panes of "
                f"{format_duration(windows.pane_ms)}; give another --window or --pane"
            )
    return windows


def _make(config: Config, wanted: Wanted, binning: Binning, *, live: bool) -> tuple[Baseline, tuple[str, ...]]:
    model = config.model(wanted.key.model)
    configured = tuple(model.segments)
    columns, made = _live(config, wanted, configured) if live else _from_files(wanted, configured)
    check_answer(columns)
    baseline = with_segments(baseline_of(columns, wanted.key, made, binning), columns)
    check_task(model, baseline, live=live)
    whole = learn(baseline, columns, wanted.windows, wanted.season)
    learned = with_segment_evidence(whole.baseline, columns, wanted.windows)
    unknown = tuple(key for key in wanted.segments or configured if baseline.by_segment(key) is None)
    notes = tuple(f"the rows have no column {key!r}, so {NO_SEGMENT.format(key=key)}" for key in unknown)
    notes += unknown_feature_notes(model, baseline) + columns.notes
    notes += _notes_on_labels(columns, learned.baseline, binning) + whole.notes + learned.notes
    return learned.baseline, notes + _notes_on_budget(config, learned.baseline)


def _shared_by(of_model: ModelConfig, config: Config, baseline: Baseline) -> tuple[ModelSettings, int]:
    """How the model is judged, and by how many parts its budget is shared: the whole traffic and each segment."""
    segmentation = Segmentation.of(baseline, segment_settings(of_model))
    return model_settings(of_model, Smoothing.parse(config.smoothing)), 1 + len(segmentation.names)


def _notes_on_budget(config: Config, baseline: Baseline) -> tuple[str, ...]:
    of_model = config.model(baseline.model)
    if of_model.budget_key is None:
        return ()
    settings, parts = _shared_by(of_model, config, baseline)
    complaint = settings.budget_complaint(baseline, of_model.windows.pane, parts)
    return () if complaint is None else (f"{of_model.budget_key}: {complaint}",)


def _notes_on_labels(columns: PredictionColumns, baseline: Baseline, binning: Binning) -> tuple[str, ...]:
    notes: list[str] = []
    if binning.grid is not None and baseline.grid is not None and baseline.grid != binning.grid:
        notes.append(
            f"the threshold was {binning.grid.threshold:g} and is {baseline.grid.threshold:g} now: scores are cut "
            "anew, and performance is counted anew"
        )
    in_classes = any(one.positives is not None for one in baseline.by_class)
    if columns.labels is not None and not (baseline.labelled or baseline.labelled_values or in_classes):
        notes.append("no row has a label and an answer, so nothing is known of how good the model was")
    return tuple(notes)


def _from_files(wanted: Wanted, configured: tuple[str, ...]) -> tuple[PredictionColumns, Any]:
    table = read_tables(wanted.files)
    segments = wanted.segments or tuple(key for key in configured if has_segment_column(table, key))
    columns = read_columns(table, assign_roles(table, replace(wanted.roles, segments=segments)))
    made = provenance(
        rows=columns.rows,
        files=[str(f) for f in wanted.files],
        data_sha256=sha256_of_files(wanted.files),
        span_ms=span_ms(columns),
    )
    return columns, made


def _live(config: Config, wanted: Wanted, configured: tuple[str, ...]) -> tuple[PredictionColumns, Any]:
    model = config.model(wanted.key.model)
    if wanted.roles != Roles(task=model.task):
        raise InputError("messages say what their fields are; leave --score, --features and the like out")
    if model.task == "multiclass":
        raise InputError(
            f"models.{model.name}.task = 'multiclass': `scores` are not read from a topic; make the baseline from a "
            "FILE with --scores A,B,C"
        )
    answer = Answer.VALUE if model.task == "regression" else Answer.SCORE
    ids = outcome_settings(model) is not None
    countable = Countable(wanted.key, ingest_settings(config), answer=answer, ids=ids)
    selection = Selection(key=wanted.key, last=wanted.last, segments=wanted.segments or configured, answer=answer)

    async def read(log: Any) -> tuple[PredictionColumns, Any]:
        return await read_live(log, await log.sources(config.topics.predictions), selection, countable.read)

    return _with_log(config, read)


def _read(config: Config) -> Registry:
    return _with_log(config, lambda log: read_registry(log, _registry_source(config)))


def _registry_source(config: Config) -> Source:
    return Source(config.topics.baselines, 0)


def _with_log(config: Config, act: Callable[[Log], Awaitable[_Found]]) -> _Found:
    """Connect, see that the registry's topic is there, act, close."""
    from stream.service.kafka_log import KafkaLog  # only here: `--help` and --dry-run need no Kafka client

    async def run() -> _Found:
        async with KafkaLog.connect(config.kafka) as log:
            await log.sources(config.topics.baselines)
            return await act(log)

    return asyncio.run(run())


def _write(path: Path, baseline: Baseline) -> None:
    try:
        path.write_bytes(msgspec.json.format(baseline.to_bytes()))
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}; give another --output") from problem


def _summary(registry: Registry, baseline: Baseline) -> dict[str, Any]:
    return {
        "id": baseline.id,
        "model": baseline.model,
        "version": baseline.version,
        "number": baseline.number,
        "learned": baseline.is_learned,
        "in_force": registry.in_force(baseline.key) is baseline,
        "rows": baseline.rows,
        "series": [s.name for s in baseline.series],
        "created_at": baseline.provenance.created_at,
    }
