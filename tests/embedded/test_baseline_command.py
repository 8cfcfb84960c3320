"""`driftline baseline create | list | show` on a broker."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stream.cli import main
from stream.durable.log import Outgoing
from stream.records.source import Source
from stream.service.kafka_log import KafkaLog
from tests.brokers import Broker
from tests.conftest import MakeTopic

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def baseline(
    broker: Broker, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`await baseline("list")` -> exit code, output, complaints; on topics of this test alone."""
    monkeypatch.setenv("DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("DRIFTLINE_TOPICS__BASELINES", await make_topic("baselines"))
    monkeypatch.setenv("DRIFTLINE_TOPICS__PREDICTIONS", await make_topic("predictions", partitions=2))

    async def run(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["baseline", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


async def test_a_file_becomes_a_baseline_that_is_listed_and_shown(baseline: Command, tmp_path: Path) -> None:
    file, entry = tmp_path / "a.csv", tmp_path / "entry.json"
    file.write_text("x,c,score\n1,a,0.5\n2,,0.25\n")

    made = [await baseline("create", "--model", "m", "--version", "3", str(file), "--output", str(entry)) for _ in "12"]
    listed = json.loads((await baseline("list", "--json"))[1])["baselines"]
    shown = json.loads((await baseline("show", "m@3", "--json"))[1])

    assert [code for code, _, _ in made] == [0, 0]
    assert "baseline  m@3#2" in made[1][1]
    assert [(b["id"], b["in_force"], b["rows"]) for b in listed] == [("m@3#1", False, 2), ("m@3#2", True, 2)]
    assert (shown["number"], [s["name"] for s in shown["series"]]) == (2, ["x", "c", "score"])
    assert json.loads(entry.read_text()) == shown
    assert "* m@3#2" in " ".join((await baseline("list"))[1].split())
    assert "m@3#1" in (await baseline("show", "m@3#1"))[1]


async def test_live_predictions_become_a_baseline(baseline: Command, kafka_log: KafkaLog, unique: str) -> None:
    values = [
        {"model": "m", "ts": 1_700_000_000_000 + i, "value": i, "features": {"x": i % 7, "c": "ab"[i % 2]}}
        for i in range(300)
    ]
    topic = f"{unique}-predictions"
    await kafka_log.send(
        [Outgoing(to=Source(topic, i % 2), value=json.dumps(v).encode()) for i, v in enumerate(values)]
    )

    code, out, err = await baseline("create", "--model", "m", "--version", "0", "--from-topic", "--last", "100")
    shown = json.loads((await baseline("show", "m@0", "--json"))[1])

    assert code == 0, err
    assert "m@0#1" in out
    assert (shown["rows"], shown["answer"], shown["task"]) == (100, "value", "regression")
    assert [s["kind"] for s in shown["series"]] == ["numeric", "categorical", "numeric"]
    assert shown["series"][2]["minimum"] == 200
    assert shown["provenance"]["files"] == [f"{topic}/0[100, 150)", f"{topic}/1[100, 150)"]


@pytest.mark.parametrize(("arguments", "message"), [
    (("show", "m@9"), "there is no baseline 'm@9'; registered are: none"),
    (("create", "--model", "m", "--version", "1", "--from-topic"), "there is no prediction of m@1 in topic"),
])  # fmt: skip
async def test_what_is_not_there_is_said_in_one_sentence(
    baseline: Command, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = await baseline(*arguments)
    assert code == 2
    assert message in err


async def test_a_topic_that_is_missing_is_said_with_the_fix(baseline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_TOPICS__BASELINES", "nobody-made-this-topic")
    code, _, err = await baseline("list")
    assert code == 2
    assert "driftline topics create" in err
