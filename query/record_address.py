"""The address of one record, `{kind}/{id}[?workspace=]`, and who it belongs to."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from starlette.requests import Request

from query.missing import not_found
from query.services import QueryServices
from runtime.http import Problem
from schemas.kinds import Kind
from timeline.entry_query import read_entries
from timeline.entry_row import EntryColumns
from timeline.parameters import NAME, UUID, Parameters
from timeline.scope import Scope


class RecordAddress(NamedTuple):
    kind: str
    id: str
    workspace: str | None  # None: whichever it lives in


def record_address(request: Request, parameters: Iterable[str] = ("workspace",)) -> RecordAddress:
    """Raises the 404 problem for what can be no record, and RefusedError naming a parameter.

    `parameters` are all that may be given.
    """
    given = Parameters(request.query_params.multi_items(), parameters)
    given.one("workspace")
    workspace = next(iter(given.texts("workspace", NAME)), None)
    kind = request.path_params["kind"]
    try:
        id_ = UUID.validate_python(request.path_params["id"])
    except ValidationError as error:
        raise no_such_record() from error
    if kind not in Kind._value2member_map_:
        raise no_such_record()
    return RecordAddress(kind, id_, workspace)


async def read_addressed(
    services: QueryServices, scope: Scope, address: RecordAddress
) -> EntryColumns:
    """The one entry of this address. Raises the 404 and 409 problems."""
    rows = await read_entries(services.store, scope, *address)
    if not rows:
        raise no_such_record()
    if len(rows) > 1:
        raise several_workspaces([row["workspace"] for row in rows])
    return rows[0]


def no_such_record() -> Problem:
    return not_found("there is no such record")


def several_workspaces(workspaces: Sequence[str]) -> Problem:
    return Problem(
        "conflict",
        status=409,
        title="The id is not unique",
        detail="this id lives in several workspaces; say which: `?workspace=`",
        members={"workspaces": list(workspaces)},
    )
