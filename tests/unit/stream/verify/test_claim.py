"""What a message claims, and what cannot be counted again."""

from stream.verify.claim import Cannot, claim_of


def test_a_silence_of_every_partition_cannot_be_counted_again() -> None:
    alert = {
        "labels": {"check": "throughput", "model": "m", "version": "0", "segment": "", "subject": "predictions"},
        "annotations": {"summary": "the model has stopped answering"},
        "evidence": {"silent_ms": 30_000, "sources": {}},
    }
    found = claim_of(alert)
    assert isinstance(found, Cannot)
    assert "silent" in found.reason
