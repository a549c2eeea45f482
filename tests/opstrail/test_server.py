"""Whose word counts for where a request came from."""

import asyncio
import signal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from opstrail.server import serve

CLAIM = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


async def _tell(request: Request) -> PlainTextResponse:
    assert request.client is not None
    return PlainTextResponse(f"{request.client.host} {request.url.scheme}")


def told(trusted_proxies: str) -> str:
    """What the app hears of a request from this machine that claims to be from elsewhere."""
    answers: list[str] = []

    async def ask(address: str) -> None:
        async with httpx.AsyncClient() as client:
            answers.append((await client.get(address, headers=CLAIM)).text)
        signal.raise_signal(signal.SIGTERM)

    app = Starlette(routes=[Route("/", _tell)])
    asyncio.run(serve(app, "127.0.0.1", 0, trusted_proxies=trusted_proxies, on_listening=ask))
    (answer,) = answers
    return answer


@pytest.mark.parametrize("trusted_proxies", ["", "192.0.2.1"])
def test_who_is_no_trusted_proxy_is_not_believed(trusted_proxies: str) -> None:
    assert told(trusted_proxies) == "127.0.0.1 http"


@pytest.mark.parametrize("trusted_proxies", ["127.0.0.1", "192.0.2.1, 127.0.0.0/8"])
def test_a_trusted_proxy_says_where_a_request_came_from(trusted_proxies: str) -> None:
    assert told(trusted_proxies) == "203.0.113.7 https"
