"""The two logs of the distributed system, as these settings want them. Nothing connects yet."""

from runtime.kafka_access_log import KafkaAccessLog
from runtime.kafka_log import KafkaLog
from runtime.kafka_security import KafkaSecurity
from runtime.settings import Settings
from schemas import topics


def open_log(settings: Settings, security: KafkaSecurity) -> KafkaLog:
    """Of the events."""
    return KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
        security=security,
    )


def open_access_log(settings: Settings, security: KafkaSecurity) -> KafkaAccessLog:
    """Of who read and changed what."""
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
