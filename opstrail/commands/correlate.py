"""`opstrail correlate`: one Faust worker of the correlation."""

import asyncio
import sys

import click

from opstrail.required_servers import ask_kafka, require_clickhouse, require_kafka
from runtime.settings import Settings


@click.command("correlate")
@click.pass_obj
def command(settings: Settings) -> None:
    """Fold and link what is on audit.events; one process a core.

    \b
    Example:  OPSTRAIL_KAFKA_BOOTSTRAP=kafka:9092 \\
              OPSTRAIL_CLICKHOUSE_URL=http://default@clickhouse:8123 opstrail correlate
    """
    require_kafka(settings)
    # Asked for what is older than what memory holds.
    require_clickhouse(settings)
    # Faust would end with a trace and no telling exit code.
    asyncio.run(ask_kafka(settings))
    # Faust is slow to import and only needed here.
    from processors.app import run_correlate

    sys.exit(run_correlate(settings))
