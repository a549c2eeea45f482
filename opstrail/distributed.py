"""The processes of the distributed system, each put together from its parts."""

import asyncio
import signal
import time
from datetime import UTC, datetime
from typing import Final

import click
from prometheus_client import start_http_server

from control.authenticator import Authenticator
from control.database import Control, open_control
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from opstrail.server import serve
from processors.sink import Sink
from query.app import query_routes
from query.services import query_services
from runtime.clock import wall_clock_us
from runtime.errors import SettingsError
from runtime.kafka_log import KafkaLog
from runtime.settings import Settings
from timeline.sql_user import sql_user_password
from timeline.store import open_store
from timeline.writer import EntryWriter

_MS_PER_S: Final = 1_000
_CHECK_TIMEOUT_S: Final = 3.0


def require_kafka(settings: Settings) -> None:
    """Raises SettingsError when the log's address is not set."""
    if not settings.kafka_bootstrap:
        raise SettingsError(
            "OPSTRAIL_KAFKA_BOOTSTRAP: not set; this process needs Kafka (host:port). Everything in"
            " one process instead: opstrail up"
        )


def require_clickhouse(settings: Settings) -> None:
    """Raises SettingsError when the store's address is not set: chDB serves one process only."""
    if not settings.clickhouse_url:
        raise SettingsError(
            "OPSTRAIL_CLICKHOUSE_URL: not set; this process needs a ClickHouse server. Everything"
            " in one process instead: opstrail up"
        )


async def serve_ingest(settings: Settings) -> None:
    """Accept events until asked to stop; what was answered with 202 is on Kafka by then."""
    require_kafka(settings)
    control = open_control(settings.control_database_url)
    log = KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
    )
    try:
        authenticator = await asyncio.to_thread(_authenticator, control)
        secret = control.installation().position_secret
        routes = ingest_routes(
            authenticator=authenticator,
            log=log,
            position_secret=secret,
            clock=wall_clock_us,
            settings=settings,
        )
        checks = {
            "log": lambda: log.ping(timeout_s=_CHECK_TIMEOUT_S),
            "control": lambda: asyncio.to_thread(control.ping),
        }
        app = build_http_app(routes, on_close=authenticator.close, checks=checks)
        await serve(app, settings.host, settings.port, on_listening=_tell)
    finally:
        await log.close()
        control.close()


async def serve_query(settings: Settings) -> None:
    """Answer questions until asked to stop."""
    require_clickhouse(settings)
    control = open_control(settings.control_database_url)
    try:
        installation = await asyncio.to_thread(control.installation)
    except BaseException:
        control.close()
        raise
    store = open_store(settings, sql_password=sql_user_password(installation.pepper))
    try:
        authenticator = await asyncio.to_thread(_authenticator, control)
        services = query_services(
            settings,
            store=store,
            control=control,
            authenticator=authenticator,
            position_secret=installation.position_secret,
            wall_clock=wall_clock_us,
        )
        checks = {
            "timeline": store.ping,
            "control": lambda: asyncio.to_thread(control.ping),
        }
        app = build_http_app(
            query_routes(services),
            checks=checks,
            on_close=authenticator.close,
            while_serving=services.label_mirror.running,
        )
        await serve(app, settings.host, settings.port, on_listening=_tell)
    finally:
        store.close()
        control.close()


async def run_sink(settings: Settings) -> None:
    """Insert what the correlation emits until asked to stop."""
    require_kafka(settings)
    require_clickhouse(settings)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)
    store = open_store(settings)
    sink = Sink(
        settings.kafka_bootstrap,
        EntryWriter(store),
        rows_max=settings.sink_rows_max,
        wait_s=settings.sink_wait_ms / _MS_PER_S,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sink.stop)
    try:
        await sink.run()
    finally:
        store.close()


def _authenticator(control: Control) -> Authenticator:
    return Authenticator(control, monotonic_s=time.monotonic, utc_now=lambda: datetime.now(UTC))


async def _tell(address: str) -> None:
    click.echo(f"listening on {address}", err=True)
