"""What the settings depend on, and how to ask each whether it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from control.database import open_control
from runtime.kafka_log import KafkaLog
from runtime.kafka_security import KafkaSecurity, kafka_security
from runtime.settings import Settings
from timeline.store import open_store

_ASK_TIMEOUT_S: Final = 5.0


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


async def ask_kafka(settings: Settings, security: KafkaSecurity | None = None) -> None:
    """Return when the brokers answer. Raises LogUnavailableError, SettingsError."""
    log = KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
        security=security or kafka_security(settings),
    )
    try:
        await log.ping(timeout_s=_ASK_TIMEOUT_S)
    finally:
        await log.close()


async def _ask_store(settings: Settings) -> None:
    store = open_store(settings)
    try:
        await store.ping(timeout_s=_ASK_TIMEOUT_S)
    finally:
        store.close()


def _ask_control(settings: Settings) -> None:
    control = open_control(settings.control_database_url)
    try:
        control.ping()
    finally:
        control.close()
