"""Brings a control database to the newest version, and makes the installation's secrets.

Must stay true:
- All of it is one transaction, and only one process at a time is inside: whoever comes second
  finds it done.
- Only forward. A database from a newer version is left as it is.
"""

import secrets
import threading
from datetime import UTC, datetime
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from control.dialects import insert_into, take_turn
from control.tables import INSTALLATION
from runtime.errors import SettingsError

_SECRET_BYTES: Final = 32
# Alembic keeps the migration that runs in a global: one at a time per process, whatever database.
_ALEMBIC_LOCK: Final = threading.Lock()


def upgrade(connection: Connection) -> None:
    """In the transaction of `connection`, which is one for writing; the caller commits.

    Raises SettingsError: the database was made by a newer version.
    """
    take_turn(connection)
    # Found as a resource of the package: works from any folder, with any path.
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "control:migrations")
    with _ALEMBIC_LOCK:
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SettingsError(
                "OPSTRAIL_CONTROL_URL names a database that a newer version of Opstrail made; "
                "use that version"
            ) from error
    _make_secrets(connection)


def _make_secrets(connection: Connection) -> None:
    connection.execute(
        insert_into(connection, INSTALLATION)
        .values(
            id=1,
            pepper=secrets.token_bytes(_SECRET_BYTES),
            position_secret=secrets.token_bytes(_SECRET_BYTES),
            created_at=datetime.now(UTC),
        )
        .on_conflict_do_nothing()
    )
