"""Run by Alembic, with the connection and the transaction that control/migration.py made."""

from alembic import context

from control.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
)
context.run_migrations()
