"""docs/predictions.md keeps its word about labels."""

import re
from pathlib import Path

import pytest

from tests.unit.stream.ingest.test_labels import decode

DOCS = Path(__file__).parents[4] / "docs" / "predictions.md"


def documented() -> list[tuple[str, str]]:
    """Message and outcome of each row of the table in docs/predictions.md."""
    _, _, rest = DOCS.read_text(encoding="utf-8").partition("| label message | becomes |")
    rows = [line.strip("|").split(" | ") for line in rest.split("\n\n")[0].strip().splitlines()[1:]]
    return [(message.strip(), becomes.strip()) for message, becomes in rows]


@pytest.mark.parametrize(("message", "becomes"), documented())
def test_a_label_becomes_what_the_documented_table_says(message: str, becomes: str) -> None:
    """The first words of the second column are the outcomes; the rest is explanation."""
    batch = decode(message.strip("`").encode())
    words = ["label"] * len(batch.place)
    for rejection in batch.rejections:
        words.insert(rejection.index or 0, f"dead letter `{rejection.reason}`")
    expected = re.findall(r"dead letter `\w+`|label(?! `)", re.split(r"[:;]|, or |, a |, pos|, neg| that ", becomes)[0])
    assert expected
    assert words == expected
