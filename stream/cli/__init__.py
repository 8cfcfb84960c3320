"""The command line `driftline`: one file per command, read only when it is called.

Promise: exit codes are 0 fine, 1 drift found, 2 the caller's mistake, 70 a bug. A mistake is
one line, `driftline: <what, and how to mend it>`; a traceback is always a bug of ours.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from stream.config import Config, load_config
from stream.errors import CallerError, ConfigError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

EXIT_FINE: Final = 0
EXIT_DRIFT: Final = 1
EXIT_CALLER: Final = 2
EXIT_BUG: Final = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells count
EXIT_UNREAD: Final = 141  # 128 + SIGPIPE: what other tools end with whose reader has gone


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what it does: known without importing it."""

    module: str  # holds a click command called `command`
    summary: str


COMMANDS: Final[dict[str, Entry]] = {
    "ack": Entry("stream.cli.ack", "Say that you look after an alert."),
    "alerts": Entry("stream.cli.alerts", "Show alerts as they come."),
    "backtest": Entry("stream.cli.backtest", "Run the checks over a file, without Kafka."),
    "baseline": Entry("stream.cli.baseline", "Create, list and show baselines."),
    "check": Entry("stream.cli.check", "Validate the configuration and show what is in effect."),
    "dead-letters": Entry("stream.cli.dead_letters", "List the input that could not be counted."),
    "demo": Entry("stream.cli.demo", "See it work on real flights, with a broker of its own."),
    "silence": Entry("stream.cli.silence", "Keep alerts from being told for a while."),
    "status": Entry("stream.cli.status", "Show models, windows, firing alerts and lag."),
    "topics": Entry("stream.cli.topics", "Create the topics that the service needs."),
    "verify": Entry("stream.cli.verify", "Count again what an alert says, from the topics."),
    "worker": Entry("stream.cli.worker", "Run the service."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the alphabet."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None if there is no such one."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(entry.module).command
        assert isinstance(command, click.Command), f"{entry.module}.command must be a click command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="driftline", prog_name="driftline", message="%(prog)s %(version)s")
def group() -> None:
    """Exact drift alerts from a stream of predictions on Kafka."""


def config_option(command: Decorated) -> Decorated:
    """`-c FILE`: the configuration; the command's argument `config` is what was loaded from it."""
    return click.option(
        "-c",
        "--config",
        metavar="FILE",
        callback=_load,
        help="Configuration (YAML). Variables such as DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS override it.",
    )(command)


def json_option(command: Decorated) -> Decorated:
    """`--json`: the command's argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what a command returns as an int is the code."""
    try:
        code = group.main(args=arguments, prog_name="driftline", standalone_mode=False)
    except SystemExit as ended:
        # The reader of our output (`| head`) has gone, and what it wanted it has: click would end with 1.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is not written yet has no reader
        return EXIT_UNREAD
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else EXIT_FINE


def _explain(error: Exception) -> int:
    """One line for a mistake of the caller, the traceback for a bug; the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EXIT_CALLER
    if isinstance(error, click.ClickException):
        return _complain(_usage(error))
    if isinstance(error, CallerError):
        return _complain(*_sentences(error))
    traceback.print_exception(error)
    return _complain("this is a bug; please report it with the lines above", code=EXIT_BUG)


def _load(_context: click.Context, _option: click.Parameter, value: str | None) -> Config:
    return load_config(Path(value) if value else None)


def _sentences(mistake: CallerError) -> list[str]:
    others = mistake.others if isinstance(mistake, ConfigError) else ()
    return [str(mistake), *map(str, others)]


def _usage(mistake: click.ClickException) -> str:
    context = getattr(mistake, "ctx", None)
    hint = f"; see `{context.command_path} --help`" if context else ""
    return f"{mistake.format_message().rstrip('.')}{hint}"


def _complain(*sentences: str, code: int = EXIT_CALLER) -> int:
    for sentence in sentences:
        print(f"driftline: {sentence}", file=sys.stderr)
    return code
