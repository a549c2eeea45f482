"""Organizations."""

import pytest

from control.database import Control
from control.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from control.organizations import (
    Organization,
    create_organization,
    list_organizations,
    organization_exists,
    organization_id,
)
from control.pages import Page
from tests.control.world import NOON


def test_an_organization_once_made_is_listed(control: Control) -> None:
    with control.writing() as connection:
        made = create_organization(connection, "acme", now=NOON)
        assert list_organizations(connection) == [made]
        assert organization_exists(connection, "acme")

    assert made == Organization(name="acme", created_at=NOON)


def test_a_name_is_taken_once_and_the_transaction_goes_on(control: Control) -> None:
    with control.writing() as connection:
        create_organization(connection, "acme", now=NOON)
        with pytest.raises(AlreadyExistsError) as refused:
            create_organization(connection, "acme", now=NOON)
        create_organization(connection, "Acme", now=NOON)

    assert (refused.value.code, refused.value.field) == ("already_exists", "name")


def test_a_bad_name_is_refused(control: Control) -> None:
    with control.writing() as connection, pytest.raises(InvalidValueError):
        create_organization(connection, "a b", now=NOON)


def test_an_organization_that_is_not_there_is_not_found(control: Control) -> None:
    with control.reading() as connection, pytest.raises(NotFoundError):
        organization_id(connection, "acme")


def test_pages_follow_one_another_byte_by_byte(control: Control) -> None:
    names = ["_x", "B", "a", "a-b", "a.b", "ab", "C"]
    with control.writing() as connection:
        for name in names:
            create_organization(connection, name, now=NOON)
        pages, after = [], ""
        while page := list_organizations(connection, Page(after=after, limit=2)):
            pages.append([organization.name for organization in page])
            after = pages[-1][-1]

    assert pages == [["B", "C"], ["_x", "a"], ["a-b", "a.b"], ["ab"]]
