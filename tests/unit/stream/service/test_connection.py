"""How clients are built from `kafka:`, and that a secret goes nowhere else."""

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import IllegalSaslStateError, KafkaConnectionError, KafkaError, UnsupportedSaslMechanismError
from pydantic import SecretStr

from stream.config import KafkaKeys
from stream.errors import BrokerUnavailable, InputError
from stream.service import connection
from stream.service.connection import broker_unavailable, client_arguments


def test_plain_text_needs_no_more_than_the_servers() -> None:
    assert client_arguments(KafkaKeys(bootstrap_servers="a:1,b:2")) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_takes_the_password_from_the_settings_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    given = KafkaKeys(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password=SecretStr("hunter2"),
    )
    from_file = given.model_copy(update={"sasl_password": None, "sasl_password_file": str(file)})

    for kafka in (given, from_file):
        arguments = client_arguments(kafka)
        assert arguments["sasl_mechanism"] == "SCRAM-SHA-512"
        assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("u", "hunter2")
        assert "hunter2" not in repr(kafka)


def test_tls_checks_the_broker_and_a_missing_file_is_named() -> None:
    context = client_arguments(KafkaKeys(security_protocol="SSL"))["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname

    with pytest.raises(InputError, match=r"nowhere\.pem"):
        client_arguments(KafkaKeys(security_protocol="SSL", ssl_cafile="nowhere.pem"))


def refusal(kafka: KafkaKeys, cause: object) -> str:
    """What is said when the client has logged this cause, and raised without it."""
    logging.getLogger("aiokafka").error('Unable connect to "%s:%s": %s', "k", 1, cause)
    with pytest.raises(BrokerUnavailable) as refused, broker_unavailable(kafka):
        raise KafkaConnectionError("Unable to bootstrap from [('k', 1)]")
    return str(refused.value)


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    """What was logged here is not what other tests' clients say."""
    yield
    connection._LAST_WORDS.words, connection._LAST_WORDS.cause = "", None


def test_a_refused_connection_is_told_in_the_clients_words() -> None:
    said = refusal(KafkaKeys(bootstrap_servers="k:1"), ConnectionRefusedError(111, "Connect call failed"))
    assert "[Errno 111] Connect call failed); start one, or set kafka.bootstrap_servers" in said


@pytest.mark.parametrize("cause", [TimeoutError(), ConnectionResetError(), KafkaConnectionError("closed")], ids=repr)
def test_who_accepts_and_is_mute_or_hangs_up_may_speak_another_protocol(cause: Exception) -> None:
    """SSL spoken to a plain port, or the other way round: the client's cause says nothing of it."""
    said = refusal(KafkaKeys(bootstrap_servers="k:1", security_protocol="SSL"), cause)
    assert said == (
        "no Kafka broker answers at k:1 (it does not answer as Kafka does with kafka.security_protocol = SSL); "
        "start one, or set kafka.bootstrap_servers or kafka.security_protocol"
    )


@pytest.mark.parametrize(
    ("cause", "key"),
    [
        (UnsupportedSaslMechanismError, "kafka.sasl_mechanism = PLAIN"),
        (IllegalSaslStateError, "kafka.security_protocol = SASL_PLAINTEXT"),
    ],
)
def test_a_login_that_is_not_taken_names_its_key_and_no_object(cause: type[KafkaError], key: str) -> None:
    kafka = KafkaKeys(bootstrap_servers="k:1", security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN")
    said = refusal(kafka, cause("<AIOKafkaConnection host=k port=1>"))
    assert key in said
    assert "AIOKafkaConnection" not in said
