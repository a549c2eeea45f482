"""Identity providers, identities, roles of groups, and sessions, for people who sign in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_identity_providers()
    _create_principal_identities()
    _create_group_roles()
    _create_sessions()


def _text(characters_max: int) -> sa.String:
    return sa.String(characters_max).with_variant(
        sa.String(characters_max, collation="C"), "postgresql"
    )


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _of_provider(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "issuer"],
        ["identity_providers.organization_id", "identity_providers.issuer"],
        name=f"fk_{table}_organization_id_issuer",
    )


def _of_principal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "principal_id"],
        ["principals.organization_id", "principals.id"],
        name=f"fk_{table}_organization_id_principal_id",
    )


def _create_identity_providers() -> None:
    op.create_table(
        "identity_providers",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("issuer", _text(256), nullable=False),
        sa.Column("client_id", _text(256), nullable=False),
        sa.Column("client_secret_reference", _text(256), nullable=True),
        sa.Column("groups_claim", _text(128), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("disabled_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "issuer", name="pk_identity_providers"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_identity_providers_organization_id"
        ),
        sa.CheckConstraint(
            "client_secret_reference LIKE 'env:%' OR client_secret_reference LIKE 'file:%'",
            name="ck_identity_providers_secret_elsewhere",
        ),
    )


def _create_principal_identities() -> None:
    op.create_table(
        "principal_identities",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("issuer", _text(256), nullable=False),
        sa.Column("subject", _text(256), nullable=False),
        sa.Column("principal_id", sa.Integer, nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("disabled_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint(
            "organization_id", "issuer", "subject", name="pk_principal_identities"
        ),
        _of_provider("principal_identities"),
        _of_principal("principal_identities"),
    )
    op.create_index(
        "ix_principal_identities_organization_id_principal_id",
        "principal_identities",
        ["organization_id", "principal_id"],
    )


def _create_group_roles() -> None:
    op.create_table(
        "group_roles",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("issuer", _text(256), nullable=False),
        sa.Column("group_name", _text(256), nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("workspace_patterns", sa.JSON, nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "issuer", "group_name", name="pk_group_roles"),
        _of_provider("group_roles"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=True),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("principal_id", sa.Integer, nullable=False),
        sa.Column("issuer", _text(256), nullable=False),
        sa.Column("subject", _text(256), nullable=False),
        sa.Column("provider_session", _text(256), nullable=True),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("workspace_patterns", sa.JSON, nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("rotated_at", _time(), nullable=False),
        sa.Column("last_seen_at", _time(), nullable=False),
        sa.Column("expires_at", _time(), nullable=False),
        sa.Column("ended_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
        sa.UniqueConstraint("previous_hash", name="uq_sessions_previous_hash"),
        _of_principal("sessions"),
        sa.ForeignKeyConstraint(
            ["organization_id", "issuer", "subject"],
            [
                "principal_identities.organization_id",
                "principal_identities.issuer",
                "principal_identities.subject",
            ],
            name="fk_sessions_organization_id_issuer_subject",
        ),
    )
    op.create_index(
        "ix_sessions_organization_id_principal_id", "sessions", ["organization_id", "principal_id"]
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
