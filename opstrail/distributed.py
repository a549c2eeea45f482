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
from control.failed_authentications import FailedAuthentications
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from opstrail.server import serve
from processors.access_sink import AccessSink
from processors.sink import Sink
from query.app import query_routes
from query.services import query_services
from runtime.clock import wall_clock_us
from runtime.errors import SettingsError
from runtime.kafka_access_log import KafkaAccessLog
from runtime.kafka_log import KafkaLog
from runtime.kafka_security import KafkaSecurity, kafka_security
from runtime.settings import Settings
from runtime.tls import http_tls
from schemas import topics
from timeline.access_writer import AccessWriter
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
    security, tls = kafka_security(settings), http_tls(settings)
    control = open_control(settings.control_database_url)
    log = _log(settings, security)
    access_log = _access_log(settings, security)
    try:
        authenticator = await asyncio.to_thread(_authenticator, control)
        secret = control.installation().position_secret
        failed_authentications = FailedAuthentications(access_log, wall_clock=wall_clock_us)
        routes = ingest_routes(
            authenticator=authenticator,
            failed_authentications=failed_authentications,
            log=log,
            position_secret=secret,
            clock=wall_clock_us,
            settings=settings,
        )
        checks = {
            "log": lambda: log.ping(timeout_s=_CHECK_TIMEOUT_S),
            "control": lambda: asyncio.to_thread(control.ping),
        }
        app = build_http_app(
            routes,
            on_close=authenticator.close,
            checks=checks,
            while_serving=failed_authentications.running,
        )
        await serve(
            app,
            settings.host,
            settings.port,
            tls=tls,
            trusted_proxies=settings.trusted_proxies,
            on_listening=_tell,
        )
    finally:
        await log.close()
        await access_log.close()
        control.close()


async def serve_query(settings: Settings) -> None:
    """Answer questions until asked to stop; each is on Kafka before its answer."""
    require_kafka(settings)
    require_clickhouse(settings)
    security, tls = kafka_security(settings), http_tls(settings)
    control = open_control(settings.control_database_url)
    try:
        installation = await asyncio.to_thread(control.installation)
    except BaseException:
        control.close()
        raise
    store = open_store(settings, sql_password=sql_user_password(installation.pepper))
    access_log = _access_log(settings, security)
    # For what is sent again; connects only then.
    log = _log(settings, security)
    try:
        authenticator = await asyncio.to_thread(_authenticator, control)
        services = query_services(
            settings,
            store=store,
            control=control,
            authenticator=authenticator,
            access_log=access_log,
            log=log,
            failed_authentications=FailedAuthentications(access_log, wall_clock=wall_clock_us),
            position_secret=installation.position_secret,
            wall_clock=wall_clock_us,
        )
        checks = {
            "timeline": store.ping,
            "control": lambda: asyncio.to_thread(control.ping),
            "access_log": lambda: access_log.ping(timeout_s=_CHECK_TIMEOUT_S),
        }
        app = build_http_app(
            query_routes(services),
            checks=checks,
            lags={"timeline": services.lag_s},
            on_close=authenticator.close,
            while_serving=services.running,
        )
        await serve(
            app,
            settings.host,
            settings.port,
            tls=tls,
            trusted_proxies=settings.trusted_proxies,
            on_listening=_tell,
        )
    finally:
        await log.close()
        await access_log.close()
        store.close()
        control.close()


async def run_sink(settings: Settings) -> None:
    """Insert what the correlation emits, and the access events, until asked to stop."""
    require_kafka(settings)
    require_clickhouse(settings)
    security = kafka_security(settings)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)
    store = open_store(settings)
    sink = Sink(
        settings.kafka_bootstrap,
        EntryWriter(store),
        rows_max=settings.sink_rows_max,
        wait_s=settings.sink_wait_ms / _MS_PER_S,
        security=security,
    )
    access_sink = AccessSink(
        settings.kafka_bootstrap,
        AccessWriter(store),
        wait_s=settings.sink_wait_ms / _MS_PER_S,
        security=security,
    )

    def stop() -> None:
        sink.stop()
        access_sink.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [asyncio.create_task(sink.run()), asyncio.create_task(access_sink.run())]
    try:
        # What ends one of them by itself ends the process: the supervisor restarts both.
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        stop()
        await asyncio.gather(*running)
    finally:
        await asyncio.gather(*running, return_exceptions=True)
        store.close()


def _log(settings: Settings, security: KafkaSecurity) -> KafkaLog:
    return KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
        security=security,
    )


def _access_log(settings: Settings, security: KafkaSecurity) -> KafkaAccessLog:
    return KafkaAccessLog(
        KafkaLog(
            settings.kafka_bootstrap,
            partitions=settings.partitions,
            inflight_bytes_max=settings.inflight_bytes_max,
            security=security,
            topic=topics.ACCESS,
            # An answer waits: what comes while one batch is under way shares the next.
            linger_ms=0,
        )
    )


def _authenticator(control: Control) -> Authenticator:
    return Authenticator(control, monotonic_s=time.monotonic, utc_now=lambda: datetime.now(UTC))


async def _tell(address: str) -> None:
    click.echo(f"listening on {address}", err=True)
