"""GET /v1/timeline and the same for each kind: a page as JSON, or all of it as a file."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from query.access import Reading, reading_route
from query.entry_export import EntryExport
from query.export_format import other_parameters
from query.export_pages import export_form, page_sizes, with_watermark
from query.services import QueryServices
from schemas.kinds import Kind
from timeline.entry_json import entries_json
from timeline.entry_row import EntryColumns
from timeline.environment_query import read_environments
from timeline.filters import Filters, parse_filters
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.timeline_query import read_page


def list_routes(services: QueryServices) -> list[Route]:
    lists: tuple[Kind | None, ...] = (None, *Kind)
    return [reading_route(f"/v1/{_name(kind)}", services, _list_of(kind)) for kind in lists]


def _name(kind: Kind | None) -> str:
    """None: the timeline, which holds every kind."""
    return "timeline" if kind is None else f"{kind.value.replace('_', '-')}s"


def _list_of(kind: Kind | None) -> Reading:
    async def answer(services: QueryServices, request: Request, scope: Scope) -> Any:
        form = export_form(request)
        asked = parse_filters(other_parameters(request))
        filters = _of_kind(asked, kind)
        # Before the rows: what it promises is then among them.
        watermark = await services.watermarks.json(services.partitions)
        if form is not None:
            sizes = page_sizes(request, asked.limit)
            export = EntryExport(services, scope, kind, filters, sizes)
            file = export.response(form, filename=_name(kind) + form.suffix)
            return with_watermark(file, watermark)
        if filters is None:
            return {"items": [], "next_cursor": None, "watermark": watermark}
        moment = services.moment()
        page = await read_page(services.store, scope, filters, moment)
        return {
            "items": await shown_entries(services, scope, page.rows, moment),
            "next_cursor": page.next_cursor,
            "watermark": watermark,
        }

    return answer


def _of_kind(filters: Filters, kind: Kind | None) -> Filters | None:
    """The filters inside the list of this kind; None: they ask for others, and nothing is both."""
    if kind is None:
        return filters
    if filters.kinds and kind.value not in filters.kinds:
        return None
    return replace(filters, kinds=(kind.value,))


async def shown_entries(
    services: QueryServices, scope: Scope, rows: list[EntryColumns], moment: Moment
) -> list[dict[str, Any]]:
    """Entries as the API shows them, with the environments of their workspaces."""
    environments = await read_environments(
        services.store, scope.organization, (row["workspace"] for row in rows)
    )
    return entries_json(rows, environments, moment)
