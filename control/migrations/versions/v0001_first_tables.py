"""Installation, organizations, principals, keys and workspaces."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_installation()
    _create_organizations()
    _create_principals()
    _create_keys()
    _create_workspaces()


def _text(characters_max: int) -> sa.String:
    return sa.String(characters_max).with_variant(
        sa.String(characters_max, collation="C"), "postgresql"
    )


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _create_installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("pepper", sa.LargeBinary, nullable=False),
        sa.Column("position_secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
        sa.CheckConstraint("id = 1", name="ck_installation_one_row"),
    )


def _create_organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.UniqueConstraint("name", name="uq_organizations_name"),
    )


def _create_principals() -> None:
    op.create_table(
        "principals",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("kind", _text(16), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_principals"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_principals_organization_id"
        ),
        sa.UniqueConstraint("organization_id", "name", name="uq_principals_organization_id_name"),
        sa.UniqueConstraint("organization_id", "id", name="uq_principals_organization_id_id"),
    )


def _create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", _text(16), nullable=False),
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("principal_id", sa.Integer, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("name", _text(256), nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("workspace_patterns", sa.JSON, nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("last_used_on", sa.Date, nullable=True),
        sa.Column("expires_at", _time(), nullable=True),
        sa.Column("revoked_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_keys"),
        sa.ForeignKeyConstraint(
            ["organization_id", "principal_id"],
            ["principals.organization_id", "principals.id"],
            name="fk_keys_organization_id_principal_id",
        ),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
    )
    op.create_index("ix_keys_organization_id_key_id", "keys", ["organization_id", "key_id"])


def _create_workspaces() -> None:
    op.create_table(
        "workspaces",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("name", _text(128), nullable=False),
        sa.Column("environment", _text(256), nullable=True),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("deploy_actions", sa.JSON, nullable=True),
        sa.Column("registered_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "name", name="pk_workspaces"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_workspaces_organization_id"
        ),
    )
