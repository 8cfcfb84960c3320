"""How clients are built from `kafka:`, and that a secret goes nowhere else."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from stream.config import KafkaKeys
from stream.errors import InputError
from stream.service.connection import client_arguments


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
