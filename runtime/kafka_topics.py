"""Makes the topics of the log, with our own counts, replication and retention. Safe to repeat."""

from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from runtime.errors import SettingsError
from runtime.kafka_security import away, kafka_security
from runtime.settings import Settings
from schemas import topics

_HOUR_MS: Final = 3_600_000
_CHANGELOG_SEGMENT_BYTES: Final = 16 * 1024 * 1024


async def make_topics(settings: Settings) -> list[str]:
    """Make what is missing; the names of the topics made.

    Raises LogUnavailableError; SettingsError when a topic exists with another partition count,
    because a workspace would change its partition and lose its order.
    """
    security = kafka_security(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, **security.arguments())
    try:
        await admin.start()
        try:
            return await _make_missing(admin, settings)
        finally:
            await admin.close()
    except (KafkaError, OSError) as error:
        raise await away(
            settings.kafka_bootstrap, security, error, doing="making topics"
        ) from error


async def _make_missing(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    retained = {"retention.ms": str(settings.retention_hours * _HOUR_MS)}
    compacted = {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "60000",
        # The segment that is written to is never compacted, and each start reads all of it: by
        # default up to a gigabyte a partition, almost all of it about what was let go of.
        "segment.bytes": str(_CHANGELOG_SEGMENT_BYTES),
        "segment.ms": str(_HOUR_MS),
    }
    wanted = {
        topics.EVENTS: retained,
        topics.TIMELINE: retained,
        topics.DEAD_LETTERS: retained,
        topics.ACCESS: retained,
        topics.STATE_CHANGELOG: compacted,
    }
    existing = {
        found["topic"]: len(found["partitions"])
        for found in await admin.describe_topics(list(wanted))
        if found["error_code"] == 0
    }
    for name, count in existing.items():
        if count != settings.partitions:
            raise SettingsError(
                f"OPSTRAIL_PARTITIONS is {settings.partitions}, but topic {name} has {count};"
                " the count is fixed for the life of a log"
            )
    made: list[str] = []
    for name, configuration in wanted.items():
        if name in existing:
            continue
        topic = NewTopic(
            name,
            settings.partitions,
            settings.replication,
            topic_configs={
                **configuration,
                "max.message.bytes": str(topics.MESSAGE_BYTES_MAX),
                "min.insync.replicas": str(min(2, settings.replication)),
            },
        )
        answer = await admin.create_topics([topic])
        code = answer.topic_errors[0][1]
        if code == TopicAlreadyExistsError.errno:  # metadata lags, or another process was faster
            continue
        if code != 0:
            raise for_code(code)(f"making topic {name}")
        made.append(name)
    return made
