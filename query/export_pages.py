"""What exports of lists have in common: who may have one, how many rows at a time, its headers."""

from collections.abc import Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from control.roles import Role
from query.access import principal_of, require_role
from query.export_format import ExportFormat, negotiate

# A first page that is there soon, then ones whose cost is in their rows.
_PAGE_ROWS_FIRST: Final = 100
_PAGE_ROWS_MAX: Final = 10_000

COMPLETE_UNTIL_HEADER: Final = "Opstrail-Complete-Until"


def export_form(request: Request) -> ExportFormat | None:
    """The form of the answer; None: JSON. Raises what `negotiate` does, and 403."""
    form = negotiate(request)
    if form is not None:
        require_role(principal_of(request), Role.ANALYST)
    return form


def page_sizes(request: Request, limit: int) -> Iterator[int]:
    """Rows of each page to read. A `limit` that the request states is one page and no more."""
    if "limit" in request.query_params:
        yield limit
        return
    yield _PAGE_ROWS_FIRST
    while True:
        yield _PAGE_ROWS_MAX


def with_watermark(response: Response, watermark: dict[str, Any]) -> Response:
    """What JSON tells in the body."""
    if watermark["complete_until"] is not None:
        response.headers[COMPLETE_UNTIL_HEADER] = watermark["complete_until"]
    return response
