"""`driftline status`: models, windows, firing alerts and lag, read from the topics."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import click

from stream.cli import config_option, json_option
from stream.config import Config
from stream.records.times import rfc3339
from stream.service.kafka_log import KafkaLog
from stream.service.standing import PERFORMANCE, DeadLetters, Lag, Report, Standing, standing, verdicts


@click.command(name="status")
@config_option
@json_option
def command(config: Config, as_json: bool) -> None:
    """Show how things stand, by what the topics say.

    The newest window of each model with its verdicts, the alerts that fire, how many records the workers have not read
    yet, and how many could not be counted. No worker is asked, so it also tells when none runs.
    """
    found = asyncio.run(_read(config))
    click.echo(json.dumps(as_plain(config, found), indent=2) if as_json else "\n".join(lines(config, found)))


async def _read(config: Config) -> Standing:
    async with KafkaLog.connect(config.kafka) as log:
        return await standing(config, log)


def as_plain(config: Config, found: Standing) -> dict[str, Any]:
    """For JSON."""
    return {
        "app": config.app,
        "models": [_plain_report(report) for report in found.reports],
        "alerts_firing": [_plain_alert(alert) for alert in found.firing],
        "lag": [
            {"topic": at.source.topic, "partition": at.source.partition, "end": at.end, "committed": at.committed,
             "records": at.records}
            for at in found.lags
        ],
        "dead_letters": {
            "total": found.dead_letters.total,
            "newest": {"received": rfc3339(found.dead_letters.newest_at_ms), "reason": found.dead_letters.newest_reason}
            if found.dead_letters.total
            else None,
        },
    }  # fmt: skip


def _plain_report(report: Report) -> dict[str, Any]:
    names = ("model", "version", "segment", "category", "window", "n", "complete", "baseline")
    known = {name: report[name] for name in names if name in report}
    of = "labels" if report["schema"] == PERFORMANCE else "predictions"
    return {"of": of, **known, "verdicts": dict(verdicts(report))}


def _plain_alert(alert: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "severity", "labels", "startsAt", "value", "threshold", "acknowledged")
    return {name: alert.get(name) for name in names} | {"summary": alert.get("annotations", {}).get("summary")}


def lines(config: Config, found: Standing) -> Iterator[str]:
    """For people."""
    yield f"{config.app} at {config.kafka.bootstrap_servers}"
    yield ""
    if found.reports:
        yield from table([("MODEL", "ROWS", "WINDOW", "BASELINE", "CHECKS"), *map(_row, found.reports)])
    else:
        yield "no reports yet: no window of a model with a baseline has closed"
    yield ""
    yield f"{len(found.firing)} alerts firing" if len(found.firing) != 1 else "1 alert firing"
    yield from table([_firing_row(alert) for alert in found.firing])
    yield ""
    yield f"to be read by group {config.app}: {sum(at.records for at in found.lags):,} records"
    yield from table([_lag_row(at) for at in found.lags])
    if found.dead_letters.total:
        yield ""
        yield from table([(_dead_letters(found.dead_letters),)])


def _row(report: Report) -> tuple[str, ...]:
    model = f"{report['model']}@{report['version']}"
    part = report.get("segment") or report.get("category")
    model += f"/{part}" if part else ""
    model += " labels" if report["schema"] == PERFORMANCE else ""
    window = f"{report['window']['start']} to {report['window']['end']}"
    whole = window if report.get("complete", True) else f"{window} (filling)"
    tally = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts(report).items()))
    return model, f"{report.get('n', 0):,}", whole, str(report.get("baseline", "-")), tally or "none"


def _firing_row(alert: dict[str, Any]) -> tuple[str, ...]:
    labels = alert.get("labels", {})
    about = f"{labels.get('model')}@{labels.get('version')}" if labels.get("model") else "-"
    about += f"/{labels['segment']}" if labels.get("segment") else ""
    summary = alert.get("annotations", {}).get("summary", "")
    known = alert.get("acknowledged")
    summary += f" (acknowledged by {known.get('by')})" if known else ""
    return f"  {alert['id']}", str(alert.get("severity")), about, f"since {alert.get('startsAt') or '-'}", summary


def _lag_row(at: Lag) -> tuple[str, ...]:
    read = "nothing read yet" if at.committed is None else f"read to {at.committed:,}"
    return f"  {at.source}", f"{at.records:,}", f"{read} of {at.end:,}"


def _dead_letters(found: DeadLetters) -> str:
    noun = "dead letters" if found.total != 1 else "dead letter"
    newest = f"the newest of {rfc3339(found.newest_at_ms)}, {found.newest_reason}"
    return f"{found.total:,} {noun}, {newest}  (driftline dead-letters list)"


def table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns side by side, harmless to a terminal.

    >>> list(table([("a", "bb"), ("ccc", "d")]))
    ['a    bb', 'ccc  d']
    """
    shown = [tuple("".join(c if c.isprintable() else "·" for c in cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
