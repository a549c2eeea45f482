"""What a key may do, and which role brings which others with it. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """Each but `operator` is about one organization: the key's."""

    SUBMIT = "submit"  # send events
    READ = "read"  # timeline and cases
    ANALYST = "analyst"  # SQL and exports
    ADMIN = "admin"  # keys, labels, settings, dead letters of the organization
    OPERATOR = "operator"  # the installation; no reading of audit content


IMPLIED_ROLES: Final[dict[Role, frozenset[Role]]] = {
    Role.SUBMIT: frozenset(),
    Role.READ: frozenset(),
    Role.ANALYST: frozenset({Role.READ}),
    Role.ADMIN: frozenset({Role.SUBMIT, Role.READ, Role.ANALYST}),
    Role.OPERATOR: frozenset(),
}


def effective_roles(granted: Iterable[Role]) -> frozenset[Role]:
    """The roles granted and all that they imply.

    One look per role is enough: the table holds what is implied at second hand as well.
    """
    roles = frozenset(granted)
    return roles.union(*(IMPLIED_ROLES[role] for role in roles))


def known_roles(names: Iterable[str]) -> frozenset[Role]:
    """The roles of these names; a name that a newer version wrote grants nothing here."""
    return frozenset(Role(name) for name in names if name in Role._value2member_map_)
