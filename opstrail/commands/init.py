"""`opstrail init`: topics, tables, control database, and the first admin key."""

import asyncio

import click

from control.bootstrap import bootstrap
from control.database import open_control
from runtime.kafka_topics import make_topics
from runtime.settings import Settings
from timeline.migrations import migrate
from timeline.store import open_store


@click.command("init")
@click.pass_obj
def command(settings: Settings) -> None:
    """Make topics, tables and the control database; print the first admin key once.

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
    finally:
        control.close()
    if key is None:
        click.echo("control: up to date; the admin key was printed when it was made", err=True)
        return
    click.echo("control: made; this admin key is shown once, keep it:", err=True)
    click.echo(key)
