"""POST /v1/backup: all that an installation of one process holds, for who operates it.

Must stay true: it is on record before its first byte. It holds every organization's trail, so a key
narrowed to workspaces never gets it.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from query.access import principal_of, reading_route
from query.services import QueryServices
from runtime.http import Problem, forbidden
from schemas.access_event import AccessAction
from timeline.parameters import Parameters
from timeline.scope import Scope

PATH: Final = "/v1/backup"


def backup_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route(
            PATH, services, _answer, role=Role.OPERATOR, method="POST", action=AccessAction.EXPORT
        )
    ]


async def _answer(services: QueryServices, request: Request, _scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    if principal_of(request).workspace_patterns is not None:
        raise forbidden("A key narrowed to workspaces cannot take a backup: it holds them all.")
    if services.backups is None:
        raise not_embedded()
    return await services.backups.answer()


def not_embedded() -> Problem:
    """409, of a server that holds no data itself."""
    return Problem(
        "not_embedded",
        status=409,
        title="The data is not here",
        detail="This installation keeps its data in Kafka, ClickHouse and its control database."
        " Back those up; docs/backup.md says how.",
    )
