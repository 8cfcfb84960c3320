"""`driftline backtest`: the checks over a file, without Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from detectors.budget import FalseAlarmBudget
from stream.backtest.evidence import with_evidence
from stream.backtest.incidents import read_incidents
from stream.backtest.inputs import BacktestInput, ColumnNames, read_input
from stream.backtest.page import page
from stream.backtest.remarks import label_remarks, window_remarks
from stream.backtest.result import BacktestResult, beside
from stream.backtest.rule_sets import Asked, RuleSet, rule_sets
from stream.backtest.text import text
from stream.backtest.windows import judge_windows
from stream.baselines.create import Binning
from stream.baselines.roles import Roles
from stream.cli import EXIT_DRIFT, EXIT_FINE, json_option
from stream.cli.baseline import FEATURES_HELP, names
from stream.cli.options import duration
from stream.config.season_keys import SEASONS
from stream.errors import InputError

LATER: Final = {
    "scores": "a backtest judges one class at a time; name it with --score, and a --label of 0 and 1",
}

RULE_HELP: Final = "Of every check: evidence at the false-alarm budget, or plain limits. Default: the configuration's."
INCIDENTS_HELP: Final = "Marked incidents (CSV, YAML, JSON): start, end, name[, check, subject, segment]."
SEGMENTS_HELP: Final = (
    "Judge the most frequent values of these keys apart, too: columns KEY or segment.KEY. Default: the configuration's."
)
THRESHOLD_HELP: Final = "From which score on the model says positive; for precision and recall. Default: 0.5."


def _budget(context: click.Context, option: click.Parameter, value: str | None) -> FalseAlarmBudget | None:
    try:
        return None if value is None else FalseAlarmBudget.parse(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem), context, option) from problem


def _later(_context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise InputError(f"{option.opts[0]}: {LATER[option.name or '']}")


def _path(*flags: str, text: str, multiple: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(*flags, metavar="FILE", type=click.Path(path_type=Path), help=text, multiple=multiple)


@click.command(name="backtest")
@click.argument("file", type=click.Path(path_type=Path))
@_path("--baseline", "baseline_path", text="The rows that count as normal: CSV, CSV.gz or Parquet.")
@click.option(
    "--chunk-rows",
    metavar="N",
    type=click.IntRange(min=1),
    help="Windows of N rows in the file's order; a shorter rest never alerts.",
)
@click.option("--window", "window_ms", metavar="24h", callback=duration, help="Windows by event time.")
@click.option("--pane", "pane_ms", metavar="1h", callback=duration, help="How far windows move on. Default: a window.")
@click.option("--score", metavar="COL", help="The model's score. By name: score.")
@click.option("--value", metavar="COL", help="A regression's estimate, instead of a score.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), metavar="X", help=THRESHOLD_HELP)
@click.option("--label", metavar="COL", help="The truth, of --score: 0, 1, false, true; empty: not known yet.")
@click.option("--label-time", metavar="COL", help="When it became known. Default: at the row's own time.")
@click.option("--latency", metavar="COL", help="How long the answer took, in ms; needs an SLA.")
@click.option("--sla", "sla_ms", metavar="250ms", callback=duration, help="Of latency. Default: the configuration's.")
@click.option("--status", metavar="COL", help="How the answer went: ok, or what went wrong.")
@click.option("--features", metavar="A,B,C", callback=names, help=FEATURES_HELP)
@click.option("--time", metavar="COL", help="Event time. By name: ts, timestamp, time. UTC without a zone.")
@click.option("--ignore", metavar="A,B", callback=names, help="Columns to leave out.")
@click.option("--categorical", metavar="A,B", callback=names, help="Features to count by their text.")
@click.option("--segments", metavar="A,B", callback=names, help=SEGMENTS_HELP)
@click.option("--bins", default="quantile:10", show_default=True, metavar="quantile:N", help="How the baseline is cut.")
@click.option("--smoothing", metavar="half|epsilon:X", help="Of empty bins. Default: the configuration's, or half.")
@click.option("--rule", type=click.Choice(["budget", "threshold"]), help=RULE_HELP)
@click.option(
    "--false-alarms", metavar="'1 per 30d'", callback=_budget, help="The budget. Default: the configuration's."
)
@click.option("--season", type=click.Choice(SEASONS), help="Compare with the same hours. Default: the configuration's.")
@click.option("--timezone", metavar="ZONE", help="By whose clock, Europe/Berlin. Default: the configuration's, or UTC.")
@_path("-c", "--config", multiple=True, text="Limits and windows (YAML); twice: old rules beside new ones.")
@click.option("--model", metavar="NAME", help="Whose limits in a configuration. Default: the only one listed.")
@_path("--incidents", "incidents_path", text=INCIDENTS_HELP)
@_path("--html", "html_path", text="Also write a page with pictures over the windows.")
@click.option("--scores", hidden=True, callback=_later, expose_value=False)
@json_option
def command(**options: Any) -> int:
    """Judge the rows of FILE window by window against those of a baseline file.

    With two --config, by the old rules and by the new ones, side by side; the exit code is the new ones'.

    Exit code 1 if a window alerts with a warning or more, 0 if none does, 2 if the two files or the options do not fit.
    """
    if options["baseline_path"] is None:
        raise InputError("--baseline FILE is needed: the rows that count as normal")
    asked = _asked(options)
    sets = rule_sets(options["config"], asked)
    binning = _binning(options["bins"], options["threshold"])
    named = ColumnNames(
        roles=_roles(options),
        label_time=options["label_time"],
        latency=options["latency"],
        segments=tuple(sorted({key for rules in sets for key in rules.segments})),
        needs_segments=asked.segments is not None,
        status=options["status"],
    )
    given = read_input(options["baseline_path"], options["file"], named, binning)
    sets = [rules.having(given.segments) for rules in sets]
    for rules in sets:
        rules.refuse(given.baseline)
    path = options["incidents_path"]
    incidents = None
    if path is not None:
        incidents = read_incidents(path, timed=given.time_ms is not None, columns=given.names)
    results = []
    for rules in sets:
        learned = with_evidence(given, rules)
        results.append(BacktestResult.of(learned.baseline, rules, judge_windows(learned, rules), incidents))
        _remark(learned, rules, results[-1], named=len(sets) > 1)
    result = beside(results)
    regression = given.baseline.task == "regression"
    if options["html_path"] is not None:
        title = f"{options['file'].name} against {options['baseline_path'].name}"
        _write(options["html_path"], page(result, sets[-1].settings, title, regression=regression))
    click.echo(result.to_json() if options["as_json"] else text(result, regression=regression))
    return EXIT_DRIFT if result.alerting else EXIT_FINE


def _asked(options: dict[str, Any]) -> Asked:
    return Asked(
        chunk_rows=options["chunk_rows"],
        window_ms=options["window_ms"],
        pane_ms=options["pane_ms"],
        model=options["model"],
        smoothing=options["smoothing"],
        rule=options["rule"],
        false_alarms=options["false_alarms"],
        season=options["season"],
        timezone=options["timezone"],
        latency=options["latency"] is not None,
        sla_ms=options["sla_ms"],
        segments=options["segments"],
        status=options["status"] is not None,
    )


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


def _remark(given: BacktestInput, rules: RuleSet, result: BacktestResult, *, named: bool) -> None:
    """Say on stderr what the numbers do not say themselves."""
    remarks = [*given.notes, *window_remarks(result, rules.settings.psi.default.min_count)]
    remarks += label_remarks(given, rules.hop, result, rules.settings.performance)
    for remark in remarks:
        click.echo(f"driftline: {rules.name}: {remark}" if named else f"driftline: {remark}", err=True)


def _write(path: Path, page_text: str) -> None:
    try:
        path.write_text(page_text, encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}; give another --html") from problem
