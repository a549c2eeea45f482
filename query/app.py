"""The read API, put together."""

from collections.abc import Mapping

from starlette.routing import Route
from starlette.types import ASGIApp

from query.access_log import access_log_routes
from query.cases import case_routes
from query.dead_letters import dead_letter_routes
from query.deployments import deployment_routes
from query.gaps import gap_routes
from query.health import Check, health_routes
from query.history import history_routes
from query.incidents import incident_routes
from query.instances import instance_routes
from query.keys import key_routes
from query.lists import list_routes
from query.organizations import organization_routes
from query.positions import position_routes
from query.principals import principal_routes
from query.records import record_routes
from query.services import QueryServices
from query.sql import sql_routes
from query.summary import summary_routes
from query.workspaces import workspace_routes
from runtime.http import build_app


def query_routes(services: QueryServices) -> list[Route]:
    """Everything under /v1 but sending."""
    return [
        *list_routes(services),
        *record_routes(services),
        *case_routes(services),
        *incident_routes(services),
        *history_routes(services),
        *dead_letter_routes(services),
        *instance_routes(services),
        *gap_routes(services),
        *workspace_routes(services),
        *position_routes(services),
        *summary_routes(services),
        *deployment_routes(services),
        *sql_routes(services),
        *organization_routes(services),
        *principal_routes(services),
        *key_routes(services),
        *access_log_routes(services),
    ]


def build_query_app(services: QueryServices, checks: Mapping[str, Check] | None = None) -> ASGIApp:
    """The query process: the read API and its health. `checks` besides the timeline store's."""
    dependencies: dict[str, Check] = {"timeline": services.store.ping, **(checks or {})}
    lags = {"timeline": services.lag_s}
    return build_app([*query_routes(services), *health_routes(dependencies, lags)])
