"""Puts a message that an earlier version could not read on the log again, now that one can.

Must stay true: what cannot be read now either is not sent. The events are the ones that were kept,
their sender the one who sent them; `received_at` is the time of resending, because watermarks go by
it. Sent twice it changes nothing that once would not.
"""

from dataclasses import replace

from opstrail.data_folder import owned
from processors.unreadable import UnreadableMessage
from runtime.backup_archive import LOG
from runtime.clock import wall_clock_us
from runtime.errors import RefusedError
from runtime.kafka_log import KafkaLog
from runtime.kafka_security import kafka_security
from runtime.log import Position
from runtime.settings import Settings
from runtime.sqlite_log import SqliteLog
from schemas.envelope import Envelope, decode_envelope


async def resend_unreadable(settings: Settings, message: UnreadableMessage) -> Position:
    """Where it is now.

    Raises RefusedError, LogUnavailableError; SettingsError: the folder is in use.
    """
    if not message.about.is_readable_now:
        raise RefusedError(
            f"this version cannot read message {message.about.address.text} either; if a newer one"
            " wrote it, upgrade first"
        )
    envelope = replace(decode_envelope(message.content), received_at=wall_clock_us())
    if settings.kafka_bootstrap:
        return await _to_kafka(settings, envelope)
    # The process that owns the folder would not see what another one appends.
    with owned(settings.data_dir):
        log = SqliteLog(settings.data_dir / LOG, inflight_bytes_max=settings.inflight_bytes_max)
        try:
            (position,) = await log.append([envelope], timeout_s=settings.append_timeout_s)
        finally:
            log.close()
    return position


async def _to_kafka(settings: Settings, envelope: Envelope) -> Position:
    log = KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
        security=kafka_security(settings),
    )
    try:
        (position,) = await log.append([envelope], timeout_s=settings.append_timeout_s)
    finally:
        await log.close()
    return position
