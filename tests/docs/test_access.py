"""docs/access.md says of every address and role what the routes and the code say."""

from starlette.routing import Route

from control.roles import IMPLIED_ROLES, Role
from ingest.app import EVENTS_PATH
from query.access import KeyRoute
from tests.docs.tables import DOCS, code, table_rows
from tests.opstrail.test_openapi import everything

PAGE = DOCS / "access.md"
PUBLIC = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/{asset}"}


def said_of(route: Route) -> str:
    """Which role it takes, as the page says it."""
    if isinstance(route, KeyRoute):
        roles = [role for role in (route.role, route.or_role) if role is not None]
        return " or ".join(f"`{role}`" for role in roles)
    if route.path == EVENTS_PATH:
        return f"`{Role.SUBMIT}`"
    # A new address without a key is a decision, and this is where it shows.
    assert route.path in PUBLIC, f"{route.path} takes no key"
    return "no key"


def test_the_table_lists_every_address_with_its_role_and_no_other() -> None:
    expected = {
        (route.path, method): said_of(route)
        for route in everything().routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    rows = table_rows(PAGE, "Address")

    assert {(code(address), method): role for address, method, role in rows} == expected
    assert len(rows) == len(expected)


def test_the_table_of_roles_says_what_each_brings_along() -> None:
    table = {code(role): brings for role, _, brings in table_rows(PAGE, "Role")}

    assert table == {
        role.value: ", ".join(f"`{each}`" for each in Role if each in IMPLIED_ROLES[role]) or "-"
        for role in Role
    }
