"""From the configuration's `kafka:` section to what every aiokafka client is built with.

Promise: one place decides how a broker is reached, and no secret leaves it except towards the client.
"""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    UnsupportedSaslMechanismError,
)

from stream.config import KafkaKeys, sasl_password
from stream.errors import BrokerUnavailable, InputError

_NOBODY_ANSWERS: Final = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError)


class _LastWords(logging.Handler):
    """The client logs why it cannot connect, and raises without the reason; so its last error is kept here."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words = ""
        self.cause: object = None  # the exception that they tell of, if it is one

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; printing is for whoever has set up logging."""
        self.words = record.getMessage()
        self.cause = record.args[-1] if isinstance(record.args, tuple) and record.args else None


_LAST_WORDS: Final = _LastWords()
logging.getLogger("aiokafka").addHandler(_LAST_WORDS)  # having a handler, it prints nothing by itself


def client_arguments(kafka: KafkaKeys) -> dict[str, Any]:
    """Keyword arguments that aiokafka's consumer, producer and admin client share.

    Raises:
        InputError: a file with a certificate or a password cannot be used.

    >>> client_arguments(KafkaKeys(bootstrap_servers="kafka:9092"))
    {'bootstrap_servers': 'kafka:9092', 'security_protocol': 'PLAINTEXT'}
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(kafka)
    if kafka.security_protocol.startswith("SASL"):
        arguments["sasl_mechanism"] = kafka.sasl_mechanism or "PLAIN"
        arguments["sasl_plain_username"] = kafka.sasl_username
        arguments["sasl_plain_password"] = sasl_password(kafka)
    return arguments


@contextmanager
def broker_unavailable(kafka: KafkaKeys) -> Iterator[None]:
    """Turns a client's failure to reach a broker into BrokerUnavailable; any other error passes."""
    try:
        yield
    except _NOBODY_ANSWERS as error:
        raise _unavailable(kafka, error) from error


def _unavailable(kafka: KafkaKeys, error: KafkaError) -> BrokerUnavailable:
    """Why nobody answers, and the key to look at: the client's words name neither silence nor a wrong protocol."""
    protocol = f"kafka.security_protocol = {kafka.security_protocol}"
    match _LAST_WORDS.cause:
        case UnsupportedSaslMechanismError():
            why, fix = f"it does not take kafka.sasl_mechanism = {kafka.sasl_mechanism}", "set one that it takes"
        case IllegalSaslStateError():
            why, fix = f"it does not log in as {protocol} asks it to", "set the protocol that it speaks"
        case TimeoutError() | ConnectionResetError() | KafkaConnectionError():  # accepted, then mute or hung up
            why = f"it does not answer as Kafka does with {protocol}"
            fix = "start one, or set kafka.bootstrap_servers or kafka.security_protocol"
        case _:
            return BrokerUnavailable(kafka.bootstrap_servers, _LAST_WORDS.words or reason_of(error))
    return BrokerUnavailable(kafka.bootstrap_servers, why, fix)


def reason_of(error: KafkaError) -> str:
    """What went wrong in a few words, without the client's prefixes.

    >>> reason_of(KafkaConnectionError("Unable to bootstrap from [('localhost', 1)]"))
    'KafkaConnectionError'
    """
    return type(error).__name__


def _ssl_context(kafka: KafkaKeys) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
        if kafka.ssl_certfile:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(f for f in (kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile) if f)
        raise InputError(
            f"kafka.ssl_*: cannot use {files} ({error}); give PEM files that this user may read"
        ) from error
    return context
