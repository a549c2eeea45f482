"""The first key of an organization."""

import secrets

import pytest

from control.api_key import digest
from control.database import Control
from control.errors import AlreadyExistsError, InvalidValueError
from control.founding import found_organization
from control.keys import CreatedKey, find_key
from control.organizations import list_organizations
from control.roles import Role
from tests.control.world import NOON, keys_of, settle


def found(control: Control, name: str) -> CreatedKey:
    pepper = control.installation().pepper
    with control.writing() as connection:
        return found_organization(
            connection, name, pepper=pepper, random_bytes=secrets.token_bytes, now=NOON
        )


def test_a_new_organization_has_one_key_that_administers_it(control: Control) -> None:
    created = found(control, "acme")

    assert keys_of(control, "acme") == [created.key]
    assert (created.key.principal, created.key.roles) == ("admin", frozenset({Role.ADMIN}))
    assert created.key.is_manager
    with control.reading() as connection:
        pepper = control.installation().pepper
        assert find_key(connection, digest(pepper, created.text)) == created.key


def test_an_organization_that_is_there_gets_no_key(control: Control) -> None:
    settle(control, "acme")

    with pytest.raises(AlreadyExistsError):
        found(control, "acme")
    assert keys_of(control, "acme") == []


def test_a_bad_name_makes_nothing(control: Control) -> None:
    with pytest.raises(InvalidValueError):
        found(control, "a b")
    with control.reading() as connection:
        assert list_organizations(connection) == []
