"""`opstrail sink`: bring entries from Kafka into ClickHouse."""

import click

from opstrail.server import run
from opstrail.sink_process import run_sink
from runtime.settings import Settings


@click.command("sink")
@click.pass_obj
def command(settings: Settings) -> None:
    """Insert what the correlation emits into the timeline store, exactly once to its readers.

    \b
    Example:  OPSTRAIL_KAFKA_BOOTSTRAP=kafka:9092 \\
              OPSTRAIL_CLICKHOUSE_URL=http://default@clickhouse:8123 opstrail sink
    """
    run(run_sink(settings))
