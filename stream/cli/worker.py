"""`driftline worker`: run the service until it is asked to stop."""

import asyncio

import click

from stream.cli import config_option
from stream.config import Config


@click.command("worker")
@config_option
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
def command(config: Config, log_level: str, log_format: str) -> None:
    """Consume predictions, evaluate every pane, publish reports and alerts.

    Start as many as you like: Kafka shares the partitions among them. It ends at Ctrl-C or
    SIGTERM after a last checkpoint; whatever way it ends, nothing is lost or counted twice.
    """
    from stream.service.logs import set_up_logging
    from stream.service.worker import run_worker

    set_up_logging(level=log_level, as_json=log_format == "json")
    asyncio.run(run_worker(config))
