"""GET /v1/cli-instances and /v1/cli-instances/{id}: the register.

An instance belongs to no workspace, so a key that is narrowed to workspaces sees all of them.
"""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.export_format import other_parameters
from query.export_pages import export_form, page_sizes, with_watermark
from query.instance_export import InstanceExport
from query.missing import not_found
from query.services import QueryServices
from timeline.instance_query import parse_instance_filters, read_instance, read_instances
from timeline.parameters import INSTANCE_ID, Parameters
from timeline.scope import Scope


def instance_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route("/v1/cli-instances", services, _list),
        reading_route("/v1/cli-instances/{id}", services, _one),
    ]


async def _list(services: QueryServices, request: Request, scope: Scope) -> Any:
    form = export_form(request)
    filters = parse_instance_filters(other_parameters(request))
    watermark = await services.watermarks.json(services.partitions)
    if form is not None:
        sizes = page_sizes(request, filters.limit)
        export = InstanceExport(services.store, scope.organization, filters, sizes)
        answer = export.response(form, filename=f"cli-instances{form.suffix}")
        return with_watermark(answer, watermark)
    page = await read_instances(services.store, scope.organization, filters)
    return {"items": page.items, "next_cursor": page.next_cursor, "watermark": watermark}


async def _one(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    missing = not_found("there is no such CLI instance")
    try:
        id_ = INSTANCE_ID.validate_python(request.path_params["id"])
    except ValidationError as error:
        raise missing from error
    instance = await read_instance(services.store, scope.organization, id_)
    if instance is None:
        raise missing
    return instance
