"""`driftline backtest`: the checks over a file, without Kafka."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from detectors import Smoothing
from stream.alerts.rules import THRESHOLD, LatencyRule, latency_rule_of, performance_rules_of, rules_of
from stream.backtest.inputs import BacktestInput, LatencyColumn, read_input
from stream.backtest.page import page
from stream.backtest.remarks import label_remarks
from stream.backtest.result import BacktestResult
from stream.backtest.text import text
from stream.backtest.windows import Hop, judge_windows
from stream.baselines.create import Binning
from stream.baselines.roles import Roles
from stream.cli import EXIT_DRIFT, EXIT_FINE, json_option
from stream.cli.baseline import names
from stream.config import CheckKeys, Config, load_config
from stream.config.durations import format_duration, parse_duration_ms
from stream.config.key_types import LONGEST_LATENCY_MS
from stream.errors import InputError
from stream.evaluate.settings import ModelSettings

LATER: Final = {
    "scores": "a backtest judges one class at a time; name it with --score, and a --label of 0 and 1",
    "false_alarms": "the false-alarm budget comes in a later version; leave it out",
    "incidents": "scoring against incidents comes in a later version; leave it out",
}

THRESHOLD_HELP: Final = "From which score on the model says positive; for precision and recall. Default: 0.5."


def _duration(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return parse_duration_ms(value)
    except ValueError as problem:
        raise click.BadParameter(f"{value!r} {problem}", context, option) from problem


def _later(_context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise InputError(f"{option.opts[0]}: {LATER[option.name or '']}")


def _path(*flags: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(*flags, metavar="FILE", type=click.Path(path_type=Path), help=text)


@click.command(name="backtest")
@click.argument("file", type=click.Path(path_type=Path))
@_path("--baseline", "baseline_path", text="The rows that count as normal: CSV, CSV.gz or Parquet.")
@click.option(
    "--chunk-rows",
    metavar="N",
    type=click.IntRange(min=1),
    help="Windows of N rows in the file's order; a shorter rest never alerts.",
)
@click.option("--window", "window_ms", metavar="24h", callback=_duration, help="Windows by event time.")
@click.option("--pane", "pane_ms", metavar="1h", callback=_duration, help="How far windows move on. Default: a window.")
@click.option("--score", metavar="COL", help="The model's score. By name: score.")
@click.option("--value", metavar="COL", help="A regression's estimate, instead of a score.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), metavar="X", help=THRESHOLD_HELP)
@click.option("--label", metavar="COL", help="The truth, of --score: 0, 1, false, true; empty: not known yet.")
@click.option("--label-time", metavar="COL", help="When it became known. Default: at the row's own time.")
@click.option("--latency", metavar="COL", help="How long the answer took, in ms; needs an SLA.")
@click.option("--sla", "sla_ms", metavar="250ms", callback=_duration, help="Of latency. Default: the configuration's.")
@click.option("--features", metavar="A,B,C", callback=names, help="The features. Default: all the other columns.")
@click.option("--time", metavar="COL", help="Event time. By name: ts, timestamp, time. UTC without a zone.")
@click.option("--ignore", metavar="A,B", callback=names, help="Columns to leave out.")
@click.option("--categorical", metavar="A,B", callback=names, help="Features to count by their text.")
@click.option("--bins", default="quantile:10", show_default=True, metavar="quantile:N", help="How the baseline is cut.")
@click.option("--smoothing", metavar="half|epsilon:X", help="Of empty bins. Default: the configuration's, or half.")
@click.option("--rule", type=click.Choice(["threshold", "budget"]), default="threshold", show_default=True)
@_path("-c", "--config", text="Limits and windows (YAML).")
@click.option("--model", metavar="NAME", help="Whose limits in the configuration. Default: the only one listed.")
@_path("--html", "html_path", text="Also write a page with pictures over the windows.")
@click.option("--scores", hidden=True, callback=_later, expose_value=False)
@click.option("--false-alarms", hidden=True, callback=_later, expose_value=False)
@click.option("--incidents", hidden=True, callback=_later, expose_value=False)
@json_option
def command(**options: Any) -> int:
    """Judge the rows of FILE window by window against those of a baseline file.

    Exit code 1 if any window alerts, 0 if none does, 2 if the two files or the options do not fit.
    """
    if options["rule"] == "budget":
        raise InputError("--rule budget: the false-alarm budget comes in a later version; use --rule threshold")
    if options["baseline_path"] is None:
        raise InputError("--baseline FILE is needed: the rows that count as normal")
    config = load_config(options["config"])
    model = _model(config, options["model"])
    hop = _hop(options, config, model)
    settings = _settings(config, model, hop, options["smoothing"])
    latency = _latency(config.model(model).checks, options["latency"], options["sla_ms"])
    if latency is not None:
        settings = replace(settings, latency=_latency_rule(settings.latency))
    binning = _binning(options["bins"], options["threshold"])
    roles, label_time = _roles(options), options["label_time"]
    given = read_input(options["baseline_path"], options["file"], roles, binning, label_time, latency)
    result = BacktestResult.of(given.baseline, list(judge_windows(given, hop, settings)))
    _remark(given, hop, result, settings)
    regression = given.baseline.task == "regression"
    if options["html_path"] is not None:
        title = f"{options['file'].name} against {options['baseline_path'].name}"
        _write(options["html_path"], page(result, settings, title, regression=regression))
    click.echo(result.to_json() if options["as_json"] else text(result, regression=regression))
    return EXIT_DRIFT if result.alerting else EXIT_FINE


def _roles(options: dict[str, Any]) -> Roles:
    return Roles(
        score=options["score"],
        value=options["value"],
        label=options["label"],
        features=options["features"],
        time=options["time"],
        ignore=options["ignore"] or (),
        categorical=options["categorical"] or (),
    )


def _binning(bins: str, threshold: float | None) -> Binning:
    kind, _, number = bins.partition(":")
    if kind != "quantile" or not number.isdecimal() or not 2 <= int(number) <= 1_000:
        raise InputError(f"--bins = {bins!r}: must be quantile:N with 2 <= N <= 1000; try quantile:10")
    return Binning(bins=int(number), threshold=threshold)


def _model(config: Config, name: str | None) -> str:
    """The model whose limits count; "" for those that any model has."""
    if name is None:
        return next(iter(config.models)) if len(config.models) == 1 else ""
    if name not in config.models:
        raise InputError(f"--model {name}: the configuration lists {', '.join(config.models) or 'no model'}")
    return name


def _hop(options: dict[str, Any], config: Config, model: str) -> Hop:
    rows, window_ms, pane_ms = options["chunk_rows"], options["window_ms"], options["pane_ms"]
    if rows is not None:
        if window_ms is not None or pane_ms is not None:
            raise InputError("windows are cut by --chunk-rows or by --window and --pane, not by both; leave one out")
        return Hop(window=rows, pane=rows, by_rows=True)
    if window_ms is None and options["config"] is None:
        raise InputError("say how to cut windows: --chunk-rows N, or --window 24h --pane 1h")
    if window_ms is None:
        windows = config.model(model).windows
        window_ms, pane_ms = windows.length, pane_ms or windows.pane
    return Hop(window=window_ms, pane=pane_ms or window_ms, by_rows=False)


def _settings(config: Config, model: str, hop: Hop, smoothing: str | None) -> ModelSettings:
    try:
        parsed = Smoothing.parse(smoothing or config.smoothing)
    except ValueError as problem:
        raise InputError(f"--smoothing: {problem}") from problem
    checks = config.model(model).checks
    return ModelSettings(
        window_ms=hop.window,
        psi=rules_of(checks.psi),
        smoothing=parsed,
        performance=performance_rules_of(checks),
        latency=latency_rule_of(checks),
    )


def _latency(checks: CheckKeys, column: str | None, sla_ms: int | None) -> LatencyColumn | None:
    if column is None:
        if sla_ms is not None:
            raise InputError("--sla is the limit of latencies; name their column with --latency, too")
        return None
    limit_ms = sla_ms if sla_ms is not None or checks.latency is None else checks.latency.sla
    if limit_ms is None:
        raise InputError("--latency needs the limit: --sla 250ms, or checks.latency in the configuration")
    if not 1 <= limit_ms < LONGEST_LATENCY_MS:
        raise InputError(f"--sla = {format_duration(limit_ms)}: must be at least 1ms and shorter than 1h; try 250ms")
    return LatencyColumn(name=column, sla_ms=limit_ms)


def _latency_rule(configured: LatencyRule | None) -> LatencyRule:
    """The configuration's, or the default; the plain one if the caller says so."""
    rule = configured or LatencyRule()
    said = click.get_current_context().get_parameter_source("rule") is ParameterSource.COMMANDLINE
    return replace(rule, rule=THRESHOLD) if said else rule


def _remark(given: BacktestInput, hop: Hop, result: BacktestResult, settings: ModelSettings) -> None:
    """Say on stderr what the numbers do not say themselves."""
    remarks = list(given.notes)
    least = settings.psi.default.min_count
    small = sum(w.n < least and not w.partial for w in result.windows)
    if small:
        remarks.append(f"{small} of {len(result.windows)} windows have fewer than min_count = {least} rows: not judged")
    if result.windows and all(w.partial for w in result.windows):
        remarks.append("the only window is partial, and a partial window never alerts; use a smaller --chunk-rows")
    remarks += label_remarks(given, hop, result, settings.performance)
    for remark in remarks:
        click.echo(f"driftline: {remark}", err=True)


def _write(path: Path, page_text: str) -> None:
    try:
        path.write_text(page_text, encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}; give another --html") from problem
