"""What the worker says over HTTP: `/metrics`, `/healthz` (alive), `/readyz` (recovered and consuming)."""

import errno
from collections.abc import Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from stream.errors import CallerError

_OF_THE_PORT: Final = (errno.EADDRINUSE, errno.EACCES)  # taken, or only for root
Waits = Callable[[], list[str]]


def make_web(registry: CollectorRegistry, *, alive: Waits, ready: Waits) -> web.Application:
    """The routes. `alive` and `ready` say what is waited for; an empty list is well."""
    routes = web.RouteTableDef()

    @routes.get("/metrics")
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @routes.get("/healthz")
    async def healthz(_: web.Request) -> web.Response:
        return _state(alive())

    @routes.get("/readyz")
    async def readyz(_: web.Request) -> web.Response:
        return _state(ready())

    app = web.Application()
    app.add_routes(routes)
    return app


def _state(waits: list[str]) -> web.Response:
    return web.json_response({"ok": not waits, "waiting_for": waits}, status=503 if waits else 200)


def _refused(host: str, port: int, error: OSError) -> str:
    why = error.strerror or error
    if error.errno in _OF_THE_PORT:
        return f"web.port = {port}: {host}:{port} cannot be used ({why}); choose another port, or 0 for any"
    return f"web.host = {host}: cannot be listened on ({why}); give an address of this machine, or 0.0.0.0 for all"


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner is cleaned up; the port, which matters when 0 was asked for.

    Raises:
        CallerError: the address cannot be used.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise CallerError(_refused(host, port, error)) from error
    return runner, int(runner.addresses[0][1])
