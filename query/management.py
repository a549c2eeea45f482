"""What managing organizations, principals and keys has in common.

Must stay true:
- A key narrowed to workspaces manages nothing: a key it made could reach what it cannot.
- The control database is waited for in threads only.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control.database import Control
from control.errors import AlreadyExistsError
from control.pages import Page
from control.roles import Role
from query.access import Reading, principal_of, reading_route
from query.services import QueryServices
from runtime.http import Problem, forbidden, json_response
from timeline.cursor import read_name_cursor, write_name_cursor
from timeline.parameters import Parameters
from timeline.scope import Scope

T = TypeVar("T")
ItemJson: TypeAlias = dict[str, Any]

PAGE_PARAMETERS: Final = ("limit", "cursor")


def managing_route(
    path: str, services: QueryServices, answer: Reading, *, role: Role, method: str = "GET"
) -> Route:
    """A `reading_route` for keys that are not narrowed to workspaces."""

    async def managed(services: QueryServices, request: Request, scope: Scope) -> Any:
        if principal_of(request).workspace_patterns is not None:
            raise forbidden(
                "A key narrowed to workspaces cannot manage organizations, principals or keys."
            )
        return await answer(services, request, scope)

    return reading_route(path, services, managed, role=role, method=method)


async def read(control: Control, work: Callable[[Connection], T]) -> T:
    """What `work` reads, in a thread. Raises ControlUnavailableError, and what `work` raises."""

    def reading() -> T:
        with control.reading() as connection:
            return work(connection)

    return await asyncio.to_thread(reading)


async def change(control: Control, work: Callable[[Connection], T]) -> T:
    """What `work` does, in a thread and one transaction.

    Raises the 409 problem for a name that is taken; ControlUnavailableError: the outcome is
    unknown; and what `work` raises.
    """

    def changing() -> T:
        with control.writing() as connection:
            return work(connection)

    try:
        return await asyncio.to_thread(changing)
    except AlreadyExistsError as error:
        raise Problem(
            error.code,
            status=409,
            title="The name is taken",
            detail=str(error),
            members={"field": error.field},
        ) from None


def created(item: ItemJson) -> Response:
    """201. Some of these hold a key, and none is worth keeping."""
    return json_response(item, status=201, headers={"Cache-Control": "no-store"})


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list sorted by one text of its items; `noun` tells its cursors from those of others."""

    noun: str
    sorted_by: str
    names: TypeAdapter[str]  # what that text may be

    def page(self, parameters: Parameters) -> Page:
        """One more than is asked for: whether there is more. Raises RefusedError."""
        after = read_name_cursor(self.noun, parameters.one("cursor"), self.names)
        return Page(after=after, limit=parameters.limit() + 1)

    def json(self, page: Page, items: Sequence[ItemJson]) -> ItemJson:
        """The answer, of the items read for this page."""
        is_more = len(items) == page.limit
        shown = items[: page.limit - 1]
        next_cursor = write_name_cursor(self.noun, shown[-1][self.sorted_by]) if is_more else None
        return {"items": shown, "next_cursor": next_cursor}
