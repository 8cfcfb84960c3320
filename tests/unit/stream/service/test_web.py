"""An address that cannot be served on is refused with the key that has to change."""

import socket

import pytest
from aiohttp import web

from stream.errors import CallerError
from stream.service.web import serve


async def test_an_address_that_is_not_this_machines_is_a_wrong_host() -> None:
    with pytest.raises(CallerError, match=r"^web\.host = 192\.0\.2\.1: cannot be listened on \(.+ 0\.0\.0\.0 for all$"):
        await serve(web.Application(), "192.0.2.1", 6066)


async def test_a_port_that_is_taken_is_a_wrong_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CallerError, match=rf"^web\.port = {port}: 127\.0\.0\.1:{port} .+ choose another port"):
            await serve(web.Application(), "127.0.0.1", port)
