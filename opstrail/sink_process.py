"""`opstrail sink`, put together from its parts."""

import asyncio
import signal
from typing import Final

from prometheus_client import start_http_server

from opstrail.required_servers import require_clickhouse, require_kafka
from processors.access_sink import AccessSink
from processors.sink import Sink
from runtime.kafka_security import kafka_security
from runtime.settings import Settings
from timeline.access_writer import AccessWriter
from timeline.store import open_store
from timeline.writer import EntryWriter

_MS_PER_S: Final = 1_000


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
