"""Topics are made once, with our own settings, and their partition count never changes."""

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from runtime.errors import LogUnavailableError, SettingsError
from runtime.kafka_topics import make_topics
from runtime.settings import Settings, load_settings
from schemas import topics
from tests.support.opstrail import PARTITIONS  # of the one broker of a run: the topics are shared
from tests.support.ports import HOST, free_port

ALL = {
    *(topics.EVENTS, topics.TIMELINE, topics.DEAD_LETTERS, topics.ACCESS),
    topics.STATE_CHANGELOG,
}


def settings_for(bootstrap: str, **changes: Any) -> Settings:
    return load_settings(
        kafka_bootstrap=bootstrap, **{"partitions": PARTITIONS, "replication": 1, **changes}
    )


async def described_topics(admin: AIOKafkaAdminClient) -> list[dict[str, Any]]:
    """Of all our topics: what was made a moment ago shows after another moment."""
    for _ in range(100):
        described: list[dict[str, Any]] = await admin.describe_topics(sorted(ALL))
        if all(found["error_code"] == 0 for found in described):
            return described
        await asyncio.sleep(0.1)
    raise AssertionError("a topic that was made does not show")


async def asked(bootstrap: str) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """By topic, its partitions and its configuration."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await described_topics(admin)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(ALL)]
        answers = await admin.describe_configs(resources)
    finally:
        await admin.close()
    counts = {found["topic"]: len(found["partitions"]) for found in described}
    configurations = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return counts, configurations


def test_making_topics_is_safe_to_repeat(kafka_bootstrap: str) -> None:
    settings = settings_for(kafka_bootstrap)

    first = asyncio.run(make_topics(settings))
    second = asyncio.run(make_topics(settings))

    assert set(first) <= ALL
    assert second == []
    counts, _ = asyncio.run(asked(kafka_bootstrap))
    assert counts == dict.fromkeys(ALL, PARTITIONS)


def test_two_processes_may_make_the_topics_at_the_same_time(kafka_bootstrap: str) -> None:
    settings = settings_for(kafka_bootstrap)

    async def race() -> list[list[str]]:
        return await asyncio.gather(*(make_topics(settings) for _ in range(3)))

    made = [name for names in asyncio.run(race()) for name in names]

    assert len(made) == len(set(made))


def test_events_are_retained_and_state_is_compacted(kafka_bootstrap: str) -> None:
    asyncio.run(make_topics(settings_for(kafka_bootstrap)))

    _, configurations = asyncio.run(asked(kafka_bootstrap))

    for name in ALL - {topics.STATE_CHANGELOG}:
        assert configurations[name]["cleanup.policy"] == "delete"
        assert int(configurations[name]["retention.ms"]) >= 3_600_000
    changelog = configurations[topics.STATE_CHANGELOG]
    assert changelog["cleanup.policy"] == "compact"
    # What is not compacted yet is read at each start.
    assert int(changelog["segment.bytes"]) <= 16 * 1024 * 1024
    assert int(changelog["segment.ms"]) <= 3_600_000
    for configuration in configurations.values():
        assert configuration["max.message.bytes"] == str(topics.MESSAGE_BYTES_MAX)


@pytest.mark.parametrize("partitions", [PARTITIONS - 1, PARTITIONS + 1])
def test_another_partition_count_is_the_operators_mistake(
    kafka_bootstrap: str, partitions: int
) -> None:
    asyncio.run(make_topics(settings_for(kafka_bootstrap)))

    with pytest.raises(SettingsError, match="OPSTRAIL_PARTITIONS is"):
        asyncio.run(make_topics(settings_for(kafka_bootstrap, partitions=partitions)))

    counts, _ = asyncio.run(asked(kafka_bootstrap))
    assert counts == dict.fromkeys(ALL, PARTITIONS)


def test_without_a_broker_no_topics_are_made() -> None:
    with pytest.raises(LogUnavailableError, match="while making topics"):
        asyncio.run(make_topics(settings_for(f"{HOST}:{free_port()}")))
