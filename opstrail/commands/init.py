"""`opstrail init`: topics, tables, control database, and the first admin key."""

import asyncio

import click

from control.bootstrap import bootstrap
from control.database import Control, open_control
from runtime.kafka_topics import make_topics
from runtime.settings import Settings
from timeline.generation import generation_database, read_generations
from timeline.migrations import migrate
from timeline.sql_user import make_sql_user, sql_user_name, sql_user_password
from timeline.store import open_store


@click.command("init")
@click.pass_obj
def command(settings: Settings) -> None:
    """Make topics, tables and the control database; print the first admin key once.

    With a ClickHouse server also the user that analysts' SQL runs as, where it lets us.
    Safe to repeat, and to run from several machines at once.

    \b
    Example:  OPSTRAIL_KAFKA_BOOTSTRAP=kafka:9092 \\
              OPSTRAIL_CLICKHOUSE_URL=http://default@clickhouse:8123 \\
              OPSTRAIL_CONTROL_URL=postgresql://opstrail@postgres/opstrail opstrail init
    """
    if settings.kafka_bootstrap:
        made = asyncio.run(make_topics(settings))
        click.echo(f"topics: {', '.join(made) if made else 'all there'}", err=True)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = open_store(settings)
    try:
        steps = migrate(store)
        click.echo(f"timeline: {f'{len(steps)} migrations' if steps else 'up to date'}", err=True)
    finally:
        store.close()
    control = open_control(settings.control_database_url)
    try:
        key = bootstrap(control)
        # Before anything else may go wrong: it is not to be had again.
        _tell_key(key)
        _make_sql_user(settings, control)
    finally:
        control.close()


def _tell_key(key: str | None) -> None:
    if key is None:
        click.echo("control: up to date; the admin key was printed when it was made", err=True)
        return
    click.echo("control: made; this admin key is shown once, keep it:", err=True)
    click.echo(key)


def _make_sql_user(settings: Settings, control: Control) -> None:
    """Behind analysts' SQL stands a user of its own, where the server lets us make one."""
    if not settings.clickhouse_url:
        return
    if settings.clickhouse_sql_url:
        click.echo("sql user: that of OPSTRAIL_CLICKHOUSE_SQL_URL; none made", err=True)
        return
    database = settings.clickhouse_database
    password = sql_user_password(control.installation().pepper)
    store = open_store(settings)
    try:
        present = store.read_now(read_generations, database=database).present[1:]
        further = [generation_database(database, generation) for generation in present]
        refusal = store.write_now(
            lambda connection: make_sql_user(connection, database, password, further),
            database=database,
        )
    finally:
        store.close()
    if refusal is None:
        click.echo(f"sql user: {sql_user_name(database)} reads the tables of the views", err=True)
    else:
        click.echo(
            f"sql user: not made, ClickHouse refuses it ({refusal}); SQL runs as the user of"
            " OPSTRAIL_CLICKHOUSE_URL. docs/sql.md says how to make one by hand.",
            err=True,
        )
