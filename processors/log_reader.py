"""A consumer that reads topics from their beginning: no group, nothing is committed."""

from typing import Final

from aiokafka import AIOKafkaConsumer

from runtime.kafka_security import KafkaSecurity

POLL_MS: Final = 500
_FETCH_BYTES_MAX: Final = 8 * 1024 * 1024


def log_reader(bootstrap: str, security: KafkaSecurity) -> AIOKafkaConsumer:
    """Not started; its partitions are to be assigned."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        # Where retention goes on meanwhile, it goes on with what is left.
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=_FETCH_BYTES_MAX,
        **security.arguments(),
    )
