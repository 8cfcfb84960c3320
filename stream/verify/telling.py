"""What was found, as text for people and as plain values for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from stream.verify.compare import Difference
from stream.verify.recount import Recount
from stream.verify.verifier import Result, Verified

Verdicts = Mapping[str, Sequence[Verified]]  # by alert id, by `seq`

MOST_DIFFERENCES: Final = 12  # that the text shows of a message
LONGEST_VALUE: Final = 60  # characters
_WORST: Final = (Result.UNEQUAL, Result.CANNOT, Result.EQUAL, Result.NOTHING)


def worst(verified: Sequence[Verified]) -> Result:
    """The result that counts of several."""
    results = {one.result for one in verified}
    return next((result for result in _WORST if result in results), Result.NOTHING)


def in_words(found: Verdicts) -> str:
    """A line for each alert and some for each message, and one that sums up."""
    return "\n".join(_lines(found))


def _lines(found: Verdicts) -> Iterator[str]:
    for alert_id, messages in found.items():
        labels = messages[0].alert["labels"]
        segment = f"  {labels['segment']}" if labels["segment"] else ""
        about = f"{labels['model']}@{labels['version']}" if labels["model"] else "-"
        yield f"{alert_id}  {labels['alertname']}  {about}{segment}  {labels['subject']}"
        for one in messages:
            yield from (f"  {line}" for line in _message_lines(one))
    every = [one for messages in found.values() for one in messages]
    tally = {result: sum(one.result is result for one in every) for result in _WORST}
    counted = ", ".join(f"{count} {_WORDS[result]}" for result, count in tally.items() if count)
    yield f"{_WORDS[worst(every)]}: {_many(len(found), 'alert')}, {_many(len(every), 'message')} ({counted or 'none'})"


_WORDS: Final = {
    Result.EQUAL: "equal",
    Result.UNEQUAL: "unequal",
    Result.CANNOT: "cannot be verified",
    Result.NOTHING: "nothing to verify",
}


def _message_lines(one: Verified) -> Iterator[str]:
    alert, window = one.alert, one.alert["evidence"].get("window")
    over = f", {window['start']} to {window['end']}" if window else ""
    yield f"message {alert['seq']}: {alert['status']} {alert['severity']}{over}"
    if one.recount is not None:
        yield f"  counted again: {_counted(one.recount)}"
    if one.result is Result.EQUAL:
        yield f"  equal: {', '.join(_stated(alert))}"
    elif one.result is not Result.UNEQUAL:
        yield f"  {_WORDS[one.result]}: {one.reason}"
    for difference in one.differences[:MOST_DIFFERENCES]:
        yield f"  unequal: {_difference(difference)}"
    if len(one.differences) > MOST_DIFFERENCES:
        yield f"  and {len(one.differences) - MOST_DIFFERENCES} fields more"
    if one.differences and all(_is_judgement(difference.field) for difference in one.differences):
        yield "  what was counted agrees: if the configuration has been changed since, give the one of that time by -c"


def _is_judgement(field: str) -> bool:
    """Whether limits and levels have a part in it, and not only the rows.

    >>> _is_judgement("evidence.level"), _is_judgement("evidence.bins.current[0]")
    (True, False)
    """
    return field.startswith(("threshold", "annotations.", "evidence.level", "evidence.rule", "evidence.minimum"))


def _counted(recount: Recount) -> str:
    late = f" ({recount.late} more came too late)" if recount.late else ""
    where = ", ".join(f"{name} [{span.first}, {span.next})" for name, span in recount.spans.items())
    return f"{_many(recount.rows, 'row')}{late} in {_many(recount.messages, 'message')}: {where or 'nowhere'}"


def _stated(alert: Mapping[str, Any]) -> Iterator[str]:
    """The numbers that the message states, and how many bins."""
    stated = {"value": alert["value"], "threshold": alert["threshold"], **alert["evidence"]}
    for name, value in stated.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
    bins = stated.get("bins")
    if bins:
        yield f"both histograms ({len(bins['labels'])} bins)"


def _difference(difference: Difference) -> str:
    """One field.

    >>> _difference(Difference("evidence.n", 912, 911))
    'evidence.n: the alert says 912, the topics say 911'
    """
    return f"{difference.field}: the alert says {_short(difference.said)}, the topics say {_short(difference.found)}"


def _short(value: Any) -> str:
    text = f"{value!r}" if isinstance(value, str) else f"{value}"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def as_plain(found: Verdicts) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "result": str(worst([one for messages in found.values() for one in messages])),
        "alerts": [
            {
                "id": alert_id,
                "labels": messages[0].alert["labels"],
                "result": str(worst(messages)),
                "messages": [_plain_message(one) for one in messages],
            }
            for alert_id, messages in found.items()
        ],
    }


def _plain_message(one: Verified) -> dict[str, Any]:
    recount = one.recount
    return {
        "seq": one.alert["seq"],
        "status": one.alert["status"],
        "severity": one.alert["severity"],
        "window": one.alert["evidence"].get("window"),
        "result": str(one.result),
        "reason": one.reason or None,
        "recount": None
        if recount is None
        else {
            "messages": recount.messages,
            "rows": recount.rows,
            "late": recount.late,
            "sources": {name: [span.first, span.next] for name, span in recount.spans.items()},
        },
        "differences": [{"field": d.field, "alert": d.said, "topics": d.found} for d in one.differences],
    }
