"""Keys of people and services of an organization that a running installation gets for a test.

The control database is opened beside the processes that use it, as `opstrail keys create` does.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from control.database import open_control
from control.keys import NewKey, create_key
from control.organizations import create_organization, organization_exists
from control.principals import create_principal, principal_exists
from control.roles import Role
from schemas.kinds import ActorKind
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail


class Keys:
    """Makes keys of one organization, which it makes itself when it is new; close when done."""

    def __init__(self, system: EmbeddedOpstrail | DistributedOpstrail, organization: str) -> None:
        self.organization = organization
        self._control = open_control(_control_url(system))
        with self._control.writing() as connection:
            if not organization_exists(connection, organization):
                create_organization(connection, organization, now=datetime.now(UTC))

    def key_for(self, name: str, kind: ActorKind, roles: Sequence[Role]) -> str:
        """A new key of a principal, made if need be."""
        now = datetime.now(UTC)
        with self._control.writing() as connection:
            if not principal_exists(connection, organization=self.organization, name=name):
                create_principal(
                    connection, organization=self.organization, name=name, kind=kind, now=now
                )
            created = create_key(
                connection,
                NewKey(
                    organization=self.organization,
                    principal=name,
                    name="for a test",
                    roles=frozenset(roles),
                ),
                pepper=self._control.installation().pepper,
                random_bytes=secrets.token_bytes,
                now=now,
            )
        return created.text

    def close(self) -> None:
        self._control.close()


def _control_url(system: EmbeddedOpstrail | DistributedOpstrail) -> str:
    if isinstance(system, EmbeddedOpstrail):
        return f"sqlite:///{(system.folder / 'data' / 'control.db').absolute()}"
    return system.variables["OPSTRAIL_CONTROL_URL"]
