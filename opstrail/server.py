"""Runs an HTTP app until SIGTERM or SIGINT, then lets what was accepted finish."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Generator

import click
import uvicorn
import uvloop
from starlette.types import ASGIApp

from runtime import garbage
from runtime.errors import SettingsError

# Longer than a request may wait for the log, so that an accepted one gets its answer.
GRACE_S = 15


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again and spoil the exit code."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    trusted_proxies: str = "",
    on_listening: Callable[[str], Awaitable[None]] | None = None,
) -> None:
    """Serve until asked to stop. `on_listening` gets the address once requests are answered.

    With `tls` HTTPS and nothing else: a plain request on the port gets no answer. What a request
    came from and how is taken from its headers only when one of `trusted_proxies` sent it.

    When it returns or raises first, serving goes on or ends. Raises SettingsError: the address
    cannot be used.
    """
    garbage.settle()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        # By default uvicorn believes whoever is on this machine.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    serving = asyncio.create_task(_serve(server, host, port))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if on_listening is not None and not serving.done():
            await on_listening(_address(server))
        await serving
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)


async def _serve(server: uvicorn.Server, host: str, port: int) -> None:
    try:
        await server.serve()
    except SystemExit as error:
        raise SettingsError(
            f"OPSTRAIL_PORT: cannot listen on {host}:{port}; is it in use?"
        ) from error


async def tell_listening(address: str) -> None:
    """An `on_listening` for processes whose standard error is read by people and supervisors."""
    click.echo(f"listening on {address}", err=True)


def _address(server: uvicorn.Server) -> str:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    scheme = "https" if server.config.is_ssl else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def run(coroutine: Coroutine[object, object, None]) -> None:
    """Run one coroutine to its end under uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)
