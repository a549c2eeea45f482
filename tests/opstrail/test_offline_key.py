"""Keys made in the control database itself, on both of them."""

import pytest

from control.api_key import digest
from control.database import Control
from control.keys import Key, find_key
from control.principals import list_principals
from control.roles import Role
from schemas.kinds import ActorKind
from tests.control.conftest import control as control
from tests.control.conftest import control_url as control_url
from tests.control.conftest import empty_control as empty_control
from tests.control.conftest import postgresql_url as postgresql_url
from tests.control.conftest import sqlite_url as sqlite_url
from tests.control.world import keys_of, settle
from tests.opstrail.conftest import Ended, Opstrail

CREATE = ("keys", "create", "--offline", "--organization", "acme", "--role", "admin")


@pytest.fixture(autouse=True)
def nobodys(opstrail: Opstrail, control_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no server: only the database."""
    monkeypatch.setenv("OPSTRAIL_CONTROL_URL", control_url)
    monkeypatch.setenv("OPSTRAIL_KEY", "")
    monkeypatch.setenv("OPSTRAIL_URL", "http://127.0.0.1:1")


def key_of(control: Control, ended: Ended) -> Key:
    assert ended.exit_code == 0, ended.err
    with control.reading() as connection:
        key = find_key(connection, digest(control.installation().pepper, ended.text.strip()))
    assert key is not None
    return key


def test_a_key_is_made_without_a_key(opstrail: Opstrail, control: Control) -> None:
    settle(control, "acme")

    ended = opstrail(
        *(*CREATE, "--principal", "anna", "--role", "operator", "--workspace", "team-*"),
        *("--name", "found again", "--expires", "2126-01-01T00:00:00Z"),
    )

    key = key_of(control, ended)
    assert (key.organization, key.principal, key.principal_kind) == (
        "acme",
        "anna",
        ActorKind.PERSON,
    )
    assert key.roles == {Role.ADMIN, Role.OPERATOR}
    assert key.workspace_patterns == ("team-*",)
    assert (key.name, key.expires_at and key.expires_at.year) == ("found again", 2126)
    assert key.key_id in ended.err
    assert ended.text.strip() not in ended.err


@pytest.mark.parametrize(
    ("more", "kind"), [((), ActorKind.SERVICE), (("--kind", "person"), ActorKind.PERSON)]
)
def test_a_principal_that_is_missing_is_made(
    opstrail: Opstrail, control: Control, more: tuple[str, ...], kind: ActorKind
) -> None:
    settle(control, "acme")

    key = key_of(control, opstrail(*CREATE, "--principal", "rescue", *more))

    assert (key.principal, key.principal_kind) == ("rescue", kind)


def test_an_organization_that_is_missing_is_not_made(opstrail: Opstrail, control: Control) -> None:
    settle(control, "globex")

    ended = opstrail(*CREATE, "--principal", "rescue")

    assert ended.exit_code == 1
    assert "no such organization" in ended.err
    assert "OPSTRAIL_CONTROL_URL" in ended.err


def test_a_bad_value_is_named_and_leaves_nothing_behind(
    opstrail: Opstrail, control: Control
) -> None:
    settle(control, "acme")

    ended = opstrail(*CREATE, "--principal", "rescue", "--name", "a\nb")

    assert (ended.exit_code, ended.out) == (1, b"")
    assert ended.err.startswith("opstrail: name: ")
    assert keys_of(control, "acme") == []
    with control.reading() as connection:
        assert "rescue" not in {each.name for each in list_principals(connection, "acme")}


def test_a_database_that_is_not_prepared_is_exit_code_69(
    opstrail: Opstrail, empty_control: Control
) -> None:
    ended = opstrail(*CREATE, "--principal", "rescue")

    assert ended.exit_code == 69
    assert "opstrail init" in ended.err
