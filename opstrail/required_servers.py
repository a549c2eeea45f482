"""The servers that a process of the distributed system cannot do without."""

from typing import Final

from opstrail.kafka_logs import open_log
from runtime.errors import SettingsError
from runtime.kafka_security import KafkaSecurity, kafka_security
from runtime.settings import Settings

ASK_TIMEOUT_S: Final = 5.0


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


async def ask_kafka(settings: Settings, security: KafkaSecurity | None = None) -> None:
    """Return when the brokers answer. Raises LogUnavailableError, SettingsError."""
    log = open_log(settings, security or kafka_security(settings))
    try:
        await log.ping(timeout_s=ASK_TIMEOUT_S)
    finally:
        await log.close()
