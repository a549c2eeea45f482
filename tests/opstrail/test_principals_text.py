from opstrail.principals_text import print_principals
from tests.opstrail.printed import printed
from tests.opstrail.samples import LONG

MADE = {"created_at": "2026-03-19T13:58:41.000000Z"}


def test_a_principal_is_a_row() -> None:
    items = [{"name": "anna", "kind": "person", **MADE}, {"name": "ci", "kind": "service", **MADE}]

    assert printed(print_principals, items) == (
        "principal  kind     made (UTC)\n"
        "anna       person   2026-03-19 13:58\n"
        "ci         service  2026-03-19 13:58\n"
    )


def test_no_principals_are_said_to_be_none() -> None:
    assert printed(print_principals, []) == "no principals\n"


def test_a_long_name_is_broken_and_not_cut() -> None:
    text = printed(print_principals, [{"name": LONG, "kind": "person", **MADE}])

    assert text.count("x") == len(LONG)
