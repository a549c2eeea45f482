"""One ASGI app from the routes of ingest, query or both, with health, metrics and docs."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from opstrail.docs_page import docs_routes
from query.health import Check, Lag, health_routes
from runtime.http import build_app


def build_http_app(
    routes: Sequence[BaseRoute],
    *,
    checks: Mapping[str, Check] | None = None,
    lags: Mapping[str, Lag] | None = None,
    on_close: Callable[[], Awaitable[None]] | None = None,
    while_serving: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
) -> Starlette:
    """`checks` are the dependencies that /readyz names, `lags` the stages.

    `on_close` is awaited after the last answer. `while_serving` is entered before the first request
    and left after the last answer.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with while_serving():
            yield
        if on_close is not None:
            await on_close()

    return build_app(
        [*routes, *health_routes(checks or {}, lags), *docs_routes()], lifespan=lifespan
    )
