"""What `driftline verify --json` prints, read back."""

from stream.demo.verification import Verification, parse


def test_each_alert_has_its_result_and_the_first_reason() -> None:
    message = {"seq": 1, "result": "equal", "reason": None}
    found = parse(
        {
            "result": "cannot",
            "alerts": [
                {"id": "a", "result": "equal", "messages": [message, message]},
                {"id": "b", "result": "cannot", "messages": [message, {"reason": "cut"}, {"reason": "gone"}]},
            ],
        }
    )
    assert found == {
        "a": Verification(result="equal", messages=2, reason=""),
        "b": Verification(result="cannot", messages=3, reason="cut"),
    }
