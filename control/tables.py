"""The control database's tables, as the newest migration leaves them (a test compares the two).

Times are aware UTC. Every row of one organization's hangs on `organization_id`; a key and its
principal are of the same organization by a foreign key, not by care.
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)

from schemas.limits import NAME_CHARACTERS_MAX, STRING_CHARACTERS_MAX


class UtcTime(TypeDecorator[datetime]):
    """Aware in, aware UTC out: SQLite forgets offsets, PostgreSQL answers in the session's zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(characters_max: int) -> String:
    """Compared byte by byte on both databases, so that lists page in the same order everywhere."""
    return String(characters_max).with_variant(String(characters_max, collation="C"), "postgresql")


_NAME: Final = _text(NAME_CHARACTERS_MAX)
_LINE: Final = _text(STRING_CHARACTERS_MAX)
_JSON: Final = JSON(none_as_null=True)

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

INSTALLATION: Final = Table(
    "installation",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True),
    Column("pepper", LargeBinary, nullable=False),
    Column("position_secret", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

ORGANIZATIONS: Final = Table(
    "organizations",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
)

PRINCIPALS: Final = Table(
    "principals",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("organization_id", Integer, ForeignKey("organizations.id"), nullable=False),
    Column("name", _NAME, nullable=False),
    Column("kind", _text(16), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("organization_id", "name"),
    UniqueConstraint("organization_id", "id"),  # what keys refer to
)

KEYS: Final = Table(
    "keys",
    METADATA,
    Column("key_id", _text(16), primary_key=True),
    Column("organization_id", Integer, nullable=False),
    Column("principal_id", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("name", _LINE, nullable=False),
    Column("roles", _JSON, nullable=False),
    Column("workspace_patterns", _JSON, nullable=True),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_on", Date, nullable=True),
    Column("expires_at", UtcTime, nullable=True),
    Column("revoked_at", UtcTime, nullable=True),
    ForeignKeyConstraint(
        ["organization_id", "principal_id"], ["principals.organization_id", "principals.id"]
    ),
    Index(None, "organization_id", "key_id"),  # the pages of an organization's keys
)

# Sign-in of people: docs/decisions/0017-sign-in-by-openid-connect.md. Nothing reads these yet.

IDENTITY_PROVIDERS: Final = Table(
    "identity_providers",
    METADATA,
    Column("organization_id", Integer, ForeignKey("organizations.id"), primary_key=True),
    Column("issuer", _LINE, primary_key=True),
    Column("client_id", _LINE, nullable=False),
    # Where the client's secret is: never the secret.
    Column("client_secret_reference", _LINE, nullable=True),
    Column("groups_claim", _NAME, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime, nullable=True),
    CheckConstraint(
        "client_secret_reference LIKE 'env:%' OR client_secret_reference LIKE 'file:%'",
        name="secret_elsewhere",
    ),
)

PRINCIPAL_IDENTITIES: Final = Table(
    "principal_identities",
    METADATA,
    Column("organization_id", Integer, primary_key=True),
    Column("issuer", _LINE, primary_key=True),
    Column("subject", _LINE, primary_key=True),
    Column("principal_id", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime, nullable=True),
    ForeignKeyConstraint(
        ["organization_id", "issuer"],
        ["identity_providers.organization_id", "identity_providers.issuer"],
    ),
    ForeignKeyConstraint(
        ["organization_id", "principal_id"], ["principals.organization_id", "principals.id"]
    ),
    Index(None, "organization_id", "principal_id"),  # the identities of one person
)

GROUP_ROLES: Final = Table(
    "group_roles",
    METADATA,
    Column("organization_id", Integer, primary_key=True),
    Column("issuer", _LINE, primary_key=True),
    Column("group_name", _LINE, primary_key=True),
    Column("roles", _JSON, nullable=False),
    Column("workspace_patterns", _JSON, nullable=True),
    Column("created_at", UtcTime, nullable=False),
    ForeignKeyConstraint(
        ["organization_id", "issuer"],
        ["identity_providers.organization_id", "identity_providers.issuer"],
    ),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("id", Integer, primary_key=True),
    # Digests of the token and of the one before it, which is good for some seconds more.
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("previous_hash", LargeBinary, nullable=True, unique=True),
    Column("organization_id", Integer, nullable=False),
    Column("principal_id", Integer, nullable=False),
    Column("issuer", _LINE, nullable=False),
    Column("subject", _LINE, nullable=False),
    Column("provider_session", _LINE, nullable=True),  # the provider's `sid`, for its logout
    Column("roles", _JSON, nullable=False),
    Column("workspace_patterns", _JSON, nullable=True),
    Column("created_at", UtcTime, nullable=False),
    Column("rotated_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),  # whatever happens; idle ends it earlier
    Column("ended_at", UtcTime, nullable=True),
    ForeignKeyConstraint(
        ["organization_id", "principal_id"], ["principals.organization_id", "principals.id"]
    ),
    ForeignKeyConstraint(
        ["organization_id", "issuer", "subject"],
        [
            "principal_identities.organization_id",
            "principal_identities.issuer",
            "principal_identities.subject",
        ],
    ),
    Index(None, "organization_id", "principal_id"),  # to end all of one person's
    Index(None, "expires_at"),  # to clear away
)

WORKSPACES: Final = Table(
    "workspaces",
    METADATA,
    Column("organization_id", Integer, ForeignKey("organizations.id"), primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("environment", _LINE, nullable=True),
    Column("labels", _JSON, nullable=False),
    Column("deploy_actions", _JSON, nullable=True),
    Column("registered_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

DEAD_LETTER_RESENDS: Final = Table(
    "dead_letter_resends",
    METADATA,
    Column("organization_id", Integer, ForeignKey("organizations.id"), primary_key=True),
    Column("place", _text(64), primary_key=True),
    Column("resent_at", UtcTime, nullable=False),
    Column("position", _text(128), nullable=True),
)
