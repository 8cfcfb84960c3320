"""Dead letters: exactly what was broken on purpose, with its bytes and its reason."""

import hashlib

from stream.records.source import Message
from tests.crash.deployment import Deployment
from tests.crash.findings import Findings
from tests.crash.tail import Tail
from tests.crash.truth import BrokenOne

Broken = dict[str, list[list[BrokenOne]]]
"""By topic, and by partition of it."""


def check_dead_letters(sent: Broken, deployment: Deployment, tail: Tail, findings: Findings) -> None:
    """The set of keys, and every copy of every letter; `sent` is by topic and partition what was broken."""
    expected = {
        _key(topic, p, one): one for topic, parts in sent.items() for p, broken in enumerate(parts) for one in broken
    }
    found: set[str] = set()
    for records in tail.of(deployment.config.topics.dead_letters).values():
        for record in records:
            key = (record.key or b"").decode()
            findings.numbers["ignored duplicates: dead letters"] += key in found
            found.add(key)
            if key in expected:
                _check_letter(record, key, expected[key], findings)
    findings.expect("dead letters that nobody broke", sorted(found - expected.keys()), [])
    findings.expect("dead letters that are missing", sorted(expected.keys() - found), [])
    findings.numbers["dead letters"] = len(found)


def _check_letter(record: Message, key: str, one: BrokenOne, findings: Findings) -> None:
    headers = {name: value.decode() for name, value in record.headers}
    value = one.value or b""
    findings.expect("dead letters' bytes", record.value or b"", value, key)
    findings.expect("dead letters' sha256", headers["sha256"], hashlib.sha256(value).hexdigest(), key)
    findings.expect("dead letters' reasons", headers["reason"], one.reason, key)
    findings.expect("dead letters' sizes", headers["size"], str(len(value)), key)


def _key(topic: str, partition: int, one: BrokenOne) -> str:
    key = f"{topic}/{partition}/{one.offset}"
    return key if one.index is None else f"{key}/{one.index}"
