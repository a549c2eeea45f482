"""/healthz, /readyz and /metrics: for those who run this, without a key."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.errors import UnavailableError
from runtime.http import RETRY_AFTER_S, Problem, json_response, problem_response
from runtime.metrics import DEPENDENCY_UP

# Returns when the dependency answers; raises an UnavailableError that says what is wrong.
Check: TypeAlias = Callable[[], Awaitable[None]]
# How far a stage is behind, in seconds; None when that is not known.
Lag: TypeAlias = Callable[[], Awaitable[float | None]]

CHECK_TIMEOUT_S: Final = 5.0
_LAG_DIGITS: Final = 3


def health_routes(
    checks: Mapping[str, Check], lags: Mapping[str, Lag] | None = None
) -> list[Route]:
    """`checks`: the dependencies of this process by name; `lags`: its stages.

    However far a stage is behind, the process is ready: that is for an alert, not for a balancer.
    """
    state = _State(checks, lags or {})

    async def readiness(request: Request) -> Response:
        dependencies, lag_seconds = await state.ask()
        members = {"dependencies": dependencies, "lag_seconds": lag_seconds}
        away = [name for name, result in dependencies.items() if not result["ok"]]
        if not away:
            return json_response({"ready": True, **members})
        return problem_response(
            Problem(
                "unavailable",
                status=503,
                title="A dependency is away",
                detail=f"away: {', '.join(away)}",
                headers={"Retry-After": str(RETRY_AFTER_S)},
                members={"ready": False, **members},
            )
        )

    async def metrics(request: Request) -> Response:
        # Some of them are only known to who asks.
        await state.ask()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", readiness, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


class _State:
    def __init__(self, checks: Mapping[str, Check], lags: Mapping[str, Lag]) -> None:
        self._checks: Final = checks
        self._lags: Final = lags

    async def ask(self) -> tuple[dict[str, dict[str, Any]], dict[str, float | None]]:
        """Each dependency, and how far each stage is behind; none takes longer than its timeout."""
        results, lags_s = await asyncio.gather(
            asyncio.gather(*map(_result, self._checks.values())),
            asyncio.gather(*map(_lag_s, self._lags.values())),
        )
        dependencies = dict(zip(self._checks, results, strict=True))
        for name, result in dependencies.items():
            DEPENDENCY_UP.labels(name).set(result["ok"])
        return dependencies, dict(zip(self._lags, lags_s, strict=True))


async def _alive(request: Request) -> Response:
    return json_response({"alive": True})


async def _result(check: Check) -> dict[str, Any]:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
    except UnavailableError as error:
        return {"ok": False, "detail": str(error)}
    except TimeoutError:
        return {"ok": False, "detail": f"no answer in {CHECK_TIMEOUT_S:g} s"}
    return {"ok": True, "detail": "answers"}


async def _lag_s(lag: Lag) -> float | None:
    try:
        lag_s = await asyncio.wait_for(lag(), CHECK_TIMEOUT_S)
    except (UnavailableError, TimeoutError):
        return None
    return None if lag_s is None else round(lag_s, _LAG_DIGITS)
