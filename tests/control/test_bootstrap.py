"""The first start of an installation."""

from control.api_key import digest, is_well_formed
from control.bootstrap import bootstrap
from control.database import Control
from control.keys import find_key
from control.organizations import create_organization
from control.roles import Role
from schemas.kinds import ActorKind
from tests.control.test_migration import at_once
from tests.control.world import NOON, keys_of

_BOOTSTRAP = """
import sys
from control.bootstrap import bootstrap
from control.database import open_control
control = open_control(sys.argv[1])
sys.stdin.readline()
print(bootstrap(control))
"""


def test_the_first_start_gives_a_key_of_default_that_may_do_everything(
    empty_control: Control,
) -> None:
    text = bootstrap(empty_control)

    assert text is not None
    assert is_well_formed(text)
    with empty_control.reading() as connection:
        key = find_key(connection, digest(empty_control.installation().pepper, text))
    assert key is not None
    assert (key.organization, key.principal, key.principal_kind, key.roles) == (
        "default",
        "admin",
        ActorKind.SERVICE,
        frozenset({Role.ADMIN, Role.OPERATOR}),
    )
    assert key.expires_at is None
    assert key.workspace_patterns is None


def test_the_key_is_shown_once(empty_control: Control) -> None:
    assert bootstrap(empty_control) is not None
    assert bootstrap(empty_control) is None
    assert len(keys_of(empty_control, "default")) == 1


def test_of_four_processes_at_once_one_gets_the_key(control_url: str) -> None:
    said = at_once(_BOOTSTRAP, control_url, 4)

    assert sorted(is_well_formed(text) for text in said) == [False, False, False, True]
    assert said.count("None") == 3


def test_an_organization_already_there_is_not_in_the_way(control: Control) -> None:
    with control.writing() as connection:
        create_organization(connection, "default", now=NOON)

    assert bootstrap(control) is not None
