"""People and service accounts."""

import pytest

from control.database import Control
from control.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from control.organizations import create_organization
from control.pages import Page
from control.principals import (
    create_principal,
    ensure_principal,
    list_principals,
    principal_exists,
)
from schemas.kinds import ActorKind
from tests.control.world import NOON, settle


def test_a_principal_once_made_is_listed_in_its_organization_only(control: Control) -> None:
    with control.writing() as connection:
        create_organization(connection, "acme", now=NOON)
        create_organization(connection, "globex", now=NOON)
        made = create_principal(
            connection,
            organization="acme",
            name="Anna Müller <anna@example.com>",
            kind=ActorKind.PERSON,
            now=NOON,
        )

        assert list_principals(connection, "acme") == [made]
        assert principal_exists(connection, organization="acme", name=made.name)
        assert list_principals(connection, "globex") == []
        assert not principal_exists(connection, organization="globex", name=made.name)


def test_a_name_is_taken_once_in_each_organization(control: Control) -> None:
    settle(control, "acme", "globex")
    with control.writing() as connection, pytest.raises(AlreadyExistsError):
        create_principal(
            connection, organization="acme", name="ci", kind=ActorKind.PERSON, now=NOON
        )


@pytest.mark.parametrize("name", ["", "ci ", "a\nb", "x" * 129])
def test_a_bad_name_is_refused(control: Control, name: str) -> None:
    settle(control, "acme")
    with control.writing() as connection, pytest.raises(InvalidValueError):
        create_principal(
            connection, organization="acme", name=name, kind=ActorKind.PERSON, now=NOON
        )


def test_a_principal_is_made_once_and_stays_as_it_is(control: Control) -> None:
    settle(control, "acme")
    with control.writing() as connection:
        made = [
            ensure_principal(
                connection, organization="acme", name=name, kind=ActorKind.PERSON, now=NOON
            )
            for name in ("bob", "bob", "ci")
        ]
        listed = list_principals(connection, "acme")

    assert made == [True, False, False]
    assert {each.name: each.kind for each in listed} == {
        "anna": ActorKind.PERSON,
        "bob": ActorKind.PERSON,
        "ci": ActorKind.SERVICE,
    }


def test_a_principal_needs_an_organization(control: Control) -> None:
    with control.writing() as connection, pytest.raises(NotFoundError):
        create_principal(
            connection, organization="acme", name="ci", kind=ActorKind.SERVICE, now=NOON
        )


def test_pages_follow_one_another(control: Control) -> None:
    settle(control, "acme", "globex")
    with control.reading() as connection:
        (first,) = list_principals(connection, "acme", Page(limit=1))
        rest = list_principals(connection, "acme", Page(after=first.name))

    assert (first.name, [principal.name for principal in rest]) == ("anna", ["ci"])
