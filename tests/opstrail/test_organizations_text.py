from opstrail.organizations_text import print_organizations
from tests.opstrail.printed import printed


def test_an_organization_is_a_row() -> None:
    items = [{"name": "acme", "created_at": "2026-03-19T13:58:41.000000Z"}]

    assert printed(print_organizations, items) == (
        "organization  made (UTC)\nacme          2026-03-19 13:58\n"
    )


def test_no_organizations_are_said_to_be_none() -> None:
    assert printed(print_organizations, []) == "no organizations\n"
