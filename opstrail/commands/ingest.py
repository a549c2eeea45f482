"""`opstrail ingest`: accept events over HTTP and put them on Kafka."""

import click

from opstrail.ingest_process import serve_ingest
from opstrail.server import run
from runtime.settings import Settings


@click.command("ingest")
@click.pass_obj
def command(settings: Settings) -> None:
    """Accept events over HTTP; 202 when Kafka has them on all replicas.

    Listens on OPSTRAIL_HOST and OPSTRAIL_PORT; run as many as you like behind a load balancer.

    \b
    Example:  OPSTRAIL_PORT=8081 opstrail ingest
    """
    run(serve_ingest(settings))
