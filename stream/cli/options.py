"""Values of options that several commands take."""

import click

from stream.config.durations import parse_duration_ms


def duration(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """`1h` in milliseconds, above 0."""
    return None if value is None else _milliseconds(context, option, value)


def durations(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    """Each of several in milliseconds, none twice."""
    return tuple(dict.fromkeys(_milliseconds(context, option, value) for value in values))


def _milliseconds(context: click.Context, option: click.Parameter, value: str) -> int:
    try:
        found = parse_duration_ms(value)
    except ValueError as problem:
        raise click.BadParameter(f"{value!r} {problem}", context, option) from problem
    if found < 1:
        raise click.BadParameter(f"{value!r} must be longer than 0", context, option)
    return found
