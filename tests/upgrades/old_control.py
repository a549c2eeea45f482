"""A control database as an earlier revision left it, with one organization and a key that works.

Must stay true: nothing here comes from the product's own tables. `frozen/control-*.sql` is what the
revisions made on SQLite and is never changed; on PostgreSQL the revisions' own migrations make the
tables, which a test holds to the frozen ones on SQLite.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from tests.upgrades.old_timeline import FROZEN, ORGANIZATION

REVISIONS: Final = tuple(
    sorted(path.stem.rpartition("-")[2] for path in FROZEN.glob("control-*.sql"))
)
# The key whose secret is all zeros: no scanner takes it for one that leaked.
ADMIN_KEY: Final = "opstrail_" + "0" * 32 + "3V6yQU"
POSITION_SECRET: Final = b"s" * 32
# What the first version answered for the second envelope of partition 0.
POSITION: Final = "nxOSrSHLr6jElyEclqFGS5GSAAI"
_ADMIN_KEY_DIGEST: Final = "8f0e98181485852f615b6c3aef18acc4f8d480351fa04cd06a0687cdc38ea2fa"
_MADE_AT: Final = datetime(2026, 3, 24, 15, 59, tzinfo=UTC)
# In this order, because of their references.
_ROWS: Final[dict[str, dict[str, Any]]] = {
    "installation": {
        "id": 1,
        "pepper": b"p" * 32,
        "position_secret": POSITION_SECRET,
        "created_at": _MADE_AT,
    },
    "organizations": {"id": 1, "name": ORGANIZATION, "created_at": _MADE_AT},
    "principals": {
        "id": 1,
        "organization_id": 1,
        "name": "admin",
        "kind": "service",
        "created_at": _MADE_AT,
    },
    "keys": {
        "key_id": "key-00c0ffee0001",
        "organization_id": 1,
        "principal_id": 1,
        "hash": bytes.fromhex(_ADMIN_KEY_DIGEST),
        "name": "first key",
        "roles": '["admin"]',
        "created_at": _MADE_AT,
    },
    "workspaces": {
        "organization_id": 1,
        "name": "acme-prod",
        "environment": "production",
        "labels": '{"team": "web"}',
        "registered_at": _MADE_AT,
        "updated_at": _MADE_AT,
    },
}


def insert_old_rows(connection: Connection) -> None:
    """As the first revision wrote them; no later one wrote them otherwise."""
    for table, row in _ROWS.items():
        is_sqlite = connection.dialect.name == "sqlite"
        values = {
            name: value.replace(tzinfo=None).isoformat(" ", "microseconds")
            if is_sqlite and isinstance(value, datetime)
            else value
            for name, value in row.items()
        }
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)
    if connection.dialect.name == "postgresql":
        # The product leaves the numbers to the database, which then has counted this far.
        for table in ("organizations", "principals"):
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                )
            )
