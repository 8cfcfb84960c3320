"""The part of a backtest's page about episodes: old rules beside new ones, and the marked incidents."""

import html

from stream.backtest.comparison import Table, both, episode_table, incident_table, segment_table, summary_table
from stream.backtest.picture import HEIGHT, Axis
from stream.backtest.result import BacktestResult
from stream.backtest.text import check_words


def comparison_section(result: BacktestResult) -> str:
    """As HTML: the counts of each set of rules, what became of each incident, and every episode."""
    results = both(result)
    parts = [_table(summary_table(results)), _table(segment_table(result)), _table(incident_table(results))]
    for one in results:
        if one.episodes:
            title = f"Would-be alerts by {html.escape(one.rules.name)}: {len(one.episodes)}"
            table = _table(episode_table(one, check_words))
            parts.append(f"<details><summary>{title}</summary>{table}</details>")
    return "\n".join(part for part in parts if part)


def incident_bands(result: BacktestResult, axis: Axis) -> str:
    """The stretches of windows that have a moment of an incident, shaded, behind a picture's lines."""
    if result.incidents is None:
        return ""
    spans = [(i.windows, i.name) for i in result.incidents.incidents if i.windows is not None]
    return "".join(
        f'<rect class="incident" x="{axis.x(first) - 2:.1f}" y="0" width="{axis.x(last) - axis.x(first) + 4:.1f}" '
        f'height="{HEIGHT}"><title>{html.escape(name)}</title></rect>'
        for (first, last), name in spans
    )


def _table(table: Table) -> str:
    if not table:
        return ""
    head, *rows = table
    shown = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>\n{shown}</table>"
