from typing import Any

from opstrail.keys_text import print_keys
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP


def key(**fields: Any) -> dict[str, Any]:
    return {
        "key_id": "key-3f9a1c0e77b2",
        "principal": "ci",
        "principal_kind": "service",
        "name": "deploys",
        "roles": ["submit"],
        "workspaces": ["shop", "team-*"],
        "active": True,
        "created_at": "2026-03-19T13:58:41.000000Z",
        "last_used_on": "2026-03-24",
        "expires_at": None,
        "revoked_at": None,
        **fields,
    }


def test_a_key_is_a_row_with_what_it_is_for() -> None:
    assert printed(print_keys, [key()], width=100) == (
        "key               principal  roles   state\n"
        "key-3f9a1c0e77b2  ci         submit  active\n"
        "                  deploys; workspaces shop, team-*; made 2026-03-19; last used"
        " 2026-03-24\n"
    )


def test_a_key_says_how_it_ended() -> None:
    end = "2026-03-24T12:30:00.000000Z"
    expired = printed(print_keys, [key(active=False, expires_at=end, workspaces=None)])
    revoked = printed(print_keys, [key(active=False, expires_at=end, revoked_at=end)])

    assert squeezed("submit expired") in squeezed(expired)
    assert squeezed("every workspace") in squeezed(expired)
    assert squeezed("expires 2026-03-24 12:30") in squeezed(expired)
    assert squeezed("submit revoked") in squeezed(revoked)
    assert squeezed("revoked 2026-03-24 12:30") in squeezed(revoked)


def test_no_keys_are_said_to_be_none() -> None:
    assert printed(print_keys, []) == "no keys\n"


def test_ids_stay_whole_whatever_stands_beside_them() -> None:
    roles = ["admin", "analyst", "operator", "read", "submit"]

    text = printed(print_keys, [key(principal=LONG, name=MARKUP, roles=roles, last_used_on=None)])

    assert "key-3f9a1c0e77b2" in text
    assert "last used never" in " ".join(text.split())
