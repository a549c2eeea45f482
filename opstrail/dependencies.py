"""What the settings depend on, and how to ask each whether it answers."""

import asyncio
from collections.abc import Awaitable, Callable

from control.database import open_control
from opstrail.required_servers import ASK_TIMEOUT_S, ask_kafka
from runtime.kafka_security import kafka_security
from runtime.settings import Settings
from timeline.store import open_store


def dependencies(settings: Settings) -> dict[str, Callable[[], Awaitable[None]]]:
    """Name -> a call that returns when it answers, and raises UnavailableError otherwise.

    The embedded log and store are files of one process: for them nothing is asked.
    """
    asked: dict[str, Callable[[], Awaitable[None]]] = {}
    if settings.kafka_bootstrap:
        # Here already: a wrong setting of ours is no dependency that is away.
        security = kafka_security(settings)
        asked["kafka"] = lambda: ask_kafka(settings, security)
    if settings.clickhouse_url:
        asked["clickhouse"] = lambda: _ask_store(settings)
    asked["control"] = lambda: asyncio.to_thread(_ask_control, settings)
    return asked


async def _ask_store(settings: Settings) -> None:
    store = open_store(settings)
    try:
        await store.ping(timeout_s=ASK_TIMEOUT_S)
    finally:
        store.close()


def _ask_control(settings: Settings) -> None:
    control = open_control(settings.control_database_url)
    try:
        control.ping()
    finally:
        control.close()
