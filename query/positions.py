"""GET /v1/positions/{position}?wait_s=: is what a request changed on the timeline?"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.missing import not_found
from query.services import QueryServices
from query.watermark_view import FRESH_S
from schemas.position import UnknownPositionError, read_position
from timeline.generation import one_generation
from timeline.parameters import Parameters, refuse
from timeline.scope import Scope
from timeline.watermark_query import Watermark

WAIT_S_MAX: Final = 30
# As many digits as programs write of a fraction.
_SECONDS: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,20})?", re.ASCII)


def position_routes(services: QueryServices) -> list[Route]:
    path = "/v1/positions/{position}"
    return [reading_route(path, services, _position, is_audit_content=False)]


async def _position(services: QueryServices, request: Request, scope: Scope) -> Any:
    given = Parameters(request.query_params.multi_items(), ("wait_s",))
    wait_s = _wait_s(given.one("wait_s"))
    try:
        offsets = read_position(
            services.position_secret, scope.organization, request.path_params["position"]
        )
    except UnknownPositionError as error:
        raise not_found("there is no such position") from error
    deadline_s = time.monotonic() + wait_s
    while not _is_visible(offsets, await _watermarks(services)):
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return {"visible": False}
        await asyncio.sleep(min(FRESH_S, left_s))
    return {"visible": True}


async def _watermarks(services: QueryServices) -> Mapping[int, Watermark]:
    """Of the generation that lives now: that of the last look may be filled no more."""
    with one_generation():
        return await services.watermarks.current()


def _wait_s(text: str | None) -> float:
    if text is None:
        return 0.0
    if _SECONDS.fullmatch(text) is None or float(text) > WAIT_S_MAX:
        refuse("wait_s", f"seconds from 0 to {WAIT_S_MAX}")
    return float(text)


def _is_visible(offsets: Mapping[int, int], watermarks: Mapping[int, Watermark]) -> bool:
    return all(
        partition in watermarks and watermarks[partition].offset >= offset
        for partition, offset in offsets.items()
    )
