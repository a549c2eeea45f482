from pathlib import Path
from typing import Any

from control.database import open_control
from query.services import query_services
from runtime.settings import load_settings
from tests.query.world import Keys
from tests.support.access_log import MemoryAccessLog, failures
from tests.support.memory_log import MemoryLog
from timeline.store import Store


def test_embedded_has_one_partition_and_kafka_those_of_the_settings(
    store: Store, tmp_path: Path
) -> None:
    control = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"kafka_bootstrap": "k:9092", "partitions": 6}, 6),
    ]
    for chosen, partitions in cases:
        services = query_services(
            load_settings(lost_after_hours=2, **chosen),
            store=store,
            control=control,
            authenticator=Keys("a", "b"),
            access_log=MemoryAccessLog(),
            log=MemoryLog(),
            failed_authentications=failures(),
            position_secret=b"x",
            wall_clock=lambda: 7,
        )
        assert services.partitions == partitions
        assert services.moment().lost_after_us == 2 * 3_600 * 1_000_000
        assert services.moment().now_us == 7
