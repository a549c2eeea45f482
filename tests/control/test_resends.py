"""Which dead letters were resent."""

from datetime import timedelta

import pytest

from control.database import Control
from control.errors import NotFoundError
from control.resends import Resend, begin_resend, read_resends, settle_resend
from tests.control.world import NOON, settle

PLACE = "0-4711-0"


def begin(control: Control, organization: str = "acme", *, hours: int = 0) -> None:
    with control.writing() as connection:
        now = NOON + timedelta(hours=hours)
        begin_resend(connection, organization=organization, place=PLACE, now=now)


def settled(control: Control, position: str, *, hours: int = 0) -> None:
    with control.writing() as connection:
        now = NOON + timedelta(hours=hours)
        settle_resend(connection, organization="acme", place=PLACE, position=position, now=now)


def read(control: Control, organization: str = "acme", *places: str) -> dict[str, Resend]:
    with control.reading() as connection:
        return read_resends(connection, organization, places or [PLACE])


@pytest.fixture(autouse=True)
def organizations(control: Control) -> None:
    settle(control, "acme", "globex")


def test_one_that_was_begun_is_known_before_the_log_answers(control: Control) -> None:
    assert read(control) == {}
    begin(control)

    assert read(control) == {PLACE: Resend(NOON, None)}


def test_the_last_one_that_worked_counts(control: Control) -> None:
    begin(control)
    settled(control, "abc")
    begin(control, hours=1)
    assert read(control) == {PLACE: Resend(NOON, "abc")}

    settled(control, "def", hours=1)
    assert read(control) == {PLACE: Resend(NOON + timedelta(hours=1), "def")}


def test_each_organization_has_its_own(control: Control) -> None:
    begin(control, "globex")
    settled(control, "abc")

    assert read(control) == {}
    assert read(control, "globex") == {PLACE: Resend(NOON, None)}
    assert read(control, "nobody") == {}


def test_of_an_organization_that_is_not_there_nothing_is_noted(control: Control) -> None:
    with pytest.raises(NotFoundError):
        begin(control, "nobody")


def test_more_are_asked_for_than_one_statement_takes(control: Control) -> None:
    begin(control)
    others = [f"1-{number}-0" for number in range(2_500)]

    assert read(control, "acme", *others, PLACE) == {PLACE: Resend(NOON, None)}
