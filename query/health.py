"""/healthz, /readyz and /metrics: for those who run this, without a key."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from query.access import json_response
from query.services import Check
from runtime.errors import UnavailableError
from runtime.http import RETRY_AFTER_S, Problem, problem_response

CHECK_TIMEOUT_S: Final = 5.0


def health_routes(checks: Mapping[str, Check]) -> list[Route]:
    """`checks`: the dependencies of this process by name."""

    async def readiness(request: Request) -> Response:
        results = await asyncio.gather(*map(_result, checks.values()))
        dependencies = dict(zip(checks, results, strict=True))
        away = [name for name, result in dependencies.items() if not result["ok"]]
        if not away:
            return json_response({"ready": True, "dependencies": dependencies})
        return problem_response(
            Problem(
                "unavailable",
                status=503,
                title="A dependency is away",
                detail=f"away: {', '.join(away)}",
                headers={"Retry-After": str(RETRY_AFTER_S)},
                members={"ready": False, "dependencies": dependencies},
            )
        )

    return [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", readiness, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
    ]


async def _alive(request: Request) -> Response:
    return json_response({"alive": True})


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _result(check: Check) -> dict[str, Any]:
    try:
        await asyncio.wait_for(check(), CHECK_TIMEOUT_S)
    except UnavailableError as error:
        return {"ok": False, "detail": str(error)}
    except TimeoutError:
        return {"ok": False, "detail": f"no answer in {CHECK_TIMEOUT_S:g} s"}
    return {"ok": True, "detail": "answers"}
