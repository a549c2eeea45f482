"""Which dead letters were resent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "dead_letter_resends",
        sa.Column("organization_id", sa.Integer, nullable=False),
        sa.Column("place", _text(64), nullable=False),
        sa.Column("resent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", _text(128), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "place", name="pk_dead_letter_resends"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_dead_letter_resends_organization_id"
        ),
    )


def _text(characters_max: int) -> sa.String:
    return sa.String(characters_max).with_variant(
        sa.String(characters_max, collation="C"), "postgresql"
    )
