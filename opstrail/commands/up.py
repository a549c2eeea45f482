"""`opstrail up`: everything in one process."""

from pathlib import Path

import click

from opstrail.embedded import Embedded
from opstrail.server import run, serve
from runtime.settings import Settings
from runtime.tls import http_tls


@click.command("up")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder for all data.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0: any free one.")
@click.pass_obj
def command(settings: Settings, data_dir: Path | None, host: str | None, port: int | None) -> None:
    """Run log, correlation, store and HTTP in this process.

    On first start it makes organization `default` and an admin key, prints the key once and keeps
    it in DATA-DIR/admin.key.

    \b
    Example:  opstrail up --data-dir /var/lib/opstrail --port 8080
    """
    chosen = {"data_dir": data_dir, "host": host, "port": port}
    settings = settings.model_copy(
        update={name: value for name, value in chosen.items() if value is not None}
    )
    tls = http_tls(settings)
    embedded = Embedded(settings)
    try:
        if embedded.new_admin_key is not None:
            click.echo(
                "admin key, shown once and kept in "
                f"{embedded.admin_key_path}:\n{embedded.new_admin_key}"
            )

        async def tell(address: str) -> None:
            click.echo(f"listening on {address} (stop with Ctrl-C)")

        run(
            serve(
                embedded.app,
                settings.host,
                settings.port,
                tls=tls,
                trusted_proxies=settings.trusted_proxies,
                on_listening=tell,
            )
        )
    finally:
        embedded.close()
    click.echo("stopped; what was accepted is on the timeline or in the log", err=True)
