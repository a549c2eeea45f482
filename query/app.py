"""The read API, put together."""

from collections.abc import Mapping

from starlette.routing import Route
from starlette.types import ASGIApp

from query.health import health_routes
from query.instances import instance_routes
from query.lists import list_routes
from query.positions import position_routes
from query.records import record_routes
from query.services import Check, QueryServices
from runtime.http import build_app


def query_routes(services: QueryServices) -> list[Route]:
    """Everything under /v1 that reads."""
    return [
        *list_routes(services),
        *record_routes(services),
        *instance_routes(services),
        *position_routes(services),
    ]


def build_query_app(services: QueryServices, checks: Mapping[str, Check] | None = None) -> ASGIApp:
    """The query process: the read API and its health. `checks` besides the timeline store's."""
    dependencies: dict[str, Check] = {"timeline": services.store.ping, **(checks or {})}
    return build_app([*query_routes(services), *health_routes(dependencies)])
